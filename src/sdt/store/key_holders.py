"""Which person holds an official's key, by their number with the personnel office. What is not known tells nothing."""

from __future__ import annotations

from sdt.store.database import Store

__all__ = ["put", "same_person"]


def put(store: Store, kid: str, holder: str, act_id: str, at_ms: int) -> None:
    """Note who holds a key; a later word replaces an earlier one."""
    with store.transaction():
        store.execute(
            "INSERT INTO key_holders (kid, holder, act_id, named_at_ms) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (kid) DO UPDATE SET holder = excluded.holder, act_id = excluded.act_id, "
            "named_at_ms = excluded.named_at_ms",
            (kid, holder, act_id, at_ms),
        )


def same_person(store: Store, kid: str, other: str) -> bool:
    """Return whether two keys are one person's, as far as it is known: one key, or one holder named of both.

    A number is the same one in small letters and in capitals: two officers who type it do not agree on that.
    """
    if kid == other:
        return True
    found = store.row(
        "SELECT 1 FROM key_holders a JOIN key_holders b ON lower(b.holder) = lower(a.holder) "
        "WHERE a.kid = ? AND b.kid = ?",
        (kid, other),
    )
    return found is not None
