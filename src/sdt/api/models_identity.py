"""What goes in and out of the routes about people, businesses and their identity checks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sdt.api.models import AddressIn, Closed, Digits, PersonIn, Time

__all__ = [
    "Attempt",
    "BusinessIn",
    "Document",
    "DocumentKindName",
    "Documents",
    "Established",
    "IdentityCheck",
    "NewBusiness",
    "OwnerIn",
    "OwnerRules",
    "Renewal",
    "StatusName",
    "SubjectName",
]

LegalName = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[^\x00-\x1f\x7f]+$")]
LastFour = Annotated[str, Field(pattern=r"^[0-9]{4}$", examples=["4711"])]
KindName = Literal["corporation", "llc", "partnership", "sole_proprietorship", "nonprofit", "trust", "agency"]
DocumentKindName = Literal["identity", "address", "formation", "ownership"]
SubjectName = Annotated[str, Field(pattern=r"^(holder|business|control|owner-[1-4])$", examples=["holder"])]
StatusName = Literal["not_started", "pending", "passed", "failed", "review", "documents_required", "expired", "erased"]
NextName = Literal["wait", "correct", "send_documents", "renew", "contact", "nothing"]


class OwnerIn(Closed):
    """Somebody who owns a quarter or more. Units: `share_ppm` millionths of the equity, as digits."""

    person: PersonIn
    share_ppm: Annotated[Digits, Field(examples=["600000"])]


class BusinessIn(Closed):
    """A business, who controls it, and its beneficial owners. Kept sealed, shown to the KYC vendor and nobody else.

    `certified`: whoever registers says that this is complete and true (31 C.F.R. 1010.230(b)).
    """

    legal_name: LegalName
    kind: KindName
    ein_last4: LastFour
    formed_in: Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["TX"])]
    address: AddressIn
    merchant_category: Annotated[str, Field(pattern=r"^([0-9]{4})?$", examples=["5999"])] = ""
    control: PersonIn
    owners: Annotated[list[OwnerIn], Field(max_length=4, default_factory=list)]
    certified: Literal[True]


class NewBusiness(Closed):
    """A signed `register` message and the business it is for."""

    message: Annotated[str, Field(min_length=1, max_length=8192)]
    business: BusinessIn


class Attempt(Closed):
    """Corrected data: of the person, or of the business and everybody behind it."""

    person: PersonIn | None = None
    business: BusinessIn | None = None


class Renewal(Attempt):
    """A new check: with what has changed, or of what is known."""


class ReasonOut(BaseModel):
    """One reason of a closed set: what it means and what to do."""

    code: str
    text: str
    remedy: str


class Residency(BaseModel):
    """Whether living in the region's State is proven: it admits to the cash domain."""

    status: StatusName
    reasons: list[ReasonOut]


class Subject(BaseModel):
    """Where the check of one of those behind a business stands."""

    subject: str
    status: StatusName
    reasons: list[ReasonOut]


class Established(BaseModel):
    """What stands on chain for one domain."""

    domain: str
    tier: int
    resident: bool
    expires_at: Time


class IdentityCheck(BaseModel):
    """Where the identity check of an account stands, and what its owner can do now."""

    status: StatusName
    reasons: list[ReasonOut]
    next: NextName
    attempts_left: int
    documents_of: list[SubjectName]
    expires_at: Time | None
    renewable_from: Time | None
    residency: Residency | None
    subjects: list[Subject]
    established: list[Established]


class Document(BaseModel):
    """A document that was handed in; `digest` is SHA-256 of its bytes."""

    id: str
    kind: DocumentKindName
    subject: SubjectName
    media_type: str
    size_bytes: int
    digest: str
    forwarded: bool
    received_at: Time


class Documents(BaseModel):
    """All documents of the account, oldest first."""

    documents: list[Document]


class OwnerRule(BaseModel):
    """Whether a kind of business names its owners, with the law."""

    kind: KindName
    owners: bool
    text: str
    statute: str


class OwnerRules(BaseModel):
    """The rule for every kind of business. Units: `share_ppm_min` millionths."""

    share_ppm_min: int
    rules: list[OwnerRule]
