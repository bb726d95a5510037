"""ACH files at the sandbox bank: taken in and judged whole, settled by batch, their outcome told in files.

A file that contradicts itself is rejected by name of the fault. One that is taken is acknowledged by a file, and each
morning on which one of its entries may still come back, a file of returns is put out, be it empty.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final, Literal

import msgspec

from sdt.domain.ach.calendar import EASTERN, settlement_of
from sdt.domain.errors import Conflict, Invalid, NotFound
from sdt.domain.nacha import BadRecord, Batch, faults_of, read_file
from sdt.domain.nacha.addenda import DishonoredReturn
from sdt.domain.nacha.records import EntryDetail, is_credit
from sdt.sandbox import accounts, ach, ach_dishonors
from sdt.sandbox.ach_messages import (
    FileAnswer,
    FileOrder,
    InboundFile,
    InboundListing,
    Listed,
    OtherLine,
    OtherStatement,
)
from sdt.sandbox.ach_mornings import put_out, put_out_morning
from sdt.sandbox.calendar import Calendar, day_of, opening

SCHEMA: Final = """
create table if not exists ach_file(
  name text primary key, sha256 text not null, state text not null, code text, received integer not null) without rowid;
create table if not exists ach_batch(
  n integer primary key, minute integer not null, account text not null, flow text not null, cents integer not null,
  kind text not null, subject text not null, file text not null);
create index if not exists ach_batch_minute on ach_batch(minute);
create table if not exists filed_entry(
  id text primary key references entry(id), file text not null, routing text not null, number text not null,
  name text not null, code text not null, noc text, description text not null,
  reported integer not null default 0) without rowid;
create index if not exists filed_entry_number on filed_entry(number);
create index if not exists filed_entry_noc on filed_entry(id) where noc is not null and reported = 0;
create index if not exists entry_returned on entry(id) where status = 'returned';
create table if not exists morning(day integer primary key);
create table if not exists inbound(
  sequence integer primary key, name text not null unique, sha256 text not null, content blob not null);
