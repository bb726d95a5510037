"""Whom to hold against a list when an account is screened: a person; or a business, who controls it and who owns it.

And whoever else its dollars name: who holds a bank account that is linked, and who handed currency in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.personal import SHARE_PPM, Business, Party, PersonAddress
from sdt.domain.sanctions.names import words_of

__all__ = [
    "COUNTRY",
    "Found",
    "Role",
    "Subject",
    "asked_of",
    "conductor",
    "holder",
    "is_named_in",
    "ownership_note",
    "subjects_of",
]

COUNTRY: Final = "United States"
"""Every address that the platform takes is one of the United States."""

Role = Literal["person", "business", "control", "owner", "holder", "conductor"]
_ROLES: Final = {
    "person": "The person",
    "business": "The business",
    "control": "Who controls it",
    "owner": "An owner",
    "holder": "Who holds a linked bank account",
    "conductor": "Who handed in currency",
}


class Subject(Struct, frozen=True, kw_only=True):
    """One name with one address, empty where none is known. Units: `share_ppm` millionths of the equity, for an owner.

    `mark` stands for somebody who is not behind the account: what is cleared of them is cleared of nobody else.
    """

    role: Role
    name: str
    street: str
    city: str
    share_ppm: int = 0
    mark: str = ""

    def __repr__(self) -> str:
        return f"Subject({self.role})"

    @property
    def canonical(self) -> bytes:
        """What the result of a screening depends on."""
        return msgspec.json.encode([self.role, self.name, self.street, self.city, self.share_ppm])


class Found(Struct, frozen=True, kw_only=True):
    """Somebody listed whom a subject may be. `reasons` are sentences for a reviewer, `mark` is the subject's.

    Units: `score` 0 to 100.
    """

    role: Role
    subject: str
    source: Literal["own", "vendor"]
    uid: str
    entry_digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    listed_name: str
    matched: str
    kind: str
    programs: str
    by: str
    score: int
    reasons: tuple[str, ...]
    share_ppm: int = 0
    mark: str = ""

    def __repr__(self) -> str:
        return f"Found({self.source}, {self.uid}, {self.score})"

    @property
    def sentence(self) -> str:
        """Why, in one sentence."""
        who = _ROLES[self.role]
        return (
            f"{who}, {self.subject}, may be {self.listed_name} by {self.by} ({self.score}): {'; '.join(self.reasons)}."
        )


def subjects_of(party: Party) -> tuple[Subject, ...]:
    """Return everybody behind an account, the account's own party first."""
    if not isinstance(party, Business):
        return (_subject("person", party.name, party.address),)
    return (
        _subject("business", party.name, party.address),
        _subject("control", party.control.name, party.control.address),
        *(_subject("owner", o.person.name, o.person.address, o.share_ppm) for o in party.owners),
    )


def holder(name: str) -> Subject:
    """Return whoever holds a bank account, as its details and so the entries of an ACH file name them."""
    return Subject(role="holder", name=name, street="", city="")


def conductor(name: str, address: PersonAddress | None) -> Subject:
    """Return whoever handed in currency, as their document says."""
    if address is None:
        return Subject(role="conductor", name=name, street="", city="")
    return _subject("conductor", name, address)


def is_named_in(subject: Subject, subjects: Iterable[Subject]) -> bool:
    """Return whether one of them has the same name, word for word as names are compared: one search is both's."""
    words = words_of(subject.name)
    return any(words_of(one.name) == words for one in subjects)


def asked_of(subjects: Iterable[Subject]) -> bytes:
    """Return what the result of screening everybody behind an account depends on."""
    return b"\n".join(subject.canonical for subject in subjects)


def _subject(role: Role, name: str, address: PersonAddress, share_ppm: int = 0) -> Subject:
    city = f"{address.city}, {address.state} {address.postal_code}"
    return Subject(role=role, name=name, street=address.street, city=city, share_ppm=share_ppm)


def ownership_note(found: Iterable[Found]) -> str | None:
    """Say what the owners who may be meant hold together; None where no owner is.

    Source: OFAC, "Revised Guidance on Entities Owned by Persons Whose Property and Interests in Property Are Blocked"
    (August 13, 2014): whom blocked persons own by half or more, together and directly or indirectly, is blocked.
    """
    shares = {(one.subject, one.share_ppm) for one in found if one.role == "owner"}
    if not shares:
        return None
    together = sum(share_ppm for _, share_ppm in shares)
    percent = f"{together / (SHARE_PPM / 100):.2f}".rstrip("0").rstrip(".")
    if 2 * together >= SHARE_PPM:
        return f"Owners who may be meant hold {percent} % together: if they are, the business is blocked with them."
    return f"Owners who may be meant hold {percent} % together, less than half."
