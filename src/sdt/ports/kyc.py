"""Who a person is: a vendor's identity check, and whether the address lies in the region's State."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Protocol

from sdt.ports.evidence import Evidence


class KycOutcome(Enum):
    """What the vendor decided."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    REVIEW = "review"
    DOCUMENTS_REQUIRED = "documents_required"


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """A United States address; `state` is the two-letter postal code. Never printed."""

    street: str = field(repr=False)
    city: str = field(repr=False)
    state: str
    postal_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KycPerson:
    """Who applies. `account` is theirs here; `region_state` the State of which they claim to be a resident.

    Shape: `account` 0x and 40 hex digits; `ssn_last4` four digits; `region_state` a two-letter postal code.
    """

    account: str
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    born_on: date = field(repr=False)
    address: PostalAddress
    ssn_last4: str = field(repr=False)
    region_state: str


@dataclass(frozen=True, slots=True)
class KycApplication:
    """An application as the vendor knows it.

    `resident`, `decided_at` and `expires_at` are None until decided. `tier` is 0 unless passed.
    """

    application_id: str
    account: str
    outcome: KycOutcome
    reasons: tuple[str, ...]
    tier: int
    region_state: str
    resident: bool | None
    attempts_left: int
    decided_at: datetime | None
    expires_at: datetime | None
    evidence: Evidence = field(compare=False)


class Kyc(Protocol):
    """Errors: Unprocessable when refused; Conflict for a key used with other data; NotFound; Unavailable."""

    async def apply(self, person: KycPerson, key: str) -> KycApplication:
        """Hand in an application; its outcome is pending until `application` says otherwise."""
        ...

    async def retry(self, application_id: str, person: KycPerson, key: str) -> KycApplication:
        """Hand in corrected data for an application that has attempts left."""
        ...

    async def application(self, application_id: str) -> KycApplication:
        """Return an application as it stands now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
