"""ACH entries: wanted, put into a file, followed to the end of their window. Payments' own status is in `banking`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

from sdt.domain.ach.entry_life import ASKED, EntryStatus
from sdt.store.banking import BankEntryRow
from sdt.store.bulk import insert_new, update_rows
from sdt.store.database import Store
from sdt.store.registry import share_accounts
from sdt.store.sanctions import UNPAYABLE
from sdt.store.tables.ach import AchEntry

__all__ = [
    "AchEntryRow",
    "Purpose",
    "Wanted",
    "asked",
    "by_trace",
    "counter",
    "due_to_pass",
    "due_to_settle",
    "entries_of_account",
    "entry",
    "in_file",
    "last_returned",
    "newest_day",
    "originated",
    "put_into_file",
    "refuse",
    "returned",
    "set_counter",
    "set_fields",
    "still_free",
    "traces_used_since",
    "waiting",
    "want",
    "wanted",
    "wanted_tokens",
]

Purpose = Literal["payment", "prenote", "micro", "reversal", "dishonor"]


class AchEntryRow(NamedTuple):
    """One entry for a file. Units: cents. Moments are written `2026-11-27 08:30`, Eastern; days `2026-11-27`."""

    id: str
    purpose: Purpose
    bank_ref: str
    account: str
    token: str
    is_credit: bool
    units: int
    sec_code: str
    same_day: bool
    reference: str
    created_at_ms: int
    stage: str = "wanted"
    status: str | None = None
    file_name: str | None = None
    batch: int | None = None
    trace: str | None = None
    effective_on: str | None = None
    follow_at: str | None = None
    settled_on: str | None = None
    returned_on: str | None = None
    return_code: str | None = None

    def anew(self, **changed: Any) -> AchEntryRow:
        """Return an entry of our own for the same account that is in no file yet, changed as told."""
        fresh = self._field_defaults | {"status": "created"}
        return self._replace(**(fresh | changed))


class Wanted(NamedTuple):
    """What building a file needs of an entry: the sealed details of the account, and the wrapped key to them."""

    id: str
    purpose: Purpose
    account: str
    is_credit: bool
    units: int
    sec_code: str
    same_day: bool
    reference: str
    details_sealed: bytes | None
    user_id: str | None
    wrapped: bytes | None
    created_at_ms: int


_COLUMNS: Final = ", ".join(AchEntryRow._fields)
_WANTED: Final = (
    "SELECT e.id, e.purpose, e.account, e.is_credit, e.units, e.sec_code, e.same_day, e.reference, b.details_sealed, "
    "b.user_id, k.wrapped, e.created_at_ms FROM ach_entries e LEFT JOIN bank_accounts b ON b.ref = e.bank_ref "
    "LEFT JOIN person_keys k ON k.user_id = b.user_id "
)


def want(store: Store, row: AchEntryRow) -> bool:
    """Ask for an entry once; return whether it is new."""
    with store.transaction():
        return bool(insert_new(store, AchEntry, AchEntryRow._fields, [row], key="id"))


_FREE: Final = (
    f"NOT EXISTS (SELECT 1 FROM users u WHERE u.account = e.account AND {UNPAYABLE}) "  # noqa: S608
    "AND NOT (e.is_credit AND (EXISTS (SELECT 1 FROM freezes f "
    "WHERE f.account = e.account AND f.token = e.token AND f.expires_at_s > ?) "
    "OR EXISTS (SELECT 1 FROM blocked_funds h WHERE h.transaction_id = e.reference AND h.ended_at_ms IS NULL)))"
)
"""Whoever is in review, or not screened as they are now, has no entry in a file; what goes out to a frozen account, or
is blocked, waits as well."""


def wanted_tokens(store: Store) -> list[str]:
    """Return the tokens for which an entry waits to be put into a file."""
    return [t for (t,) in store.rows("SELECT DISTINCT token FROM ach_entries WHERE stage = 'wanted' ORDER BY token")]


def wanted(store: Store, token: str, limit: int, now_s: int, after: tuple[int, str] = (-1, "")) -> list[Wanted]:
    """Return the entries that wait for a file and may go, the oldest first, from behind `after`, a time and an id.

    Units: now_s in unix seconds.
    """
    found = store.rows(
        f"{_WANTED} WHERE e.stage = 'wanted' AND e.token = ? AND {_FREE} "
        "AND (e.created_at_ms > ? OR (e.created_at_ms = ? AND e.id > ?)) ORDER BY e.created_at_ms, e.id LIMIT ?",
        (token, now_s, after[0], after[0], after[1], limit),
    )
    return [Wanted(*row) for row in found]


def still_free(store: Store, rows: Sequence[Wanted], now_s: int) -> list[Wanted]:
    """Return those that may go for good: nobody freezes, blocks, reviews or stops their accounts before the commit.

    Whoever does that locks the account first, as this does; what was committed before the lock was had is seen now.
    SQLite lets one write at a time, so that what `wanted` found is so still.
    """
    if not store.postgres:
        return list(rows)
    share_accounts(store, [row.account for row in rows])
    found = store.rows(
        f"SELECT e.id FROM ach_entries e WHERE {store.among('e.id')} AND e.stage = 'wanted' AND {_FREE}",  # noqa: S608
        (store.listed(row.id for row in rows), now_s),
    )
    free = {id for (id,) in found}
    return [row for row in rows if row.id in free]


def put_into_file(store: Store, name: str, placed: Sequence[tuple[int, str, str, str]]) -> None:
    """Write which file carries entries. Shape: (number of the batch, trace number, effective date, id)."""
    update_rows(
        store,
        AchEntry,
        [("in_file", name, *place) for place in placed],
        key="id",
        put=("stage", "file_name", "batch", "trace", "effective_on"),
    )


def refuse(store: Store, id: str) -> bool:
    """Take an entry out of what waits: no file will carry it. Return whether it waited."""
    taken = store.execute("UPDATE ach_entries SET stage = 'refused' WHERE id = ? AND stage = 'wanted'", (id,))
    return bool(taken.rowcount == 1)


def entry(store: Store, id: str) -> AchEntryRow | None:
    """Return an entry."""
    return _one(store, "id = ?", id)


def entries(store: Store, ids: Sequence[str]) -> dict[str, AchEntryRow]:
    """Return those of these entries that exist, by id."""
    return {row.id: row for row in _all(store, store.among("id"), store.listed(ids))}


def by_trace(store: Store, trace: str) -> AchEntryRow | None:
    """Return the entry with a trace number; the newest, should the sequence have begun anew since."""
    return _one(store, "trace = ? ORDER BY created_at_ms DESC LIMIT 1", trace)


def in_file(store: Store, name: str, after_trace: str, limit: int) -> list[AchEntryRow]:
    """Return the entries of a file in the order of their traces, a page at a time."""
    return _all(store, "file_name = ? AND trace > ? ORDER BY trace LIMIT ?", name, after_trace, limit)


def due_to_settle(store: Store, moment: str, limit: int) -> list[AchEntryRow]:
    """Return the entries whose settlement has come."""
    return _all(store, "follow_at <= ? AND settled_on IS NULL ORDER BY follow_at, trace LIMIT ?", moment, limit)


def due_to_pass(store: Store, moment: str, limit: int, after: tuple[str, str] = ("", "")) -> list[AchEntryRow]:
    """Return the entries whose return window is over by the calendar, a page at a time."""
    return _all(
        store,
        "follow_at <= ? AND settled_on IS NOT NULL AND (follow_at > ? OR (follow_at = ? AND id > ?)) "
        "ORDER BY follow_at, id LIMIT ?",
        moment,
        after[0],
        after[0],
        after[1],
        limit,
    )


def entries_of_account(store: Store, bank_ref: str, purposes: Sequence[Purpose]) -> list[AchEntryRow]:
    """Return the entries that concern one bank account, the newest first."""
    rows = _all(store, "bank_ref = ? ORDER BY created_at_ms DESC, id", bank_ref)
    return [row for row in rows if row.purpose in purposes]


def last_returned(store: Store, bank_ref: str, codes: Sequence[str]) -> str | None:
    """Return the day of the newest return of a bank account's entries with one of these codes."""
    found = store.row(
        f"SELECT max(returned_on) FROM ach_entries WHERE bank_ref = ? AND {store.among('return_code')}",  # noqa: S608
        (bank_ref, store.listed(codes)),
    )
    day: str | None = found[0]
    return day


