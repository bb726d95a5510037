"""The log of what happened to every transaction, sealed into one chain of digests.

What happens to a batch happens to everything in it and is noted once, of `batch/NUMBER`; that a transaction is in it
is an event of its own, whose detail is the number.

A seal covers a run of events and the seal before it, so that nothing sealed can change, vanish or be slipped in
unnoticed. Canonical form of an event: the JSON array [seq, transaction_id, event, status, at_ms, actor, detail]
without spaces, and a newline. A seal's digest is SHA-256 of the seal before it and of its events in that form.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sdt.domain.errors import Conflict
from sdt.domain.transaction import Event, Status
from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.core import EventRecord

__all__ = ["EventRow", "SealBroken", "append", "append_of_batch", "append_rows", "of", "seal", "verify_seals"]

GENESIS: Final = bytes(32)
_LOCK: Final = 0x5D7_0002
"""PostgreSQL advisory lock: writers of events share it until they commit, the sealer takes it alone for a moment."""
_PAGE: Final = 5_000
_IN_A_BATCH: Final = (Status.BATCHED.value, Status.SUBMITTED.value)
_NO_END: Final = 2**63 - 1
_COLUMNS: Final = ("transaction_id", "event", "status", "at_ms", "actor", "detail")
_SELECT: Final = "SELECT seq, transaction_id, event, status, at_ms, actor, detail FROM events"


class SealBroken(Conflict):
    """Sealed events are not what they were when they were sealed."""

    code = "seal_broken"


class EventRow(NamedTuple):
    """One change of a transaction's status."""

    seq: int
    transaction_id: str
    event: Event
    status: Status
    at_ms: int
    actor: str
    detail: str | None


def append(
    store: Store,
    ids: Sequence[str],
    event: Event,
    status: Status,
    *,
    actor: str,
    at_ms: int,
    detail: str | None = None,
) -> None:
    """Note the same event for many transactions."""
    append_rows(store, [(id, event.value, status.value, at_ms, actor, detail) for id in ids])


def append_of_batch(store: Store, number: int, event: Event, status: Status, *, actor: str, at_ms: int) -> None:
    """Note an event of everything that stays in a batch."""
    append_rows(store, [(_batch(number), event.value, status.value, at_ms, actor, None)])


def _batch(number: int) -> str:
    return f"batch/{number}"


def append_rows(store: Store, rows: Sequence[tuple[str, str, str, int, str, str | None]]) -> None:
    """Note events. Shape: (transaction_id, event, status, at_ms, actor, detail)."""
    if store.postgres and rows:
        # Numbers are drawn before the commit: without this a seal could pass over one that is still on its way.
        store.execute("SELECT pg_advisory_xact_lock_shared(?)", (_LOCK,))
    insert_rows(store, EventRecord, _COLUMNS, rows)


def of(store: Store, transaction_id: str) -> list[EventRow]:
    """Return what happened to a transaction, in order, alone and with its batch."""
    own = store.rows(f"{_SELECT} WHERE transaction_id = ? ORDER BY seq", (transaction_id,))
    found = []
    for row, following in itertools.zip_longest(own, own[1:]):
        found.append(row)
        if row[3] in _IN_A_BATCH and (number := _number(store, row)):
            # Until it goes its own way again, what happens to its batch happens to it.
            found += store.rows(
                f"{_SELECT} WHERE transaction_id = ? AND seq > ? AND seq < ? ORDER BY seq",
                (_batch(number), row[0], following[0] if following else _NO_END),
            )
    return [
        EventRow(seq, transaction_id, Event(event), Status(status), at_ms, actor, detail)
        for seq, _, event, status, at_ms, actor, detail in found
    ]


def _number(store: Store, row: Any) -> int | None:
    """Return the batch in which an event found its transaction; older events do not say."""
    if row[2] == Event.BATCH and row[6]:
        return int(row[6])
    standing = store.row("SELECT batch_number FROM transactions WHERE id = ?", (row[1],))
    return standing[0] if standing else None


def seal(store: Store, at_ms: int) -> bytes:
    """Seal the events since the last seal and return the newest digest (32 zero bytes before the first).

    One process seals: the lane. Call it in a transaction of its own, so that it holds nothing others wait for.
    """
    with store.transaction():
        horizon = _horizon(store)
        last, previous = _last_seal(store)
        if horizon <= last:
            return previous
        digest = hashlib.sha256(previous)
        first = None
        for row in _range(store, last + 1, horizon):
            first = first or row[0]
            digest.update(_canonical(row))
        if first is None:
            return previous
        store.execute(
            "INSERT INTO event_seals (first_event, last_event, digest, previous, sealed_at_ms) VALUES (?, ?, ?, ?, ?)",
            (first, horizon, digest.digest(), previous, at_ms),
        )
        return digest.digest()


def verify_seals(store: Store) -> int:
    """Compute every seal anew from the events and return how many there are.

    Errors: SealBroken, with the run of events that is not what was sealed.
    """
    previous, last, count = GENESIS, 0, 0
    seals = store.rows("SELECT first_event, last_event, digest, previous FROM event_seals ORDER BY seq")
    for first, final, digest, before in seals:
        running = hashlib.sha256(previous)
        # From the end of the seal before it: a row slipped into a gap between two runs is found too.
        for row in _range(store, last + 1, final):
            running.update(_canonical(row))
        if before != previous or running.digest() != digest:
            raise SealBroken(
                f"The events from {first} to {final} are not what was sealed.",
                first_event=first,
                last_event=final,
            )
        previous, last, count = digest, final, count + 1
    return count


def _horizon(store: Store) -> int:
    """Return the highest number below which no event can still appear."""
    if store.postgres:
        store.execute("SELECT pg_advisory_lock(?)", (_LOCK,))
    try:
        (horizon,) = store.row("SELECT coalesce(max(seq), 0) FROM events")
        return int(horizon)
    finally:
        if store.postgres:
            store.execute("SELECT pg_advisory_unlock(?)", (_LOCK,))


def _last_seal(store: Store) -> tuple[int, bytes]:
    row = store.row("SELECT last_event, digest FROM event_seals ORDER BY seq DESC LIMIT 1")
    return (row[0], row[1]) if row else (0, GENESIS)


def _range(store: Store, first: int, last: int) -> Iterator[Any]:
    while first <= last:
        page = store.rows(f"{_SELECT} WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", (first, last, _PAGE))
        yield from page
        if len(page) < _PAGE:
            return
        first = page[-1][0] + 1


def _canonical(row: Any) -> bytes:
    return msgspec.json.encode(row) + b"\n"
