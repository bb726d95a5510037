"""Signed messages come in: hundreds in one commit, each answered new, same, conflict or waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from sdt.domain.transaction import Event, Status
from sdt.store import events
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.standing import STATUS
from sdt.store.tables.core import LIVE, UNFINISHED, Transaction

__all__ = ["AcceptedRow", "Stored", "insert_accepted", "known_of", "mark_queued", "unqueued", "waiting_of_accounts"]

Outcome = Literal["new", "same", "conflict", "waits"]

ONE_AT_A_TIME: Final = "rotate_key"
"""What a client signs and settles in a batch of its own kind, behind which everybody waits until it is final."""
_WAITING: Final = (
    f"SELECT account FROM transactions WHERE status IN ('accepted', 'screened') AND {LIVE} "  # noqa: S608
    f"AND type = '{ONE_AT_A_TIME}' UNION ALL SELECT account FROM transactions WHERE type = '{ONE_AT_A_TIME}' "
    f"AND batch_number IN (SELECT number FROM batches WHERE kind = 'admin' AND {UNFINISHED})"
)
"""Whose key changes are on their way. By the index of what is alive: an account may have a long history."""


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
    """What became of one row.

    `same`: these bytes were here before; `conflict`: other bytes were; `waits`: it is not stored, since another key
    change of its account is on its way.
    """

    outcome: Outcome
    status: Status


_COLUMNS: Final = (*AcceptedRow._fields, "status", "updated_at_ms", "held_units")


def insert_accepted(store: Store, rows: Sequence[AcceptedRow], *, actor: str = "api") -> list[Stored]:
    """Store messages with their `accept` events in one commit, and answer for each, in order.

    An id that is known, from before or from earlier in `rows`, changes nothing. Of the key changes of one account one
    is on its way at a time.
    """
    first: dict[str, AcceptedRow] = {}
    for row in rows:
        first.setdefault(row.id, row)
    with store.transaction():
        waits = _waits(store, [row for row in first.values() if row.type == ONE_AT_A_TIME])
        for id in waits:
            del first[id]
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
        if row.id in waits:
            answers.append(Stored("waits", Status.REQUESTED))
        elif row.id in new:
            new.remove(row.id)
            answers.append(Stored("new", Status.ACCEPTED))
        else:
            digest, status = known.get(row.id) or (first[row.id].digest, Status.ACCEPTED)
            answers.append(Stored("same" if digest == row.digest else "conflict", status))
    return answers


def _waits(store: Store, changes: Sequence[AcceptedRow]) -> set[str]:
    """Return the ids of those key changes that come while another one of their account is on its way."""
    if not changes:
        return set()
    if store.postgres:
        # Whoever stores one for the same account meanwhile waits here, and then sees ours.
        store.rows(
            f"SELECT 1 FROM keys WHERE {store.among('account')} ORDER BY kid FOR UPDATE",  # noqa: S608
            (store.listed({str(row.account) for row in changes}),),
        )
    known = known_of(store, [row.id for row in changes])
    busy = {account for (account,) in store.rows(_WAITING)}
    waits = set()
    for row in changes:
        if row.id in known:
            continue
        if row.account in busy:
            waits.add(row.id)
        busy.add(row.account)
    return waits


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


def waiting_of_accounts(store: Store, least: int) -> dict[str, int]:
    """Return the accounts that have at least so many transactions on their way to settlement, with how many."""
    found = store.rows(
        "SELECT account, count(*) FROM ("  # noqa: S608
        f"SELECT account FROM transactions WHERE status IN ('accepted', 'screened', 'submitted') AND {LIVE} "
        "UNION ALL SELECT account FROM transactions WHERE status = 'batched' "
        f"AND batch_number IN (SELECT number FROM batches WHERE {UNFINISHED})"
        ") AS waiting WHERE account IS NOT NULL GROUP BY account HAVING count(*) >= ?",
        (least,),
    )
    return {account: int(count) for account, count in found}