def set_fields(store: Store, id: str, **fields: str | None) -> None:
    """Write what became known of an entry, by the names of the columns."""
    assert fields.keys() <= {"status", "effective_on", "follow_at", "settled_on", "returned_on", "return_code", "stage"}
    names = ", ".join(f"{name} = ?" for name in fields)
    changed = store.execute(
        f"UPDATE ach_entries SET {names} WHERE id = ?",  # noqa: S608 - names of columns, checked above
        (*fields.values(), id),
    ).rowcount
    assert changed == 1, f"there is no entry {id}"


def settle_batches(store: Store, name: str, settles: Sequence[tuple[int, str]]) -> None:
    """Write when the batches of a file settle, as the operator says: entries that have not yet follow it."""
    for batch, moment in settles:
        store.execute(
            "UPDATE ach_entries SET follow_at = ? WHERE file_name = ? AND batch = ? AND settled_on IS NULL "
            "AND follow_at IS NOT NULL",
            (moment, name, batch),
        )


def traces_used_since(store: Store, first: str, last: str, since_ms: int) -> bool:
    """Return whether a trace number between two was given to an entry after a time."""
    found = store.row(
        "SELECT 1 FROM ach_entries WHERE trace >= ? AND trace <= ? AND created_at_ms >= ? LIMIT 1",
        (first, last, since_ms),
    )
    return found is not None