create table if not exists outbound_trace(one integer primary key check (one = 1), next integer not null);
"""
FILE_BYTES_MAX: Final = 32 * 1024 * 1024
PAGE: Final = 100


def take(connection: sqlite3.Connection, calendar: Calendar, order: FileOrder, now: float) -> FileAnswer:
    """Take a file in, judge it, and acknowledge it.

    Errors: Invalid for content that is not what its digest says; Conflict for a name used with another file.
    """
    data = _content(order)
    digest = hashlib.sha256(data).hexdigest()
    if digest != order.sha256:
        raise Invalid("The content has another digest.", code="ach_digest")
    known = connection.execute("select sha256 from ach_file where name = ?", (order.name,)).fetchone()
    if known is not None:
        if known[0] != digest:
            raise Conflict("Another file came under this name.", code="ach_file_name")
        return answer(connection, order.name)
    minute = calendar.minute(now)
    code, settlements = _judged(connection, calendar, order.name, data, minute)
    connection.execute(
        "insert into ach_file values(?, ?, ?, ?, ?)",
        (order.name, digest, "rejected" if code else "accepted", code, minute),
    )
    acknowledgement = {
        "file": order.name,
        "sha256": digest,
        "state": "rejected" if code else "accepted",
        "code": code,
        "batches": settlements,
    }
    put_out(connection, f"ack-{order.name}.json", msgspec.json.encode(acknowledgement))
    return answer(connection, order.name)


def answer(connection: sqlite3.Connection, name: str) -> FileAnswer:
    """Return how a file stands. Errors: NotFound."""
    row = connection.execute("select name, sha256, state, code from ach_file where name = ?", (name,)).fetchone()
    if row is None:
        raise NotFound("There is no such file.", code="ach_file_unknown")
    return FileAnswer(*row)


def _content(order: FileOrder) -> bytes:
    try:
        return base64.b64decode(order.content, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("The content is not base64.", code="ach_content") from None


def _judged(
    connection: sqlite3.Connection, calendar: Calendar, name: str, data: bytes, minute: int
) -> tuple[str | None, list[dict[str, object]]]:
    """Return why a file is rejected, or when its batches settle; a file that is taken is scheduled."""
    if connection.execute("select 1 from ach_file where sha256 = ?", (hashlib.sha256(data).hexdigest(),)).fetchone():
        return "duplicate_file", []
    try:
        file = read_file(data)
    except BadRecord:
        return "not_well_formed", []
    if faults_of(file):
        return "totals", []
    if not file.batches:
        return "empty", []
    moved: dict[str, int] = {}
    for batch in file.batches:
        account = _account(connection, batch)
        if account is None:
            return "settlement_account", []
        if batch.header.sec_code not in ("PPD", "CCD", "WEB", "TEL"):
            return "class_not_originated", []
        if fault := ach_dishonors.fault_of(connection, batch):
            return fault, []
        credits = sum(detail.cents for detail in _payments(batch) if is_credit(detail.transaction_code))
        moved[account] = moved.get(account, 0) + credits
    for account, cents in moved.items():
        if accounts.balance_of(connection, account) - ach.promised_cents(connection, account) < cents:
            return "insufficient_funds", []
    traces = [detail.trace_number for batch in file.batches for detail in _payments(batch)]
    if len(set(traces)) != len(traces) or _any_known(connection, traces):
        return "duplicate_trace", []
    return None, [_schedule(connection, calendar, name, batch, minute) for batch in file.batches]


def _any_known(connection: sqlite3.Connection, traces: list[str]) -> bool:
    return any(connection.execute("select 1 from entry where id = ?", (trace,)).fetchone() for trace in traces)


def _payments(batch: Batch) -> list[EntryDetail]:
    """Return the entries of a batch but those that balance it."""
    return [
        entry.detail
        for entry in batch.entries
        if isinstance(entry.detail, EntryDetail) and entry.detail.individual_id != "OFFSET"
    ]


def _account(connection: sqlite3.Connection, batch: Batch) -> str | None:
    """Return the clearing account a batch is settled against: that of its offset, else the one its header names."""
    offsets = {
        entry.detail.account
        for entry in batch.entries
        if isinstance(entry.detail, EntryDetail) and entry.detail.individual_id == "OFFSET"
    }
    named = getattr(batch.header, "company_data", "")
    account: str = offsets.pop() if len(offsets) == 1 else named
    row = connection.execute("select kind from account where id = ?", (account,)).fetchone()
    return account if row and row[0] == "clearing" and not offsets else None


def _schedule(
    connection: sqlite3.Connection, calendar: Calendar, name: str, batch: Batch, minute: int
) -> dict[str, object]:
    account = _account(connection, batch)
    assert account is not None
    details = _payments(batch)
    settlement = settlement_of(
        calendar.moment(minute),
        _effective(str(batch.header.effective_on), calendar.moment(minute).date()),
        credit=all(is_credit(detail.transaction_code) for detail in details),
        cents=max((detail.cents for detail in details), default=0),
    )
    settles = max(calendar.minute_at(settlement.at), minute)
    number = f"{name}.{batch.header.batch_number}"
    for credit, kind, flow in ((False, "ach_debit_batch", "in"), (True, "ach_credit_batch", "out")):
        cents = sum(detail.cents for detail in details if is_credit(detail.transaction_code) is credit)
        if cents:
            connection.execute(
                "insert into ach_batch(minute, account, flow, cents, kind, subject, file) values(?, ?, ?, ?, ?, ?, ?)",
                (settles, account, flow, cents, kind, number, name),
            )
    described = str(batch.header.description)
    sec_code = str(batch.header.sec_code)
    dishonors = ach_dishonors.dishonors_of(batch)
    _schedule_entries(connection, calendar, name, sec_code, described, account, details, dishonors, minute, settles)
    for detail in details:
        if detail.trace_number in dishonors:
            ach_dishonors.take_dishonor(connection, calendar, detail, dishonors[detail.trace_number], settles)
    return {"batch": batch.header.batch_number, "settles": f"{calendar.moment(settles):%Y-%m-%d %H:%M}"}


def _schedule_entries(
    connection: sqlite3.Connection,
    calendar: Calendar,
    name: str,
    sec_code: str,
    description: str,
    account: str,
    details: list[EntryDetail],
    dishonors: Mapping[str, DishonoredReturn],
    minute: int,
    settles: int,
) -> None:
    entries, due, filed, mornings = [], [], [], {day_of(settles) + 1, day_of(settles) + ach.WINDOW_DAYS}
    for detail in details:
        trace, credit = detail.trace_number, is_credit(detail.transaction_code)
        direction = "credit" if credit else "debit"
        entries.append(
            (trace, direction, account, detail.cents, sec_code, detail.individual_id, trace, "filed", minute, minute)
        )
        code = None if trace in dishonors else ach.magic_return(detail.cents, detail.account)
        due.append((settles, trace, "settled"))
        due.append((opening(day_of(settles) + ach.WINDOW_DAYS) + ach.OPENS_AT, trace, "window_passed"))
        if code and (credit is False or code not in ach.LATE_CODES):
            at = ach.return_minute(calendar, day_of(settles), code, detail.account)
            due.append((at, trace, f"returned {code}"))
            mornings.add(day_of(at))
        if trace in dishonors and ach_dishonors.magic_contest(detail.account):
            morning = day_of(settles) + ach.CONTESTS_AFTER_DAYS
            due.append((opening(morning) + ach.RETURNS_AT, trace, "contested"))
        kept = (trace, name, detail.rdfi + detail.check_digit, detail.account, detail.name, detail.transaction_code)
        changed = None if trace in dishonors else ach.magic_change(detail.account)
        filed.append((*kept, changed, description))
    connection.executemany(
        "insert into entry(id, direction, account, cents, sec_code, reference, trace_number, status, created, filed)"
        " values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        entries,
    )
    connection.executemany("insert into filed_entry values(?, ?, ?, ?, ?, ?, ?, ?, 0)", filed)
    connection.executemany("insert into due(minute, entry, event) values(?, ?, ?)", sorted(due))
    connection.executemany("insert or ignore into morning values(?)", [(day,) for day in mornings])


def _effective(text: str, today: date) -> date | None:
    """Read YYMMDD as the date nearest to today; None for one that is none."""
    for century in (today.year // 100, today.year // 100 + 1, today.year // 100 - 1):
        try:
            on = datetime.strptime(f"{century:02d}{text}", "%Y%m%d").replace(tzinfo=EASTERN).date()
        except ValueError:
            continue
        if abs(on - today) < timedelta(days=366 * 50):
            return on
    return None


def advance(connection: sqlite3.Connection, calendar: Calendar, now: float) -> None:
    """Let everything of files happen that is due: mornings first, each after what was due before it."""
    minute = calendar.minute(now)
    mornings = connection.execute("select day from morning order by day").fetchall()
    for (day,) in mornings:
        at = opening(day) + ach.RETURNS_AT
        if at > minute:
            break
        _until(connection, at, now)
        put_out_morning(connection, calendar, day)
        connection.execute("delete from morning where day = ?", (day,))
    _until(connection, minute, now)


def _until(connection: sqlite3.Connection, minute: int, now: float) -> None:
    for n, account, flow, cents, kind, subject, file in connection.execute(
        "select n, account, flow, cents, kind, subject, file from ach_batch where minute <= ? order by minute, n",
        (minute,),
    ).fetchall():
        accounts.post(connection, account, flow, cents, kind=kind, subject=subject, reference=file, at=now)
        connection.execute("delete from ach_batch where n = ?", (n,))
    ach.advance_to(connection, minute, now)


def listing(connection: sqlite3.Connection, after: int) -> InboundListing:
    """Return the files put out after a number."""
    rows = connection.execute(
        "select sequence, name from inbound where sequence > ? order by sequence limit ?", (after, PAGE)
    ).fetchall()
    return InboundListing(tuple(Listed(*row) for row in rows))


def fetch(connection: sqlite3.Connection, name: str) -> InboundFile:
    """Return a file put out. Errors: NotFound."""
    row = connection.execute("select name, sha256, content from inbound where name = ?", (name,)).fetchone()
    if row is None:
        raise NotFound("There is no such file.", code="ach_file_unknown")
    return InboundFile(row[0], row[1], base64.b64encode(row[2]).decode())


def statement(connection: sqlite3.Connection, number: str) -> OtherStatement:
    """Return what the statement of an account at another bank shows of our entries."""
    rows = connection.execute(
        "select e.settled, e.direction, e.cents, f.description, e.status, e.return_code from filed_entry f"
        " join entry e on e.id = f.id where f.number = ? and e.settled is not null order by e.settled, e.id",
        (number,),
    ).fetchall()
    lines = tuple(
        OtherLine("in" if direction == "credit" else "out", str(cents), description, status == "returned")
        for _, direction, cents, description, status, _ in rows
    )
    return OtherStatement(lines)


def again(connection: sqlite3.Connection, name: str) -> InboundFile:
    """Put a file out a second time, under another name. Errors: NotFound."""
    row = connection.execute("select content from inbound where name = ?", (name,)).fetchone()
    if row is None:
        raise NotFound("There is no such file.", code="ach_file_unknown")
    count = connection.execute("select count(*) from inbound").fetchone()[0]
    stem, _, extension = name.rpartition(".")
    put_out(connection, f"{stem}-again-{count}.{extension}", row[0])
    return fetch(connection, f"{stem}-again-{count}.{extension}")


Magic = Literal["408", "503"]


def asks_for(order: FileOrder, fault: Magic) -> bool:
    """Say whether an entry of the file has the account number that asks for a fault on the way."""
    try:
        return f"9990000{fault}".encode() in _content(order)
    except Invalid:
        return False
