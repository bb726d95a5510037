"""What the bank said: facts about entries with their banking day, and the lines of its statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from sdt.domain.ach.exposure import RETURNABLE_DAYS_MAX, Minted
from sdt.store.banking import BankEntryRow
from sdt.store.database import Store
from sdt.store.standing import NOT_ENDED

__all__ = [
    "RETURN_STATED",
    "LineRow",
    "add_line",
    "day_of",
    "entry_of_return",
    "last_line",
    "last_returned",
    "lines_of",
    "minted_since",
    "note",
    "returns_stated",
    "settled_on",
]

RETURN_STATED: Final = "return_stated"
"""The fact that a statement says an entry came back; the bank itself is still to tell it of the entry."""


class LineRow(NamedTuple):
    """One line of a statement. Units: the token's smallest; at_ms in unix milliseconds."""

    account: str
    sequence: int
    kind: str
    flow: str
    units: int
    subject: str
    reference: str
    at_ms: int


_LINE: Final = ", ".join(LineRow._fields)
_ENTRY: Final = ", ".join(f"b.{name}" for name in BankEntryRow._fields)
_ONE_BY_ONE: Final = (
    "b.external_id IS NOT NULL AND b.direction IN ('debit', 'credit') "
    "AND NOT EXISTS (SELECT 1 FROM ach_entries a WHERE a.id = b.id)"
)
"""Entries that the bank took one by one, and no file carries."""


def note(store: Store, entry_id: str, event: str, code: str | None, on: date, at_ms: int) -> bool:
    """Keep a fact about an entry, once; return whether it is new."""
    with store.transaction():
        written: int = store.execute(
            "INSERT INTO entry_facts (entry_id, event, code, on_day, at_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (entry_id, event) DO NOTHING",
            (entry_id, event, code, on.isoformat(), at_ms),
        ).rowcount
    return written == 1


def day_of(store: Store, entry_id: str, event: str) -> date | None:
    """Return the banking day of a fact about an entry."""
    found = store.row("SELECT on_day FROM entry_facts WHERE entry_id = ? AND event = ?", (entry_id, event))
    return date.fromisoformat(found[0]) if found else None


def settled_on(store: Store, entry_id: str) -> date | None:
    """Return the banking day on which an entry settled."""
    return day_of(store, entry_id, "settle")


def minted_since(store: Store, token: str, today: date) -> list[Minted]:
    """Return the debits that are minted or about to be and may still be taken back, by account and day.

    Every class of entry counts as a consumer's: that asks for more cover, never for less. Some are past their last
    day by the banks' calendar, which the caller holds them against.
    """
    first = (today - timedelta(days=RETURNABLE_DAYS_MAX)).isoformat()
    found = store.rows(
        "SELECT t.account, f.on_day, sum(e.units) FROM entry_facts f "  # noqa: S608
        "JOIN bank_entries e ON e.id = f.entry_id AND e.direction = 'debit' AND e.token = ? "
        "JOIN transactions t ON t.id = e.transaction_id AND (t.status IN ('settled', 'completed') "
        "OR t.status = 'awaiting_funds' AND EXISTS ("
        "SELECT 1 FROM transactions i WHERE i.linked_id = t.id AND i.type = 'issue' "
        f"AND i.status IN ('held', 'screened', 'batched', 'submitted') AND {NOT_ENDED})) "
        "WHERE f.event = 'settle' AND f.on_day >= ? GROUP BY t.account, f.on_day ORDER BY t.account, f.on_day",
        (token, first),
    )
    return [Minted(account, int(units), date.fromisoformat(day)) for account, day, units in found]


def last_returned(store: Store, account: str, codes: Sequence[str]) -> str | None:
    """Return the day of the newest return, with one of these codes, of what the bank took of an account one by one."""
    found = store.row(
        "SELECT max(f.on_day) FROM transactions t JOIN bank_entries b ON b.transaction_id = t.id "  # noqa: S608
        "JOIN entry_facts f ON f.entry_id = b.id AND f.event = 'return' "
        f"WHERE t.account = ? AND {_ONE_BY_ONE} AND {store.among('f.code')}",
        (account, store.listed(codes)),
    )
    day: str | None = found[0]
    return day


def entry_of_return(store: Store, token: str, line: LineRow) -> BankEntryRow | None:
    """Return the entry, of those that the bank took one by one, that a line says came back.

    Known by the bank's own number of it, else by ours where that is one entry's: ACH and statements may be two houses'.
    """
    direction = "debit" if line.flow == "out" else "credit"
    for column, value in (("external_id", line.subject), ("transaction_id", line.reference)):
        found = store.rows(
            f"SELECT {_ENTRY} FROM bank_entries b WHERE b.{column} = ? AND b.token = ? AND b.direction = ? "  # noqa: S608
            f"AND b.units = ? AND {_ONE_BY_ONE} LIMIT 2",
            (value, token, direction, line.units),
        )
        if found:
            return BankEntryRow(*found[0]) if len(found) == 1 else None
    return None


def returns_stated(store: Store, first_day: date) -> list[tuple[BankEntryRow, int]]:
    """Return the entries past their window that a statement says came back since a day, and when it was read."""
    found = store.rows(
        f"SELECT {_ENTRY}, f.at_ms FROM entry_facts f JOIN bank_entries b ON b.id = f.entry_id "  # noqa: S608
        f"WHERE f.event = ? AND f.on_day >= ? AND b.status = 'window_passed' AND {_ONE_BY_ONE} "
        "ORDER BY f.at_ms, b.id",
        (RETURN_STATED, first_day.isoformat()),
    )
    return [(BankEntryRow(*row[:-1]), int(row[-1])) for row in found]


def add_line(store: Store, line: LineRow) -> bool:
    """Keep a line of a statement; return whether it is new."""
    with store.transaction():
        written: int = store.execute(
            f"INSERT INTO statement_lines ({_LINE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (account, sequence) DO NOTHING",
            tuple(line),
        ).rowcount
    return written == 1


def last_line(store: Store, account: str) -> int:
    """Return the number of the newest line that is kept of an account; 0 before the first."""
    (last,) = store.row("SELECT coalesce(max(sequence), 0) FROM statement_lines WHERE account = ?", (account,))
    return int(last)


def lines_of(store: Store, references: Sequence[str]) -> list[LineRow]:
    """Return the lines that carry these references of ours, in the order of the bank's accounts."""
    found = store.rows(
        f"SELECT {_LINE} FROM statement_lines WHERE {store.among('reference')} ORDER BY account, sequence",  # noqa: S608
        (store.listed(references),),
    )
    return [LineRow(*row) for row in found]