def waiting(store: Store, limit: int) -> list[AchEntryRow]:
    """Return the entries that wait for a file, the oldest first."""
    return _all(store, "stage = 'wanted' ORDER BY created_at_ms, id LIMIT ?", limit)


def newest_day(store: Store) -> str | None:
    """Return the newest day on which an entry settled."""
    day: str | None = store.row("SELECT max(settled_on) FROM ach_entries WHERE settled_on IS NOT NULL")[0]
    return day


def asked(store: Store) -> list[BankEntryRow]:
    """Return the entries that the bank took one by one and whose outcome it still has to tell."""
    columns = ", ".join(f"b.{name}" for name in BankEntryRow._fields)
    found = store.rows(
        f"SELECT {columns} FROM bank_entries b WHERE {store.among('b.status')} "  # noqa: S608
        "AND b.external_id IS NOT NULL AND b.direction IN ('debit', 'credit') "
        "AND NOT EXISTS (SELECT 1 FROM ach_entries e WHERE e.id = b.id) ORDER BY b.id",
        (store.listed(status.value for status in ASKED),),
    )
    return [BankEntryRow(*row) for row in found]


def originated(store: Store, first_day: str) -> list[tuple[str, int]]:
    """Return how many debits of payments settled on each day from `first_day`."""
    return [
        (day, int(count))
        for day, count in store.rows(
            "SELECT settled_on, count(*) FROM ach_entries WHERE settled_on >= ? AND settled_on IS NOT NULL "
            "AND NOT is_credit AND purpose = 'payment' GROUP BY settled_on ORDER BY settled_on",
            (first_day,),
        )
    ]


def returned(store: Store, first_day: str) -> list[tuple[str, str]]:
    """Return (code, day it arrived) for each debit of a payment that came back from `first_day` on."""
    return [
        (code, day)
        for code, day in store.rows(
            "SELECT return_code, returned_on FROM ach_entries WHERE returned_on >= ? AND returned_on IS NOT NULL "
            "AND NOT is_credit AND purpose = 'payment' ORDER BY returned_on",
            (first_day,),
        )
    ]


def counter(store: Store, name: str) -> int:
    """Return a number that only grows; 0 before it was written."""
    tail = " FOR UPDATE" if store.postgres and store.database.in_transaction() else ""
    found = store.row(f"SELECT value FROM ach_counters WHERE name = ?{tail}", (name,))  # noqa: S608
    return int(found[0]) if found else 0


def set_counter(store: Store, name: str, value: int) -> None:
    """Write a number that only grows."""
    with store.transaction():
        store.execute(
            "INSERT INTO ach_counters (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


def standing(store: Store, rows: Iterable[AchEntryRow]) -> dict[str, EntryStatus]:
    """Return where entries stand, payments and others."""
    rows = list(rows)
    of_bank = dict(
        store.rows(
            f"SELECT id, status FROM bank_entries WHERE {store.among('id')}",  # noqa: S608
            (store.listed(row.id for row in rows if row.status is None),),
        )
    )
    return {row.id: EntryStatus(row.status or of_bank[row.id]) for row in rows}


def _one(store: Store, condition: str, *values: object) -> AchEntryRow | None:
    found = store.row(f"SELECT {_COLUMNS} FROM ach_entries WHERE {condition}", values)  # noqa: S608
    return _row(found) if found else None


def _all(store: Store, condition: str, *values: object) -> list[AchEntryRow]:
    found: list[Any] = store.rows(f"SELECT {_COLUMNS} FROM ach_entries WHERE {condition}", values)  # noqa: S608
    return [_row(row) for row in found]


def _row(found: Sequence[Any]) -> AchEntryRow:
    row = AchEntryRow(*found)
    return row._replace(is_credit=bool(row.is_credit), same_day=bool(row.same_day))
