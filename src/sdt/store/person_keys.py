"""The wrapped keys of people, and who has none yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sdt.store.database import Store

__all__ = ["PersonKeyRow", "add", "add_erased", "erase", "of_account", "without_key"]


class PersonKeyRow(NamedTuple):
    """Whose key, and the key as it is wrapped: None once the person is erased, or before there is one."""

    user_id: str
    person_sealed: bytes | None
    wrapped: bytes | None
    created_at_ms: int | None
    erased_at_ms: int | None


_SELECT = (
    "SELECT u.user_id, u.person_sealed, k.wrapped, k.created_at_ms, k.erased_at_ms FROM users u "
    "LEFT JOIN person_keys k ON k.user_id = u.user_id "
)


def of_account(store: Store, account: str) -> PersonKeyRow | None:
    """Return what opens the records of an account, or None where there is no user."""
    found = store.row(_SELECT + "WHERE u.account = ?", (account,))
    return _row(found) if found else None


def page(store: Store, after: str, limit: int) -> list[tuple[str, PersonKeyRow]]:
    """Return the users that are not erased, by account, the first after `after`."""
    found = store.rows(
        _SELECT.replace("SELECT ", "SELECT u.account, ", 1)
        + "WHERE u.account > ? AND u.person_sealed IS NOT NULL AND k.erased_at_ms IS NULL ORDER BY u.account LIMIT ?",
        (after, limit),
    )
    return [(account, _row(rest)) for account, *rest in found]


def _row(found: Sequence[Any]) -> PersonKeyRow:
    user_id, sealed, wrapped, created, erased = found
    return PersonKeyRow(user_id, sealed, wrapped, created, erased)


def add(store: Store, user_id: str, wrapped: bytes, at_ms: int) -> bool:
    """Give a user a key, the only one ever; return whether there was none before."""
    added: int = store.execute(
        "INSERT INTO person_keys (user_id, wrapped, created_at_ms, erased_at_ms) VALUES (?, ?, ?, NULL) "
        "ON CONFLICT (user_id) DO NOTHING",
        (user_id, wrapped, at_ms),
    ).rowcount
    return added == 1


def erase(store: Store, user_id: str, at_ms: int) -> bool:
    """Delete a user's key, for good; return whether there was one."""
    changed: int = store.execute(
        "UPDATE person_keys SET wrapped = NULL, erased_at_ms = ? WHERE user_id = ? AND wrapped IS NOT NULL",
        (at_ms, user_id),
    ).rowcount
    return changed == 1


def add_erased(store: Store, user_id: str, at_ms: int) -> None:
    """Note that a user was erased who never had a key."""
    store.execute(
        "INSERT INTO person_keys (user_id, wrapped, created_at_ms, erased_at_ms) VALUES (?, NULL, ?, ?)",
        (user_id, at_ms, at_ms),
    )


def without_key(store: Store, after: str, limit: int) -> list[str]:
    """Return accounts of users from before people had keys of their own, the first after `after`."""
    found = store.rows(
        "SELECT u.account FROM users u LEFT JOIN person_keys k ON k.user_id = u.user_id "
        "WHERE k.user_id IS NULL AND u.person_sealed IS NOT NULL AND u.account > ? ORDER BY u.account LIMIT ?",
        (after, limit),
    )
    return [account for (account,) in found]
