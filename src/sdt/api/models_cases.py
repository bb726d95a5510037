"""What comes out of the routes about cases."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sdt.api.models import Time

__all__ = [
    "Case",
    "CaseDetails",
    "CaseEvent",
    "CaseEvidence",
    "CaseKindName",
    "CaseStatusName",
    "Cases",
    "TravelParty",
    "TravelRecord",
]

CaseStatusName = Literal["open", "assigned", "proposed", "closed", "to_report", "reported"]
CaseKindName = Annotated[str, Field(pattern=r"^[a-z_]{2,32}$", examples=["monitoring"])]
CaseId = Annotated[str, Field(examples=["3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"])]
Day = Annotated[str, Field(examples=["2026-11-26"])]


class Case(BaseModel):
    """A case as it stands. Officers are named by the kids of their keys; `due_on` is the last day for its report."""

    case_id: CaseId
    kind: CaseKindName
    status: CaseStatusName
    account: str | None
    transaction_id: str | None
    detected_on: Day
    suspect_known: bool
    due_on: Day | None
    overdue: bool
    officer: str | None
    decision: Literal["nothing", "report"] | None
    second_officer: str | None
    filed_on: Day | None
    confirmation: str | None
    facts: dict[str, Any]
    opened_at: Time
    updated_at: Time


class CaseEvent(BaseModel):
    """One thing that happened to a case; `detail` is a note's text, an officer's kid, a digest."""

    event: str
    actor: str
    detail: str | None
    at: Time


class CaseEvidence(BaseModel):
    """What a case stands on: a transaction, another case, a listed entry, or a document by its SHA-256."""

    kind: str
    reference: str
    added_by: str
    at: Time


class CaseDetails(Case):
    """A case with its file: why it was decided so, what happened, what it stands on."""

    reason: str
    events: list[CaseEvent]
    evidence: list[CaseEvidence]


class Cases(BaseModel):
    """Cases, the newest first; `next` is the `before` of the page after this one."""

    cases: list[Case]
    next: str | None


class TravelParty(BaseModel):
    """One side of a recorded payment, as it was known when it was recorded."""

    name: str
    street: str
    city: str
    state: str
    postal_code: str
    account: str


class TravelRecord(BaseModel):
    """Who paid whom: what travels with a payment. A party that was erased, or of whom nothing was known, is null."""

    transaction_id: str
    payer: str
    payee: str
    token: str
    amount: str
    value_cents: str
    at: Time
    originator: TravelParty | None
    beneficiary: TravelParty | None
    keep_until: Day
