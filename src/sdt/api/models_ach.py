"""What goes in and out of the routes about ACH: proofs of bank accounts, files, entries, rates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sdt.api.models import Closed

__all__ = [
    "AchEntries",
    "AchEntry",
    "AchFile",
    "AchFiles",
    "AchInbound",
    "AchInboundFiles",
    "AchRate",
    "AchRates",
    "ConfirmIn",
    "ProofIn",
]

Cents = Annotated[int, Field(ge=1, le=99, examples=[12])]


class ProofIn(Closed):
    """How a bank account is proved: by two small credits whose amounts its holder tells us, or by a prenote."""

    method: Literal["micro", "prenote"]


class ConfirmIn(Closed):
    """The two amounts that the statement shows, in either order. Units: cents."""

    first_cents: Cents
    second_cents: Cents


class AchFile(BaseModel):
    """A file of ours. Units: cents, as digits."""

    name: str
    token: str
    made_on: str
    status: str
    code: str | None
    sha256: str
    entries: int
    entry_hash: str
    debits: str
    credits: str
    tries: int


class AchFiles(BaseModel):
    """Files of ours, the newest first."""

    files: list[AchFile]


class AchInbound(BaseModel):
    """A file of the bank's for us, and what reading it found."""

    name: str
    kind: str
    status: str
    day: str
    sha256: str
    records: int
    unmatched: int
    detail: str


class AchInboundFiles(BaseModel):
    """Files that came in, the newest first."""

    files: list[AchInbound]


class AchEntry(BaseModel):
    """An entry of a file, without whose account it names. Units: cents, as digits; moments in Eastern time."""

    id: str
    purpose: str
    status: str
    sec_code: str
    direction: Literal["debit", "credit"]
    amount: str
    file: str | None
    trace: str | None
    effective_on: str | None
    settled_on: str | None
    follow_at: str | None
    returned_on: str | None
    return_code: str | None
    transaction_id: str | None


class AchEntries(BaseModel):
    """Entries by trace number."""

    entries: list[AchEntry]


class AchRate(BaseModel):
    """One watched return rate over 60 days. Units: parts per million."""

    name: str
    returned: int
    originated: int
    ppm: int
    level_ppm: int
    above: bool


class AchRates(BaseModel):
    """The watched return rates on a day."""

    on: str
    rates: list[AchRate]
