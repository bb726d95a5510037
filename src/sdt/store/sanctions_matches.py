"""Who may be meant by a list: matches, their reviews, and what officers decided of them. Rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.sanctions import Match

__all__ = [
    "MatchRow",
    "ReviewRow",
    "add_match",
    "decide_match",
    "deciding_case",
    "ignored",
    "match",
    "matches_of",
    "matches_of_case",
    "queue",
    "reopen_match",
    "review",
]


class MatchRow(NamedTuple):
    """Somebody listed who may be meant: `open`, `cleared` (ignored until its time) or `confirmed`."""

    id: str
    account: str
    party_digest: str
    source: str
    entry_digest: str
    uid: str
    list_digest: str
    score: int
    status: str
    case_id: str | None
    details_sealed: bytes
    found_at_ms: int
    decided_at_ms: int | None = None
    act_id: str | None = None
    ignored_until_s: int | None = None


class ReviewRow(NamedTuple):
    """A case of the kind sanctions with what its matches come to."""

    case_id: str
    account: str
    status: str
    opened_at_ms: int
    due_on: str | None
    score: int
    matches: int


_MATCH: Final = ", ".join(MatchRow._fields)


def _matches(store: Store, condition: str, parameters: Sequence[Any]) -> list[MatchRow]:
    found = store.rows(f"SELECT {_MATCH} FROM sanctions_matches WHERE {condition}", parameters)  # noqa: S608
    return [MatchRow(*row) for row in found]


def match(store: Store, id: str) -> MatchRow | None:
    """Return one match."""
    return next(iter(_matches(store, "id = ?", (id,))), None)


def matches_of(store: Store, account: str) -> list[MatchRow]:
    """Return every match of an account, decided or not."""
    return _matches(store, "account = ? ORDER BY found_at_ms, id", (account,))


def matches_of_case(store: Store, case_id: str) -> list[MatchRow]:
    """Return the matches that a case is about, the likeliest first."""
    return _matches(store, "case_id = ? ORDER BY score DESC, id", (case_id,))


_REVIEW: Final = (
    "SELECT c.id, c.account, c.status, c.opened_at_ms, c.due_on, coalesce(max(m.score), 0), count(m.id) "
    "FROM cases c LEFT JOIN sanctions_matches m ON m.case_id = c.id WHERE c.kind = 'sanctions' AND "
)


_GROUPED: Final = " GROUP BY c.id, c.account, c.status, c.opened_at_ms, c.due_on"


def queue(store: Store, decided: bool, after: tuple[int, str], limit: int) -> list[ReviewRow]:
    """Return the reviews that wait for officers, or the decided ones, the longest waiting first, from `after` on."""
    found = store.rows(
        f"{_REVIEW}(c.opened_at_ms, c.id) > (?, ?) AND c.status {'IN' if decided else 'NOT IN'} "
        f"('closed', 'to_report', 'reported'){_GROUPED} ORDER BY c.opened_at_ms, c.id LIMIT ?",
        (*after, limit),
    )
    return [ReviewRow(*row) for row in found]


def review(store: Store, case_id: str) -> ReviewRow | None:
    """Return one review."""
    found = store.row(f"{_REVIEW}c.id = ?{_GROUPED}", (case_id,))
    return ReviewRow(*found) if found else None


def ignored(store: Store, *, before: tuple[int, str] | None = None, limit: int = 50) -> list[MatchRow]:
    """Return the ignore-list: matches that were cleared, the newest first."""
    condition, parameters = "status = 'cleared'", []
    if before is not None:
        condition, parameters = f"{condition} AND (decided_at_ms, id) < (?, ?)", list(before)
    return _matches(store, f"{condition} ORDER BY decided_at_ms DESC, id DESC LIMIT ?", (*parameters, limit))


def deciding_case(store: Store, account: str) -> str | None:
    """Return the case that decides, or decided, about an account that is not clear."""
    found = store.row(
        "SELECT case_id FROM sanctions_matches WHERE account = ? AND status IN ('open', 'confirmed') "
        "AND case_id IS NOT NULL ORDER BY status DESC, found_at_ms LIMIT 1",
        (account,),
    )
    return found[0] if found else None


def add_match(store: Store, row: MatchRow) -> None:
    """Write a match that was not known."""
    insert_rows(store, Match, MatchRow._fields, [row])


def reopen_match(store: Store, id: str, list_digest: str, case_id: str | None, at_ms: int) -> None:
    """Let a match whose time of being ignored is over be looked at again, or name the case that looks at it."""
    store.execute(
        "UPDATE sanctions_matches SET status = 'open', list_digest = ?, case_id = ?, found_at_ms = ?, "
        "decided_at_ms = NULL, act_id = NULL, ignored_until_s = NULL WHERE id = ?",
        (list_digest, case_id, at_ms, id),
    )


def decide_match(store: Store, id: str, status: str, act_id: str, at_ms: int, ignored_until_s: int | None) -> None:
    """Write what officers decided of a match, and by which act."""
    store.execute(
        "UPDATE sanctions_matches SET status = ?, act_id = ?, decided_at_ms = ?, ignored_until_s = ? WHERE id = ?",
        (status, act_id, at_ms, ignored_until_s, id),
    )
