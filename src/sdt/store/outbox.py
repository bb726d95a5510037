"""What must be told to others, written in the same commit as the reason for it and told at least once.

The key of an entry is unique within its topic: asking twice for the same thing tells it once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sdt.domain.message import MESSAGE_TYPES
from sdt.domain.transaction import Status, effects_of
from sdt.store.database import Store

__all__ = [
    "DeadRow",
    "OutboxRow",
    "Waiting",
    "bury",
    "dead",
    "dead_count",
    "defer",
    "done",
    "due",
    "failing",
    "is_open",
    "is_waiting",
    "open_keys",
    "postpone",
    "prune",
    "put",
    "put_effects",
    "put_effects_of_all",
    "retry",
    "revive",
    "token_of",
    "waiting",
]

_INSERT: Final = "INSERT INTO outbox (topic, key, payload, due_at_ms, attempts) "


class OutboxRow(NamedTuple):
    """One thing to tell. `payload` is JSON; `attempts` counts those that failed, the first at `failed_since_ms`."""

    id: int
    topic: str
    key: str
    payload: str
    attempts: int
    failed_since_ms: int | None


class DeadRow(NamedTuple):
    """One thing that is not told any more until an officer says so. `last_error` is a code."""

    id: int
    topic: str
    key: str
    payload: str
    attempts: int
    last_error: str
    failed_since_ms: int
    dead_at_ms: int


def put(store: Store, topic: str, key: str, payload: Mapping[str, Any], due_at_ms: int) -> bool:
    """Ask for something to be told; return whether it was not asked for before."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    with store.transaction():
        written: int = store.execute(
            f"{_INSERT} VALUES (?, ?, ?, ?, 0) ON CONFLICT (topic, key) DO NOTHING",
            (topic, key, text, due_at_ms),
        ).rowcount
    return written == 1


def put_effects(store: Store, reached: Iterable[tuple[str, str, Status]], at_ms: int) -> None:
    """Ask for what follows from transactions reaching a status. Shape: (transaction_id, type, status)."""
    for id, type, status in reached:
        for effect in effects_of(type, status):
            put(store, effect.value, f"{id}:{status}", {"transaction_id": id, "status": status.value}, at_ms)


def put_effects_of_all(store: Store, ids: Sequence[str], status: Status, at_ms: int) -> None:
    """Ask for what follows from many transactions reaching the same status."""
    types = [type for type in MESSAGE_TYPES if effects_of(type, status)]
    if types:
        concerned = store.rows(
            f"SELECT id, type FROM transactions WHERE {store.among('id')} AND {store.among('type')} ORDER BY seq",  # noqa: S608
            (store.listed(ids), store.listed(types)),
        )
        put_effects(store, ((id, type, status) for id, type in concerned), at_ms)


def due(store: Store, topics: Sequence[str], now_ms: int, limit: int) -> list[OutboxRow]:
    """Return what is to be told now, the longest due first."""
    found = store.rows(
        f"SELECT {', '.join(OutboxRow._fields)} FROM outbox WHERE {store.among('topic')} "  # noqa: S608
        "AND done_at_ms IS NULL AND dead_at_ms IS NULL AND due_at_ms <= ? ORDER BY due_at_ms, id LIMIT ?",
        (store.listed(topics), now_ms, limit),
    )
    return [OutboxRow(*row) for row in found]


def failing(store: Store, topic: str, error: str) -> list[int]:
    """Return what of a topic is still to be told and last failed by this code."""
    found = store.rows(
        "SELECT id FROM outbox WHERE topic = ? AND done_at_ms IS NULL AND last_error = ? ORDER BY id", (topic, error)
    )
    return [id for (id,) in found]


_BEGINS: Final = "SELECT 1 FROM outbox WHERE topic = ? AND key >= ? AND key < ? AND done_at_ms IS NULL"


def is_waiting(store: Store, topic: str, prefix: str) -> bool:
    """Return whether something whose key begins so is still to be told."""
    return store.row(f"{_BEGINS} AND dead_at_ms IS NULL", _beginning(topic, prefix)) is not None


def is_open(store: Store, topic: str, prefix: str) -> bool:
    """Return whether something whose key begins so is still to be told, or may be when an officer revives it."""
    return store.row(_BEGINS, _beginning(topic, prefix)) is not None


def open_keys(store: Store, topic: str, prefix: str) -> list[str]:
    """Return the keys that begin so of what is still to be told, or may be when an officer revives it."""
    found = store.rows(_BEGINS.replace("SELECT 1", "SELECT key", 1) + " ORDER BY key", _beginning(topic, prefix))
    return [key for (key,) in found]


