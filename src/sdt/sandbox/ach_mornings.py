"""The morning's files of the sandbox bank: returns, and notifications of change, as the other banks sent them."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from typing import Final

from sdt.domain.nacha.addenda import Addenda98, Addenda99, ContestedReturn
from sdt.domain.nacha.controls import block_count, check_digit, totals_of
from sdt.domain.nacha.file import BLOCK_LINES, Batch, Entry, NachaFile
from sdt.domain.nacha.records import BatchControl, BatchHeader, EntryDetail, FileControl, FileHeader, is_credit
from sdt.sandbox.ach_dishonors import contested_entries
from sdt.sandbox.calendar import Calendar

__all__ = ["put_out", "put_out_morning"]

OPERATOR: Final = "02100002"
"""Whose traces returns carry: all of them come through one operator here."""
Row = tuple[str, int, str, str, str, str, str, str, str | None]


def put_out(connection: sqlite3.Connection, name: str, data: bytes) -> None:
    """Put a file out for the originator."""
    connection.execute(
        "insert into inbound(name, sha256, content) values(?, ?, ?)", (name, hashlib.sha256(data).hexdigest(), data)
    )


def put_out_morning(connection: sqlite3.Connection, calendar: Calendar, day: int) -> None:
    """Put out what came back that morning, be it nothing, and the changes that other banks notified."""
    on = calendar.date_of(day)
    columns = "f.id, e.cents, f.routing, f.number, f.name, f.code, e.sec_code, e.reference"
    returned = connection.execute(
        f"select {columns}, e.return_code from filed_entry f join entry e on e.id = f.id"  # noqa: S608
        " where e.status = 'returned' and f.reported < 2 order by f.id"
    ).fetchall()
    changed = connection.execute(
        f"select {columns}, f.noc from filed_entry f join entry e on e.id = f.id"  # noqa: S608
        " where f.noc is not null and e.status <> 'filed' and f.reported = 0 order by f.id"
    ).fetchall()
    stamp = f"{on:%Y-%m-%d}"
    items = [_return(row) for row in returned]
    for sec_code, detail, addenda in contested_entries(connection, calendar):
        back = replace(detail, check_digit=check_digit(detail.rdfi))
        items.append((sec_code, Entry(back, (addenda,))))
    put_out(connection, f"returns-{stamp}.ach", _file(connection, stamp, items, ""))
    connection.executemany("update filed_entry set reported = 2 where id = ?", [(row[0],) for row in returned])
    if changed:
        put_out(connection, f"noc-{stamp}.ach", _file(connection, stamp, [_change(row) for row in changed], "COR"))
        connection.executemany(
            "update filed_entry set reported = max(reported, 1) where id = ?", [(row[0],) for row in changed]
        )


def _return(row: Row) -> tuple[str, Entry]:
    trace, cents, routing, number, name, code, sec_code, reference, return_code = row
    assert return_code is not None
    addenda = Addenda99(return_code, trace, "      ", routing[:8], "", "0" * 15)
    return sec_code, Entry(_detail(trace, cents, number, name, code, reference), (addenda,))


def _change(row: Row) -> tuple[str, Entry]:
    trace, _, routing, number, name, code, _, reference, noc = row
    assert noc is not None
    corrected = {
        "C01": f"1{number[1:]}",
        "C02": "021000021",
        "C03": f"021000021   1{number[1:]}",
        "C04": f"{name} JR"[:22],
        "C05": "37" if not is_credit(code) else "32",
        "C06": f"{'1' + number[1:]:17}   {'37' if not is_credit(code) else '32'}",
        "C07": f"021000021{'1' + number[1:]:17}{'37' if not is_credit(code) else '32'}",
    }[noc]
    addenda = Addenda98(noc, trace, "", routing[:8], corrected, "", "0" * 15)
    return "COR", Entry(_detail(trace, 0, number, name, code, reference), (addenda,))


def _detail(trace: str, cents: int, number: str, name: str, code: str, reference: str) -> EntryDetail:
    """Return the entry as it comes back: to the bank that sent it, with the code of a return (21, 26, 31, 36)."""
    back = code[0] + ("1" if is_credit(code) else "6")
    rdfi = trace[:8]
    return EntryDetail(back, rdfi, check_digit(rdfi), number, cents, reference, name, "  ", "1", "0" * 15)


def _file(connection: sqlite3.Connection, stamp: str, items: list[tuple[str, Entry]], only: str) -> bytes:
    by_class: dict[str, list[Entry]] = {}
    for sec_code, entry in items:
        by_class.setdefault(only or sec_code, []).append(_numbered(connection, entry))
    batches = tuple(_batch(n, sec_code, entries, stamp) for n, (sec_code, entries) in enumerate(by_class.items(), 1))
    totals = [totals_of(batch.entries) for batch in batches]
    count, hash_, debit, credit = (sum(column) for column in zip(*totals, strict=True)) if totals else (0, 0, 0, 0)
    lines = 2 + sum(2 + batch.control.entry_addenda_count for batch in batches)
    yymmdd = stamp[2:].replace("-", "")
    header = FileHeader(
        "01", f" {OPERATOR}1", f" {OPERATOR}1", yymmdd, "0600", "A", "094", "10", "1", "ORIGINATOR", "OPERATOR", ""
    )
    control = FileControl(len(batches), block_count(lines), count, hash_ % 10**10, debit, credit, "")
    return NachaFile(header, batches, control, -lines % BLOCK_LINES).data()


def _numbered(connection: sqlite3.Connection, entry: Entry) -> Entry:
    n = connection.execute(
        "insert into outbound_trace values(1, 2) on conflict(one) do update set next = next + 1 returning next - 1"
    ).fetchone()[0]
    trace = f"{OPERATOR}{n % 10**7:07d}"
    detail = entry.detail
    assert isinstance(detail, EntryDetail)
    [addenda] = entry.addenda
    assert isinstance(addenda, Addenda98 | Addenda99 | ContestedReturn)
    return Entry(replace(detail, trace_number=trace), (replace(addenda, trace_number=trace),))


def _batch(number: int, sec_code: str, entries: list[Entry], stamp: str) -> Batch:
    yymmdd = stamp[2:].replace("-", "")
    header = BatchHeader(
        "200", "RETURNS", "", "1234567890", sec_code, "RETURN", "", yymmdd, "   ", "1", OPERATOR, number
    )
    control = BatchControl("200", *totals_of(tuple(entries)), "1234567890", "", "", OPERATOR, number)
    return Batch(header, tuple(entries), control)
