"""What goes out of the officers' routes about people."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from sdt.api.models import Time
from sdt.api.models_identity import Document, Established, StatusName

__all__ = ["Hold", "Look", "OfficeIdentities", "OfficeIdentity", "OfficeIdentityDetails", "OfficeParty", "Retention"]


class OfficeIdentity(BaseModel):
    """An identity check as the vendor told it: reasons in its own codes, which clients do not see."""

    account: str
    application: str | None
    status: StatusName
    reasons: list[str]
    round: int
    attempts_left: int
    tier: int
    residency: StatusName
    subjects: list[dict[str, Any]]
    expires_at: Time | None
    decision_act: str | None
    updated_at: Time


class OfficeIdentities(BaseModel):
    """Identity checks, the oldest change first; `next` is the `after` of the page after this one."""

    identities: list[OfficeIdentity]
    next: str | None


class Hold(BaseModel):
    """An order to keep what is known of somebody; `hold` is the act that placed it."""

    hold: str
    order: str
    authority: str
    placed_at: Time
    lifted_at: Time | None


class Look(BaseModel):
    """Somebody looked at personal data: by whose key, at what, when."""

    officer: str
    what: str
    at: Time


class Retention(BaseModel):
    """Until when what is known is kept, and why; both are null while the relationship is not over.

    A hold, or what compliance alone knows of, may keep it longer.
    """

    erasable_from: str | None
    statute: str | None


class OfficeIdentityDetails(OfficeIdentity):
    """An identity check with what belongs to it; names nobody. A decision names `seen`: the digest of what is shown."""

    seen: str
    erased: bool
    documents: list[Document]
    established: list[Established]
    holds: list[Hold]
    retention: Retention
    looks: list[Look]


class OfficeParty(BaseModel):
    """Who stands behind an account: personal data. That it was looked at is on record.

    `identified` is with whom the identity check passed last, where a renewal says somebody else by now.
    """

    account: str
    kind: str
    party: dict[str, Any]
    identified: dict[str, Any] | None
