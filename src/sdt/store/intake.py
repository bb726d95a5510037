"""Signed messages come in: hundreds in one commit, each answered new, same or conflict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from sdt.domain.transaction import Event, Status
from sdt.store import events
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.standing import STATUS
from sdt.store.tables.core import LIVE, Transaction

__all__ = ["AcceptedRow", "Stored", "insert_accepted", "known_of", "mark_queued", "unqueued"]

Outcome = Literal["new", "same", "conflict"]


class AcceptedRow(NamedTuple):
    """One verified message. `account` is who it speaks for; an official's message may speak for nobody.

    Units: units and fee_units in the token's smallest unit; 0 where the message moves nothing.
    """

    id: str
    type: str
    administrative: bool
    kid: str
    account: str | None
    counterparty: str | None
    token: str | None
    units: int
    fee_units: int
    digest: bytes
    raw: bytes
    issued_at_s: int
    expires_at_s: int
    accepted_at_ms: int
    linked_id: str | None = None


class Stored(NamedTuple):
    """What became of one row. `same`: these bytes were here before; `conflict`: other bytes were."""

    outcome: Outcome
    status: Status


_COLUMNS: Final = (*AcceptedRow._fields, "status", "updated_at_ms", "held_units")


def insert_accepted(store: Store, rows: Sequence[AcceptedRow], *, actor: str = "api") -> list[Stored]:
    """Store messages with their `accept` events in one commit, and answer for each, in order.

    An id that is known, from before or from earlier in `rows`, changes nothing.
    """
    first: dict[str, AcceptedRow] = {}
    for row in rows:
        first.setdefault(row.id, row)
    with store.transaction():
        new = insert_new(
            store,
            Transaction,
            _COLUMNS,
            [(*row, Status.ACCEPTED.value, row.accepted_at_ms, 0) for row in first.values()],
            key="id",
        )
        known = known_of(store, [id for id in first if id not in new])
        events.append_rows(
            store,
            [
                (row.id, Event.ACCEPT.value, Status.ACCEPTED.value, row.accepted_at_ms, actor, None)
                for row in first.values()
                if row.id in new
            ],
        )
    answers = []
    for row in rows:
        if row.id in new:
            new.remove(row.id)
            answers.append(Stored("new", Status.ACCEPTED))
        else:
            digest, status = known.get(row.id) or (first[row.id].digest, Status.ACCEPTED)
            answers.append(Stored("same" if digest == row.digest else "conflict", status))
    return answers


def known_of(store: Store, ids: Sequence[str]) -> dict[str, tuple[bytes, Status]]:
    """Return digest and status of those ids that were used before."""
    if not ids:
        return {}
    found = store.rows(
        f"SELECT id, digest, {STATUS} FROM transactions WHERE {store.among('id')}",  # noqa: S608
        (store.listed(ids),),
    )
    return {id: (bytes(digest), Status(status)) for id, digest, status in found}


def mark_queued(store: Store, ids: Sequence[str], at_ms: int) -> None:
    """Note that these were handed to the queue by the sweeper."""
    with store.transaction():
        store.execute(
            f"UPDATE transactions SET queued_at_ms = ? WHERE {store.among('id')}",  # noqa: S608
            (at_ms, store.listed(ids)),
        )


def unqueued(store: Store, older_than_ms: int, limit: int) -> list[tuple[str, str | None]]:
    """Return (id, account) of what was accepted before a time and is not screened, as far as no sweep sent it."""
    return store.rows(
        f"SELECT id, account FROM transactions WHERE status = 'accepted' AND {LIVE} "  # noqa: S608
        "AND queued_at_ms IS NULL AND accepted_at_ms < ? ORDER BY seq LIMIT ?",
        (older_than_ms, limit),
    )
