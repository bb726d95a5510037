"""Transactions: the rows, how to find them, and (re-exported) how they come in and move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sdt.domain.ledger import token_account
from sdt.domain.transaction import Status
from sdt.store.database import Store
from sdt.store.intake import AcceptedRow, Stored, insert_accepted, mark_queued, unqueued
from sdt.store.moves import (
    Change,
    advance_batch,
    advance_whole_batch,
    attach_to_batch,
    lock,
    move,
    place_in_batch,
    renumber,
)
from sdt.store.standing import STATUS, UPDATED_AT_MS
from sdt.store.tables.core import LIVE, UNFINISHED

__all__ = [
    "AcceptedRow",
    "Change",
    "Stored",
    "TransactionRow",
    "advance_batch",
    "advance_whole_batch",
    "attach_to_batch",
    "attached_to",
    "by_digest",
    "claim_screened",
    "counts_by_status",
    "get",
    "get_many",
    "held_as",
    "history",
    "holding",
    "in_batch",
    "in_status",
    "insert_accepted",
    "left_to_batch",
    "linked_to",
    "lock",
    "mark_queued",
    "mintable",
    "move",
    "oldest_live_age_ms",
    "past_their_time",
    "place_in_batch",
    "renumber",
    "screened",
    "unqueued",
]


class TransactionRow(NamedTuple):
    """One transaction as it stands.

    `account` is who it speaks for. `held_units` is what it holds of that account's funds while its status is one
    of HOLDING, and what it held afterwards. `code` to `effective` say why it was refused or is held.
    """

    seq: int
    id: str
    type: str
    status: Status
    administrative: bool
    kid: str
    account: str | None
    counterparty: str | None
    token: str | None
    units: int
    fee_units: int
    held_units: int
    digest: bytes
    raw: bytes
    issued_at_s: int
    expires_at_s: int
    accepted_at_ms: int
    updated_at_ms: int
    queued_at_ms: int | None
    batch_number: int | None
    position: int | None
    linked_id: str | None
    code: str | None
    detail: str | None
    rule: str | None
    statute: str | None
    effective: str | None

    @property
    def value(self) -> tuple[str, str]:
        """The token that it moves and the account that it speaks for; only for what moves value."""
        assert self.token is not None and self.account is not None, f"a {self.type} speaks for nobody's funds"
        return self.token, self.account

    @property
    def ledger_account(self) -> str:
        """The ledger account whose funds it holds and moves."""
        return token_account(*self.value)


_READ: Final = {"status": f"{STATUS} AS status", "updated_at_ms": f"{UPDATED_AT_MS} AS updated_at_ms"}
_COLUMNS: Final = ", ".join(_READ.get(field, field) for field in TransactionRow._fields)
_STATUS: Final = {status.value: status for status in Status}
_OF_A_BATCH: Final = (Status.BATCHED, Status.SUBMITTED, Status.COMPLETED)
"""What a batch may say of what is in it."""
_MACHINE: Final = (Status.ACCEPTED, Status.SCREENED, Status.SUBMITTED)
"""The statuses of a row in which nothing but the platform itself is waited for; beside them, what is in a batch."""


def _row(found: Any) -> TransactionRow:
    seq, id, type, status, administrative, *rest = found
    return TransactionRow(seq, id, type, _STATUS[status], bool(administrative), *rest)


def _where(store: Store, condition: str, parameters: Sequence[object]) -> list[TransactionRow]:
    found = store.wide_rows(f"SELECT {_COLUMNS} FROM transactions WHERE {condition}", parameters)  # noqa: S608
    return [_row(row) for row in found]


def get(store: Store, id: str) -> TransactionRow | None:
    """Return one transaction."""
    return next(iter(_where(store, "id = ?", (id,))), None)


def get_many(store: Store, ids: Sequence[str], *, lock: bool = False) -> dict[str, TransactionRow]:
    """Return those of these transactions that exist, by id.

    With `lock` nobody else changes them until this transaction ends.
    """
    if not ids:
        return {}
    tail = " ORDER BY seq FOR UPDATE" if lock and store.postgres else ""
    return {row.id: row for row in _where(store, store.among("id") + tail, (store.listed(ids),))}


def by_digest(store: Store, digest: bytes) -> TransactionRow | None:
    """Return the transaction whose message has this SHA-256: an official's act, not a payment.

    Nobody approves payments by digest, and an index over all of them would cost each of them.
    """
    return next(iter(_where(store, "digest = ? AND type <> 'transfer'", (digest,))), None)


def linked_to(store: Store, id: str) -> list[TransactionRow]:
    """Return the transactions that name this one: the issue of a deposit, the approval of an issue."""
    return _where(store, "linked_id = ? ORDER BY seq", (id,))


def in_batch(store: Store, number: int) -> list[TransactionRow]:
    """Return the items of the batch with this number, by position."""
    return _where(store, "batch_number = ? AND position IS NOT NULL ORDER BY position", (number,))


def attached_to(store: Store, number: int) -> list[TransactionRow]:
    """Return what travels with a batch without being an item of it: approvals."""
    return _where(store, "batch_number = ? AND position IS NULL ORDER BY seq", (number,))


def left_to_batch(store: Store, number: int) -> int:
    """Return for how many transactions the row of a batch speaks, those beside it included."""
    (count,) = store.row("SELECT count(*) FROM transactions WHERE batch_number = ? AND status = 'batched'", (number,))
    return int(count)


def in_status(store: Store, status: Status, limit: int) -> list[TransactionRow]:
    """Return the oldest transactions in a status that is not an end."""
    if status in _OF_A_BATCH:
        found = f"batch_number IN (SELECT number FROM batches WHERE {UNFINISHED}) AND {STATUS} = ?"  # noqa: S608
        return _where(store, f"{found} ORDER BY seq LIMIT ?", (status.value, limit))
    return _where(store, f"status = ? AND {LIVE} ORDER BY seq LIMIT ?", (status.value, limit))


def mintable(store: Store, limit: int, token: str | None = None) -> list[TransactionRow]:
    """Return deposits of one token or all that wait, first those of which bank or vault knows.

    What never comes stands before nobody.
    """
    known = "EXISTS (SELECT 1 FROM bank_entries e WHERE e.transaction_id = transactions.id AND e.external_id > '')"
    of = "" if token is None else "AND token = ? "
    condition = f"status = 'awaiting_funds' AND {LIVE} {of}ORDER BY CASE WHEN {known} THEN 0 ELSE 1 END, seq LIMIT ?"
    return _where(store, condition, (limit,) if token is None else (token, limit))


def held_as(store: Store, code: str, limit: int) -> list[TransactionRow]:
    """Return the oldest that are held for this reason, whatever else is held."""
    return _where(store, f"status = 'held' AND {LIVE} AND code = ? ORDER BY seq LIMIT ?", (code, limit))


def past_their_time(store: Store, status: Status, now_s: int, limit: int) -> list[str]:
    """Return the oldest in a status whose time has passed.

    Blocked dollars wait for a licence, whatever the time; dollars that came in for a deposit, for its case.
    """
    found = store.rows(
        f"SELECT id FROM transactions WHERE status = ? AND {LIVE} AND expires_at_s <= ? "  # noqa: S608
        "AND NOT EXISTS (SELECT 1 FROM blocked_funds b WHERE b.transaction_id = transactions.id "
        "AND b.ended_at_ms IS NULL) AND NOT (type = 'deposit' "
        "AND EXISTS (SELECT 1 FROM bank_entries e WHERE e.transaction_id = transactions.id) "
        "AND EXISTS (SELECT 1 FROM review_holds h JOIN cases c ON c.id = h.key "
        "WHERE h.transaction_id = transactions.id)) ORDER BY seq LIMIT ?",
        (status.value, now_s, limit),
    )
    return [id_ for (id_,) in found]


def holding(store: Store, account: str, token: str) -> list[TransactionRow]:
    """Return what holds funds of this account and is in no batch yet; nobody else changes it meanwhile."""
    return _where(
        store,
        f"status IN ('held', 'screened') AND {LIVE} AND account = ? AND token = ? AND held_units > 0 ORDER BY seq"
        + (" FOR UPDATE" if store.postgres else ""),
        (account, token),
    )


def claim_screened(store: Store, limit: int) -> list[TransactionRow]:
    """Return what the next batch is made of: the oldest screened items, as far as they are of one kind.

    Administrative messages never share a batch with others. Approvals are left out: they travel with what they
    approve. Form the batch in the same transaction, so that nobody cancels an item in between.
    """
    rows = _where(
        store,
        f"status = 'screened' AND {LIVE} AND type <> 'approve' ORDER BY seq LIMIT ?"
        + (" FOR UPDATE" if store.postgres else ""),
        (limit,),
    )
    for end, row in enumerate(rows):
        if row.administrative != rows[0].administrative:
            return rows[:end]
    return rows


def screened(store: Store, limit: int) -> tuple[int, bool]:
    """Return how many items wait for a batch, at most `limit`, and whether the oldest is administrative.

    It reads none of them: what `claim_screened` would bring costs a hundred times as much.
    """
    (count,) = store.row(
        f"SELECT count(*) FROM (SELECT 1 FROM transactions WHERE status = 'screened' AND {LIVE} "  # noqa: S608
        "AND type <> 'approve' LIMIT ?) AS waiting",
        (limit,),
    )
    oldest = store.row(
        f"SELECT administrative FROM transactions WHERE status = 'screened' AND {LIVE} "  # noqa: S608
        "AND type <> 'approve' ORDER BY seq LIMIT 1"
    )
    return int(count), bool(oldest and oldest[0])


def history(
    store: Store,
    account: str,
    *,
    token: str | None = None,
    type: str | None = None,
    status: Status | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[TransactionRow]:
    """Return the newest transactions of an account, whichever side it is on; go on with `before_seq`."""
    wanted = [
        ("token = ?", token),
        ("type = ?", type),
        (f"{STATUS} = ?" if status in _OF_A_BATCH else "status = ?", status.value if status else None),
        ("seq < ?", before_seq),
    ]
    more = "".join(f" AND {condition}" for condition, value in wanted if value is not None)
    values = [value for _, value in wanted if value is not None]
    # Two walks down two indexes, each cut short; one OR over both columns would sort the whole history.
    sides = (f"account = ?{more}", f"counterparty = ? AND (account IS NULL OR account <> ?){more}")
    first, second = (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM transactions WHERE {side} ORDER BY seq DESC LIMIT ?) AS side_{n}"  # noqa: S608
        for n, side in enumerate(sides)
    )
    found = store.rows(
        f"{first} UNION ALL {second} ORDER BY seq DESC LIMIT ?",
        (account, *values, limit, account, account, *values, limit, limit),
    )
    return [_row(row) for row in found]


_BATCH_STATUS: Final = "CASE status WHEN 'formed' THEN 'batched' ELSE 'submitted' END"


def counts_by_status(store: Store) -> dict[Status, int]:
    """Return how many transactions stand in each status that is not an end; ends would cost a look at them all."""
    found = store.rows(
        f"SELECT status, count(*) FROM transactions WHERE {LIVE} GROUP BY status "  # noqa: S608
        f"UNION ALL SELECT {_BATCH_STATUS}, sum(count) FROM batches WHERE {UNFINISHED} GROUP BY 1 "
        # Approvals travel beside the items that a batch counts.
        f"UNION ALL SELECT {_BATCH_STATUS}, (SELECT count(*) FROM transactions t "
        f"WHERE t.batch_number = number AND t.position IS NULL) FROM batches WHERE {UNFINISHED}"
    )
    counts: dict[Status, int] = {}
    for status, count in found:
        if count:
            counts[_STATUS[status]] = counts.get(_STATUS[status], 0) + int(count)
    return counts


def oldest_live_age_ms(store: Store, now_ms: int) -> int:
    """Return how long the oldest transaction waits that waits for the platform alone; 0 when none does."""
    ages = [0]
    for status in _MACHINE:
        found = store.row(
            f"SELECT accepted_at_ms FROM transactions WHERE status = ? AND {LIVE} ORDER BY seq LIMIT 1",  # noqa: S608
            (status.value,),
        )
        if found:
            ages.append(now_ms - found[0])
    (first,) = store.row(
        "SELECT min(accepted_at_ms) FROM transactions "  # noqa: S608
        f"WHERE batch_number = (SELECT min(number) FROM batches WHERE {UNFINISHED})"
    )
    return max(*ages, now_ms - first if first else 0)
