"""The life of an ACH entry at the sandbox bank: what happens to it on which banking day, and what magic changes.

created -> filed (six hours later) -> settled (08:30 Eastern of the next banking day) -> window_passed (08:30 of the
second banking day after settlement). A return takes back what settlement moved: on the morning after settlement, or 45
calendar days after it for the codes a consumer has 60 calendar days for.
Source: Nacha Operating Rules, Subsection 3.8 (returns) and Appendix Four (return reason codes).
"""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Final, Literal

from sdt.domain.errors import Unprocessable
from sdt.domain.personal import check_routing as is_routing
from sdt.sandbox import accounts, ach_dishonors
from sdt.sandbox.calendar import Calendar, day_of, opening

SCHEMA: Final = """
create table if not exists entry(
  id text primary key, direction text not null, account text not null references account(id), cents integer not null,
  sec_code text not null, reference text not null, trace_number text not null, status text not null, return_code text,
  created integer not null, filed integer, settled integer, window_passed integer, returned integer) without rowid;
create table if not exists due(
  minute integer not null, n integer primary key, entry text not null references entry(id), event text not null);
create index if not exists due_minute on due(minute, n);
"""

WINDOW_DAYS: Final = 2
LATE_DAYS: Final = 45
FILED_AFTER: Final = 6 * 60
RETURNS_AT: Final = 6 * 60
"""Minutes after midnight, Eastern: the morning's returns are out before the bank opens."""
OPENS_AT: Final = 8 * 60 + 30
LATE_CODES: Final = frozenset({"R05", "R07", "R10", "R11"})
CODES: Final = LATE_CODES | {"R01", "R02", "R03", "R04", "R08", "R09", "R16", "R20", "R23", "R29"}
MAGIC_ACCOUNT: Final = "99900000"
"""An account number of this and two digits NN returns with code RNN."""


MAGIC_CHANGE: Final = "99900001"
"""An account number of this and two digits NN is corrected with code CNN."""
MAGIC_LATE: Final = ("99900002", "99900003")
"""An account number of one of these and two digits NN returns with code RNN after its time: on the fourth morning."""
LATE_BANKING_DAYS: Final = 4
CONTESTS_AFTER_DAYS: Final = 1
"""Banking days from the settlement of a dishonored return to the morning on which it is contested."""
CHANGES: Final = frozenset({"C01", "C02", "C03", "C04", "C05", "C06", "C07"})


def magic_return(cents: int, number: str) -> str | None:
    """Return the code with which an entry will come back, if its amount or account asks for one."""
    code = f"R{number[len(MAGIC_ACCOUNT) :]}" if number.startswith((MAGIC_ACCOUNT, *MAGIC_LATE)) else ""
    if code in CODES and not (number.startswith(MAGIC_LATE) and code in LATE_CODES):
        return code
    return "R01" if cents % 1000 == 420 else None


def schedule(
    connection: sqlite3.Connection, calendar: Calendar, entry: str, created: int, return_code: str | None, number: str
) -> None:
    """Write down everything that will happen to an entry."""
    filed = created + FILED_AFTER
    settled_day = day_of(filed) + 1
    events = [
        (filed, "filed"),
        (opening(settled_day) + OPENS_AT, "settled"),
        (opening(settled_day + WINDOW_DAYS) + OPENS_AT, "window_passed"),
    ]
    if return_code:
        events.append((return_minute(calendar, settled_day, return_code, number), f"returned {return_code}"))
    connection.executemany(
        "insert into due(minute, entry, event) values(?, ?, ?)",
        [(minute, entry, event) for minute, event in sorted(events)],
    )


def return_minute(calendar: Calendar, settled_day: int, code: str, number: str) -> int:
    """Return when an entry comes back that settled on a banking day: the next morning, on day 45, or too late."""
    if number.startswith(MAGIC_LATE):
        return opening(settled_day + LATE_BANKING_DAYS) + RETURNS_AT
    if code not in LATE_CODES:
        return opening(settled_day + 1) + RETURNS_AT
    return opening(calendar.day_on(calendar.date_of(settled_day) + timedelta(days=LATE_DAYS))) + RETURNS_AT


def magic_change(number: str) -> str | None:
    """Return the code of the change that the other bank will notify, if the account number asks for one."""
    code = f"C{number[len(MAGIC_CHANGE) :]}" if number.startswith(MAGIC_CHANGE) else ""
    return code if code in CHANGES else None


def advance_to(connection: sqlite3.Connection, minute: int, now: float) -> None:
    """Let everything happen that is due by a minute, in order."""
    due = connection.execute(
        "select n, minute, entry, event from due where minute <= ? order by minute, n", (minute,)
    ).fetchall()
    for n, at_minute, entry, event in due:
        connection.execute("delete from due where n = ?", (n,))
        _happen(connection, entry, event, at_minute, now)


def _happen(connection: sqlite3.Connection, entry: str, event: str, minute: int, now: float) -> None:
    direction, account, cents, reference, status = connection.execute(
        "select direction, account, cents, reference, status from entry where id = ?", (entry,)
    ).fetchone()
    name, _, code = event.partition(" ")
    if name == "contested":
        ach_dishonors.contest(connection, entry, minute, now)
        return
    if status == "returned":
        return  # What was still to come does not come any more.
    connection.execute(
        f"update entry set status = ?, {name} = ?, return_code = ? where id = ?",  # noqa: S608 - a name of this file
        (name, minute, code or None, entry),
    )
    into: Literal["in", "out"] = "in" if direction == "debit" else "out"
    back: Literal["in", "out"] = "out" if direction == "debit" else "in"
    by_batch = connection.execute("select 1 from filed_entry where id = ?", (entry,)).fetchone()
    if name == "settled" and not by_batch:
        accounts.post(
            connection, account, into, cents, kind=f"ach_{direction}", subject=entry, reference=reference, at=now
        )
    elif name == "returned" and cents:
        accounts.post(connection, account, back, cents, kind="ach_return", subject=entry, reference=reference, at=now)


def promised_cents(connection: sqlite3.Connection, account: str) -> int:
    """Return what credits not yet settled will still take from an account."""
    cents: int = connection.execute(
        "select coalesce(sum(cents), 0) from entry"
        " where account = ? and direction = 'credit' and status in ('created', 'filed')",
        (account,),
    ).fetchone()[0]
    return cents


def check_routing(routing: str) -> None:
    """Refuse what is no routing number. Errors: Unprocessable."""
    if not is_routing(routing):
        raise Unprocessable("The routing number's check digit is wrong.", code="routing_number")
