"""Dishonored returns at the sandbox bank: taken like a payment, and contested where the account number asks for it."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Final, Literal

from sdt.domain.nacha import Batch
from sdt.domain.nacha.addenda import ContestedReturn, DishonoredReturn
from sdt.domain.nacha.records import EntryDetail, is_credit
from sdt.sandbox import accounts
from sdt.sandbox.calendar import Calendar, day_of

__all__ = ["SCHEMA", "contest", "contested_entries", "dishonors_of", "fault_of", "magic_contest", "take_dishonor"]

SCHEMA: Final = """
create table if not exists dishonored(
  trace text primary key references entry(id), original text not null unique references entry(id),
  reason text not null, return_trace text not null, return_day text not null, return_reason text not null,
  settles_day text not null, contest text, contested integer, reported integer not null default 0) without rowid;
"""
MAGIC_CONTEST: Final = "99900003"
"""An account number of this and two digits: the return is late, and its bank contests the dishonored return (R73)."""


def magic_contest(number: str) -> str | None:
    """Return the code with which a dishonored return will be contested, if the account number asks for it."""
    return "R73" if number.startswith(MAGIC_CONTEST) else None


def dishonors_of(batch: Batch) -> dict[str, DishonoredReturn]:
    """Return the addenda of the dishonored returns of a batch, by the trace of their entry."""
    return {
        entry.detail.trace_number: addenda
        for entry in batch.entries
        for addenda in entry.addenda
        if isinstance(entry.detail, EntryDetail) and isinstance(addenda, DishonoredReturn)
    }


def fault_of(connection: sqlite3.Connection, batch: Batch) -> str | None:
    """Say why a bank would not take a batch's dishonored returns: not of a returned entry of this amount, or twice."""
    seen: set[str] = set()
    cents = {
        entry.detail.trace_number: entry.detail for entry in batch.entries if isinstance(entry.detail, EntryDetail)
    }
    for trace, addenda in dishonors_of(batch).items():
        original, detail = addenda.original_trace, cents[trace]
        row = connection.execute(
            "select cents, direction, return_code from entry where id = ? and status = 'returned'", (original,)
        ).fetchone()
        expected = (
            detail.cents,
            "credit" if is_credit(detail.transaction_code) else "debit",
            f"R{addenda.return_reason}",
        )
        if row is None or row != expected:
            return "dishonor_unknown"
        known = connection.execute("select 1 from dishonored where original = ?", (original,)).fetchone()
        if known or original in seen:
            return "dishonored_twice"
        seen.add(original)
    return None


def take_dishonor(
    connection: sqlite3.Connection, calendar: Calendar, detail: EntryDetail, addenda: DishonoredReturn, settles: int
) -> None:
    """Keep a dishonored return, whose entry is kept already."""
    connection.execute(
        "insert into dishonored(trace, original, reason, return_trace, return_day, return_reason, settles_day, contest)"
        " values(?, ?, ?, ?, ?, ?, ?, ?)",
        (
            detail.trace_number,
            addenda.original_trace,
            addenda.return_code,
            addenda.return_trace,
            addenda.return_settlement_day,
            addenda.return_reason,
            f"{calendar.date_of(day_of(settles)):%j}",
            magic_contest(detail.account),
        ),
    )


def contest(connection: sqlite3.Connection, trace: str, minute: int, now: float) -> None:
    """Let the other bank insist on its return: the money goes back to it."""
    direction, account, cents, reference = connection.execute(
        "select direction, account, cents, reference from entry where id = ?", (trace,)
    ).fetchone()
    flow: Literal["in", "out"] = "out" if direction == "debit" else "in"
    accounts.post(connection, account, flow, cents, kind="ach_contested", subject=trace, reference=reference, at=now)
    connection.execute("update dishonored set contested = ? where trace = ?", (minute, trace))


def contested_entries(
    connection: sqlite3.Connection, calendar: Calendar
) -> list[tuple[str, EntryDetail, ContestedReturn]]:
    """Return what was contested and not yet put out: class, entry, addenda; and note that it is put out now."""
    rows = connection.execute(
        "select d.trace, d.original, d.reason, d.return_trace, d.return_day, d.return_reason, d.settles_day, d.contest,"
        " e.cents, e.sec_code, e.reference, f.routing, f.number, f.name, f.code, o.returned, o.settled"
        " from dishonored d join entry e on e.id = d.trace join filed_entry f on f.id = d.trace"
        " join entry o on o.id = d.original where d.contested is not null and d.reported = 0 order by d.trace"
    ).fetchall()
    found = []
    for row in rows:
        trace, original, reason, return_trace, return_day, return_reason, settles_day, code = row[:8]
        cents, sec_code, reference, routing, number, name, transaction_code, returned, settled = row[8:]
        addenda = ContestedReturn(
            return_code=code,
            original_trace=original,
            returned_on=f"{_on(calendar, returned):%y%m%d}",
            original_rdfi=routing[:8],
            original_settlement_day=f"{_on(calendar, settled):%j}",
            return_trace=return_trace,
            return_settlement_day=return_day,
            return_reason=return_reason,
            dishonored_trace=trace,
            dishonored_settlement_day=settles_day,
            dishonored_reason=reason[1:],
            reserved="",
            trace_number="0" * 15,
        )
        odfi = trace[:8]
        detail = EntryDetail(transaction_code, odfi, "0", number, cents, reference, name, "  ", "1", "0" * 15)
        found.append((sec_code, detail, addenda))
    connection.executemany("update dishonored set reported = 1 where trace = ?", [(row[0],) for row in rows])
    return found


def _on(calendar: Calendar, minute: int) -> date:
    return calendar.date_of(day_of(minute))
