"""What decides at the sandbox identity vendor: magic names, numbers, dates and words, as docs/sandbox.md lists them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sdt.sandbox.fields import Account, Address, Name

__all__ = [
    "SHORT_EXPIRY_S",
    "Business",
    "Document",
    "Finding",
    "Person",
    "PersonData",
    "of_business",
    "of_document",
    "of_person",
    "residency_of",
    "worst",
]

ADULT_YEARS: Final = 18
SHORT_EXPIRY_S: Final = 60
SHORT_EXPIRY_BORN: Final = date(1999, 12, 31)
"""Whoever was born on this day is identified for a minute."""
State = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
LastFour = Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")]

_BY_FAMILY_NAME: Final = {
    "FAIL": ("failed", "name_not_found"),
    "REVIEW": ("review", "name_partly_matched"),
    "DOCS": ("documents_required", "address_not_verified"),
}
_BY_SSN: Final = {
    "0000": ("failed", "ssn_not_issued"),
    "0001": ("failed", "date_of_birth_mismatch"),
    "0002": ("review", "possible_duplicate"),
    "0003": ("documents_required", "identity_document_needed"),
    "0004": ("failed", "deceased"),
    "0007": ("pending", ""),
}
_SECOND_TIME: Final = "0008"
"""Fails at the first attempt and passes at the second."""
_BY_WORD: Final = {
    "FAIL": ("failed", "business_not_found"),
    "DISSOLVED": ("failed", "business_dissolved"),
    "REVIEW": ("review", "ownership_unclear"),
    "DOCS": ("documents_required", "formation_document_needed"),
}
_IN_A_DOCUMENT: Final = {
    b"SANDBOX-UNREADABLE": ("documents_required", "document_unreadable"),
    b"SANDBOX-EXPIRED": ("documents_required", "document_expired"),
    b"SANDBOX-MISMATCH": ("failed", "document_mismatch"),
    b"SANDBOX-FORGED": ("review", "document_suspect"),
}
_NO_STREET: Final = ("PO BOX", "P.O. BOX", "GENERAL DELIVERY")
_ORDER: Final = ("failed", "documents_required", "review", "pending", "passed")


class PersonData(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A natural person."""

    given_name: Name
    family_name: Name
    born_on: date
    address: Address
    ssn_last4: LastFour


class Person(PersonData, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who applies, for which account, as a resident of which State."""

    account: Account
    region_state: State


class Owner(PersonData, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A beneficial owner. Units: millionths."""

    share_ppm: Annotated[int, Meta(ge=1, le=1_000_000)]


class Business(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A business that applies, with everybody behind it."""

    account: Account
    region_state: State
    legal_name: Annotated[str, Meta(min_length=1, max_length=160)]
    kind: Literal["corporation", "llc", "partnership", "sole_proprietorship", "nonprofit", "trust", "agency"]
    ein_last4: LastFour
    formed_in: State
    address: Address
    control: PersonData
    owners: Annotated[tuple[Owner, ...], Meta(max_length=4)]


class Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A document, in base64."""

    kind: Literal["identity", "address", "formation", "ownership"]
    subject: Annotated[str, Meta(pattern=r"^(holder|business|control|owner-[1-4])\Z")]
    media_type: Literal["application/pdf", "image/jpeg", "image/png"]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    content: Annotated[str, Meta(min_length=4, max_length=7_000_000)]


class Finding(Struct, frozen=True):
    """What was found of one subject."""

    subject: str
    outcome: str
    reason: str


def of_person(subject: str, person: PersonData, today: date, attempt: int) -> Finding:
    """Return what is found of a natural person."""
    magic = _BY_FAMILY_NAME.get(person.family_name.upper()) or _BY_SSN.get(person.ssn_last4)
    if magic:
        return Finding(subject, *magic)
    if person.ssn_last4 == _SECOND_TIME and attempt == 1:
        return Finding(subject, "failed", "address_not_verified")
    birthday_to_come = (today.month, today.day) < (person.born_on.month, person.born_on.day)
    if today.year - person.born_on.year - birthday_to_come < ADULT_YEARS:
        return Finding(subject, "failed", "under_age")
    return Finding(subject, "passed", "")


def of_business(business: Business, today: date, attempt: int) -> list[Finding]:
    """Return what is found of a business and of everybody behind it."""
    magic = next((found for word, found in _BY_WORD.items() if word in business.legal_name.upper().split()), None)
    if business.ein_last4 == "0000":
        magic = ("failed", "ein_mismatch")
    people: Iterable[tuple[str, PersonData]] = [
        ("control", business.control),
        *((f"owner-{n}", owner) for n, owner in enumerate(business.owners, 1)),
    ]
    return [
        Finding("business", *(magic or ("passed", ""))),
        *(of_person(subject, person, today, attempt) for subject, person in people),
    ]


def of_document(content: bytes) -> tuple[str, str]:
    """Return what a document shows; one without a magic word proves what it is to prove."""
    return next((found for word, found in _IN_A_DOCUMENT.items() if word in content), ("passed", ""))


def residency_of(address: Address, region_state: str) -> tuple[str, str]:
    """Return whether somebody lives in the region's State: an address without a house needs a proof."""
    if address.state != region_state:
        return "failed", "not_resident"
    if address.street.upper().startswith(_NO_STREET):
        return "documents_required", "residency_proof_needed"
    return "passed", ""


def worst(findings: Iterable[Finding]) -> str:
    """Return the outcome of them all: that of the one who stands worst."""
    return min((finding.outcome for finding in findings), key=_ORDER.index)
