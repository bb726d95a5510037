"""Whether a name is on a sanctions list. No region's rule switches this off."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Protocol

from msgspec import Meta

from sdt.ports.evidence import Evidence
from sdt.ports.kyc import PostalAddress


class Purpose(Enum):
    """At which point of somebody's dealings they are screened."""

    ONBOARDING = "onboarding"
    INTAKE = "intake"
    MINT = "mint"
    BURN = "burn"
    PAYOUT = "payout"
    RESCREEN = "rescreen"


class ScreeningOutcome(Enum):
    """`possible_match` needs a person; `match` is blocked, not refunded."""

    CLEAR = "clear"
    POSSIBLE_MATCH = "possible_match"
    MATCH = "match"


@dataclass(frozen=True, slots=True)
class ScreeningRequest:
    """Whom to screen, and why. Never printed."""

    name: str = field(repr=False)
    address: PostalAddress
    purpose: Purpose
    reference: str


@dataclass(frozen=True, slots=True)
class SanctionsList:
    """The edition of the list in force. Shape: `digest` is SHA-256 in lower-case hex."""

    list_date: date
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


@dataclass(frozen=True, slots=True)
class Screening:
    """What a screening found. Units: `score` 0 to 100."""

    screening_id: str
    outcome: ScreeningOutcome
    score: Annotated[int, Meta(ge=0, le=100)]
    reasons: tuple[str, ...]
    purpose: Purpose
    reference: str
    sanctions_list: SanctionsList
    screened_at: datetime
    evidence: Evidence = field(compare=False)


class Aml(Protocol):
    """Errors: Unprocessable when refused; Conflict for a key used with other data; NotFound; Unavailable."""

    async def screen(self, request: ScreeningRequest, key: str) -> Screening:
        """Screen a name against the list in force."""
        ...

    async def screening(self, screening_id: str) -> Screening:
        """Return an earlier screening, unchanged."""
        ...

    async def sanctions_list(self) -> SanctionsList:
        """Return the edition in force; when it changes, everybody is screened again."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
