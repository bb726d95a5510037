"""What the bank said: facts about entries with their banking day, and the lines of its statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from sdt.domain.ach.exposure import RETURNABLE_DAYS_MAX, Minted
from sdt.store.database import Store
from sdt.store.standing import NOT_ENDED

__all__ = ["LineRow", "add_line", "day_of", "last_line", "lines_of", "minted_since", "note", "settled_on"]


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


def note(store: Store, entry_id: str, event: str, code: str | None, on: date, at_ms: int) -> None:
    """Keep a fact about an entry, once."""
    with store.transaction():
        store.execute(
            "INSERT INTO entry_facts (entry_id, event, code, on_day, at_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (entry_id, event) DO NOTHING",
            (entry_id, event, code, on.isoformat(), at_ms),
        )


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
