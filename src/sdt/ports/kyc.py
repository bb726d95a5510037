"""Who a person or a business is: a vendor's identity check, and whether the address lies in the region's State."""

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

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whom the vendor is to find something of, besides the applicant: nobody."""
        return ()


@dataclass(frozen=True, slots=True)
class KycOwner:
    """A beneficial owner of a business. Units: `share_ppm` millionths of the equity."""

    person: KycPerson
    share_ppm: int


@dataclass(frozen=True, slots=True)
class KycBusiness:
    """A business that applies: itself, who controls it, and its beneficial owners.

    Shape: as in `KycPerson`; `kind` as `domain.personal.BusinessKind`; `ein_last4` four digits.
    """

    account: str
    legal_name: str = field(repr=False)
    kind: str
    ein_last4: str = field(repr=False)
    formed_in: str
    address: PostalAddress
    control: KycPerson
    owners: tuple[KycOwner, ...]
    region_state: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whom the vendor is to find something of, as `KycSubject` names them."""
        return ("business", "control", *(f"owner-{n}" for n in range(1, len(self.owners) + 1)))


class DocumentKind(Enum):
    """What a document is to show."""

    IDENTITY = "identity"
    ADDRESS = "address"
    FORMATION = "formation"
    OWNERSHIP = "ownership"


@dataclass(frozen=True, slots=True)
class KycDocument:
    """A document for an application; `subject` is whom it is about, as in `KycSubject`. Its content is never printed.

    Shape: `media_type` application/pdf, image/jpeg or image/png; at most 5 MiB.
    """

    kind: DocumentKind
    subject: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KycSubject:
    """What the vendor found of one of those behind a business.

    Shape: `subject` is `business`, `control`, or `owner-1` and so on, in the order in which they were handed in.
    """

    subject: str
    outcome: KycOutcome
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KycApplication:
    """An application as the vendor knows it.

    `resident`, `decided_at` and `expires_at` are None until decided. `tier` is 0 unless passed. Residency has an
    outcome of its own, for it may need a proof of its own; `resident` is set when that is passed or failed.
    `subjects` is empty for a natural person.
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
    residency: KycOutcome = KycOutcome.PENDING
    residency_reasons: tuple[str, ...] = ()
    subjects: tuple[KycSubject, ...] = ()


class Kyc(Protocol):
    """Errors: Unprocessable when refused; Conflict for a key used with other data; NotFound; Unavailable."""

    async def apply(self, party: KycPerson | KycBusiness, key: str) -> KycApplication:
        """Hand in an application; its outcome is pending until `application` says otherwise."""
        ...

    async def retry(self, application_id: str, party: KycPerson | KycBusiness, key: str) -> KycApplication:
        """Hand in corrected data for an application that has attempts left."""
        ...

    async def submit(self, application_id: str, document: KycDocument, key: str) -> KycApplication:
        """Hand in a document that the vendor asked for."""
        ...

    async def application(self, application_id: str) -> KycApplication:
        """Return an application as it stands now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
