"""The sandbox screening vendor: names against a small invented list, magic words, and new editions on demand.

Nobody on the list exists. A match needs every word of a listed name; one word short is a possible match.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import NotFound
from sdt.sandbox.fields import Address, Name, Reference, rfc3339
from sdt.sandbox.service import Call, Get, Post

POSSIBLE_SCORE: Final = 86
_MAGIC: Final = {"BLOCKED": ("match", 100, "magic_name"), "MAYBE": ("possible_match", 80, "magic_name")}
_SCHEMA: Final = """
create table if not exists edition(n integer primary key, list_date text not null, names text not null);
create table if not exists screening(id text primary key, answer blob not null) without rowid;
"""


class Subject(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to screen, and why."""

    name: Annotated[str, Meta(min_length=1, max_length=160)]
    address: Address
    purpose: Literal["onboarding", "intake", "mint", "burn", "payout", "rescreen"]
    reference: Reference


class Edition(Struct, frozen=True, forbid_unknown_fields=True):
    """A new edition of the list: it replaces the one in force."""

    list_date: date
    names: Annotated[tuple[Name, ...], Meta(max_length=500)]


class ListAnswer(Struct, frozen=True):
    """The edition in force and the digest of its names."""

    list_date: str
    list_digest: str


class Screening(Struct, frozen=True):
    """What was found."""

    screening_id: str
    outcome: str
    score: int
    reasons: tuple[str, ...]
    purpose: str
    reference: str
    list_date: str
    list_digest: str
    screened_at: str


FIRST_EDITION: Final = Edition(date(2026, 1, 5), ("Viktor Falsename", "Example Front Trading", "Nadia Q Madeup"))


class Aml:
    """The service."""

    name = "aml"
    schema = _SCHEMA

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def routes(self) -> Sequence[Get | Post]:
        return (
            Post("/v1/screenings", Subject, self._screen),
            Get("/v1/screenings/{screening_id}", _screening),
            Post("/v1/list", Edition, _publish),
            Get("/v1/list", lambda call: _describe(_in_force(call.connection))),
        )

    def advance(self, connection: sqlite3.Connection) -> None:
        """Nothing is ever due."""

    def health(self) -> dict[str, Any]:
        return {}

    def _screen(self, call: Call, subject: Subject) -> Screening:
        edition = _in_force(call.connection)
        outcome, score, reason = _compare(subject.name, edition)
        described = _describe(edition)
        screening = Screening(
            screening_id=f"aml_{secrets.token_hex(12)}",
            outcome=outcome,
            score=score,
            reasons=(reason,) if reason else (),
            purpose=subject.purpose,
            reference=subject.reference,
            list_date=described.list_date,
            list_digest=described.list_digest,
            screened_at=rfc3339(self._clock()),
        )
        call.connection.execute(
            "insert into screening values(?, ?)", (screening.screening_id, msgspec.json.encode(screening))
        )
        return screening


def _screening(call: Call) -> Screening:
    row = call.connection.execute(
        "select answer from screening where id = ?", (call.params["screening_id"],)
    ).fetchone()
    if row is None:
        raise NotFound("There is no such screening.", code="screening_unknown")
    return msgspec.json.decode(row[0], type=Screening)


def _publish(call: Call, edition: Edition) -> ListAnswer:
    call.connection.execute(
        "insert into edition(list_date, names) values(?, ?)",
        (edition.list_date.isoformat(), msgspec.json.encode(edition.names).decode()),
    )
    return _describe(edition)


def _in_force(connection: sqlite3.Connection) -> Edition:
    row = connection.execute("select list_date, names from edition order by n desc limit 1").fetchone()
    if row is None:
        return FIRST_EDITION
    return Edition(date.fromisoformat(row[0]), msgspec.json.decode(row[1], type=tuple[str, ...]))


def _describe(edition: Edition) -> ListAnswer:
    return ListAnswer(edition.list_date.isoformat(), hashlib.sha256("\n".join(edition.names).encode()).hexdigest())


def _compare(name: str, edition: Edition) -> tuple[str, int, str]:
    words = set(name.upper().split())
    for magic, found in _MAGIC.items():
        if magic in words:
            return found
    best = ("clear", 0, "")
    for listed in edition.names:
        missing = len(set(listed.upper().split()) - words)
        if not missing:
            return "match", 100, "every_word_of_a_listed_name"
        if missing == 1 and len(listed.split()) > 1 and words <= set(listed.upper().split()):
            best = ("possible_match", POSSIBLE_SCORE, "all_but_one_word_of_a_listed_name")
    return best
