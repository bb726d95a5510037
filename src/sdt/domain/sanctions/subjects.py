"""Whom to hold against a list when an account is screened: a person; or a business, who controls it and who owns it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.personal import SHARE_PPM, Business, Party, PersonAddress

__all__ = ["COUNTRY", "Found", "Role", "Subject", "asked_of", "ownership_note", "subjects_of"]

COUNTRY: Final = "United States"
"""Every address that the platform takes is one of the United States."""

Role = Literal["person", "business", "control", "owner"]
_ROLES: Final = {"person": "The person", "business": "The business", "control": "Who controls it", "owner": "An owner"}


class Subject(Struct, frozen=True, kw_only=True):
    """One name with one address. Units: `share_ppm` millionths of the equity, for an owner."""

    role: Role
    name: str
    street: str
    city: str
    share_ppm: int = 0

    def __repr__(self) -> str:
        return f"Subject({self.role})"

    @property
    def canonical(self) -> bytes:
        """What the result of a screening depends on."""
        return msgspec.json.encode([self.role, self.name, self.street, self.city, self.share_ppm])


class Found(Struct, frozen=True, kw_only=True):
    """Somebody listed whom a subject may be. `reasons` are sentences for a reviewer. Units: `score` 0 to 100."""

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
    """Return everybody who is screened for an account, the account's own party first."""
    if not isinstance(party, Business):
        return (_subject("person", party.name, party.address),)
    return (
        _subject("business", party.name, party.address),
        _subject("control", party.control.name, party.control.address),
        *(_subject("owner", o.person.name, o.person.address, o.share_ppm) for o in party.owners),
    )


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