def _beginning(topic: str, prefix: str) -> tuple[str, str, str]:
    return topic, prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def done(store: Store, ids: Sequence[int], at_ms: int) -> None:
    """Note that these were told."""
    with store.transaction():
        for id in ids:
            store.execute("UPDATE outbox SET done_at_ms = ?, last_error = NULL WHERE id = ?", (at_ms, id))


def postpone(store: Store, id: int, due_at_ms: int) -> None:
    """Tell it later: nothing failed, its time has not come."""
    with store.transaction():
        store.execute("UPDATE outbox SET due_at_ms = ? WHERE id = ?", (due_at_ms, id))


def retry(store: Store, id: int, error: str, due_at_ms: int, *, at_ms: int) -> None:
    """Note that telling failed at a time, and when to try again. `error` is a code, never what was told."""
    with store.transaction():
        store.execute(
            "UPDATE outbox SET attempts = attempts + 1, last_error = ?, due_at_ms = ?, "
            "failed_since_ms = coalesce(failed_since_ms, ?) WHERE id = ?",
            (error, due_at_ms, at_ms, id),
        )


def defer(store: Store, id: int, due_at_ms: int) -> None:
    """Tell this later: nothing failed, it is only not its time."""
    with store.transaction():
        store.execute("UPDATE outbox SET due_at_ms = ? WHERE id = ?", (due_at_ms, id))


def bury(store: Store, id: int, error: str, at_ms: int) -> bool:
    """Tell this no more, for repetition does not help; return whether it was still alive."""
    with store.transaction():
        buried: int = store.execute(
            "UPDATE outbox SET attempts = attempts + 1, last_error = ?, dead_at_ms = ?, "
            "failed_since_ms = coalesce(failed_since_ms, ?) "
            "WHERE id = ? AND done_at_ms IS NULL AND dead_at_ms IS NULL",
            (error, at_ms, at_ms, id),
        ).rowcount
    return buried == 1


def revive(store: Store, id: int, at_ms: int) -> bool:
    """Tell a dead one again from now on, under the key it always had; return whether it was dead."""
    with store.transaction():
        revived: int = store.execute(
            "UPDATE outbox SET attempts = 0, failed_since_ms = NULL, dead_at_ms = NULL, due_at_ms = ? "
            "WHERE id = ? AND done_at_ms IS NULL AND dead_at_ms IS NOT NULL",
            (at_ms, id),
        ).rowcount
    return revived == 1


def dead(store: Store, limit: int = 500, token: str | None = None) -> list[DeadRow]:
    """Return what is not told any more, the longest dead first; of one token's transactions alone where given."""
    narrowed = "" if token is None else f"AND {_token(store)} = ? "
    found = store.rows(
        f"SELECT {', '.join(DeadRow._fields)} FROM outbox "  # noqa: S608
        f"WHERE done_at_ms IS NULL AND dead_at_ms IS NOT NULL {narrowed}ORDER BY dead_at_ms, id LIMIT ?",
        (limit,) if token is None else (token, limit),
    )
    return [DeadRow(*row) for row in found]


def token_of(store: Store, id: int) -> str:
    """Return the token of the transaction that something is about; empty when it is about none."""
    found = store.row(f"SELECT {_token(store)} FROM outbox WHERE id = ?", (id,))  # noqa: S608
    return found[0] or "" if found else ""


def _token(store: Store) -> str:
    return f"(SELECT t.token FROM transactions t WHERE t.id = {store.member('payload', 'transaction_id')})"  # noqa: S608


def dead_count(store: Store) -> int:
    """Return how many are not told any more."""
    found = store.row("SELECT count(*) FROM outbox WHERE done_at_ms IS NULL AND dead_at_ms IS NOT NULL", ())
    assert found is not None
    return int(found[0])


class Waiting(NamedTuple):
    """How much is due and not told yet, and since when the oldest of it is due. Units: seconds."""

    instructions: int
    oldest_s: float


def waiting(store: Store, now_ms: int) -> Waiting:
    """Return what is due and not told. Something that failed counts from its first failure."""
    count, since_ms = store.row(
        "SELECT count(*), min(coalesce(failed_since_ms, due_at_ms)) FROM outbox "
        "WHERE done_at_ms IS NULL AND dead_at_ms IS NULL AND (due_at_ms <= ? OR failed_since_ms IS NOT NULL)",
        (now_ms,),
    )
    return Waiting(count, 0.0 if since_ms is None else max(0, now_ms - since_ms) / 1000)


def prune(store: Store, before_ms: int, limit: int = 1_000) -> int:
    """Forget what was told before a time, so that the table stays small; return how many were forgotten."""
    with store.transaction():
        forgotten: int = store.execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE done_at_ms < ? ORDER BY id LIMIT ?)",
            (before_ms, limit),
        ).rowcount
    return forgotten
