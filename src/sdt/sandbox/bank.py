"""The sandbox bank: four accounts for each program, ACH entries, book transfers, statements."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from datetime import time as time_of_day
from typing import Any, Final

import msgspec

from sdt.domain.ach.calendar import EASTERN
from sdt.domain.errors import Invalid, NotFound, Unprocessable
from sdt.sandbox import accounts, ach, ach_dishonors, ach_files, currency, outage
from sdt.sandbox import calendar as banking_time
from sdt.sandbox.ach_messages import FileAnswer, FileOrder, InboundListing, Nothing
from sdt.sandbox.bank_messages import (
    Accounts,
    CalendarAnswer,
    ClockOrder,
    Entry,
    EntryOrder,
    Program,
    Statement,
    StatementLine,
    Transfer,
    TransferOrder,
)
from sdt.sandbox.calendar import Calendar, day_of
from sdt.sandbox.fields import rfc3339, whole_number
from sdt.sandbox.service import Call, Get, Post
from sdt.sandbox.store import fail_once

PREFUND_CENTS: Final = 100_000_000
ROLES: Final = ("clearing", "reserve", "operating", "blocked")

_SCHEMA: Final = """
create table if not exists transfer(
  id text primary key, source text not null, destination text not null, cents integer not null,
  reference text not null, at real not null) without rowid;
"""


class Bank:
    """The service."""

    name = "bank"
    schema = (
        accounts.SCHEMA
        + banking_time.SCHEMA
        + ach.SCHEMA
        + ach_files.SCHEMA
        + ach_dishonors.SCHEMA
        + outage.SCHEMA
        + currency.SCHEMA
        + _SCHEMA
    )

    def __init__(self, calendar: Calendar, clock: Callable[[], float] = time.time) -> None:
        self._calendar = calendar
        self._clock = clock

    def routes(self) -> Sequence[Get | Post]:
        return (
            Post("/v1/programs", Program, lambda call, order: self.open_program(call.connection, order)),
            Post("/v1/ach/entries", EntryOrder, self._originate, stalls=lambda order: _asks_for(order, "408")),
            Get("/v1/ach/entries/{entry_id}", lambda call: _entry(call.connection, call.params["entry_id"])),
            Post("/v1/book-transfers", TransferOrder, self._transfer, stalls=lambda order: _asks_for(order, "408")),
            Get("/v1/book-transfers/{transfer_id}", _transfer),
            Post(
                "/v1/currency-deposits",
                currency.CurrencyOrder,
                lambda call, order: currency.count(call.connection, order, self._clock()),
            ),
            Get(
                "/v1/currency-deposits/{deposit_id}",
                lambda call: currency.find(call.connection, call.params["deposit_id"]),
            ),
            Get("/v1/accounts/{account}/statement", self._statement),
            Post(
                "/v1/ach/files",
                FileOrder,
                self._take_file,
                stalls=lambda order: ach_files.asks_for(order, "408"),
                bytes_max=ach_files.FILE_BYTES_MAX * 3 // 2,
            ),
            Post("/v1/outage", outage.Outage, lambda call, order: outage.begin(call.connection, order, self._clock())),
            Get("/v1/ach/files/{name}", lambda call: ach_files.answer(call.connection, call.params["name"])),
            Get("/v1/ach/inbound", self._inbound),
            Get("/v1/ach/inbound/{name}", lambda call: ach_files.fetch(call.connection, call.params["name"])),
            Post(
                "/v1/ach/inbound/{name}/again",
                Nothing,
                lambda call, _: ach_files.again(call.connection, call.params["name"]),
            ),
            Get(
                "/v1/other-banks/{number}/statement",
                lambda call: ach_files.statement(call.connection, call.params["number"]),
            ),
            Get("/v1/calendar", self._calendar_now),
            Post("/v1/clock", ClockOrder, self._set_clock),
        )

    def advance(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        ach_files.advance(connection, self._calendar, now)
        self._calendar.keep(connection, now)

    def health(self) -> dict[str, Any]:
        return msgspec.to_builtins(self._calendar_now(None))  # type: ignore[no-any-return]

    def open_program(self, connection: sqlite3.Connection, order: Program) -> Accounts:
        """Open a program's accounts and put the region's prefund into clearing, once."""
        names = tuple(f"{order.program}-{role}" for role in ROLES)
        for name, role in zip(names, ROLES, strict=True):
            if accounts.open_account(connection, name, role) and role == "clearing":
                accounts.post(
                    connection,
                    name,
                    "in",
                    PREFUND_CENTS,
                    kind="prefund",
                    subject=order.program,
                    reference="prefund",
                    at=self._clock(),
                )
        return Accounts(order.program, names)

    def _originate(self, call: Call, order: EntryOrder) -> Entry:
        if _asks_for(order, "503"):
            fail_once(call.connection, call.key)
        cents = int(order.amount_cents)
        ach.check_routing(order.counterparty.routing_number)
        if accounts.kind_of(call.connection, order.account) != "clearing":
            raise Unprocessable("ACH entries move a clearing account only.", code="not_clearing")
        if order.direction == "credit":
            self._check_available(call.connection, order.account, cents)
        entry, created = f"ach_{secrets.token_hex(12)}", self._calendar.minute(self._clock())
        call.connection.execute(
            "insert into entry(id, direction, account, cents, sec_code, reference, trace_number, status, created)"
            " values(?, ?, ?, ?, ?, ?, ?, 'created', ?)",
            (entry, order.direction, order.account, cents, order.sec_code, order.reference, _trace(), created),
        )
        code = ach.magic_return(cents, order.counterparty.account_number)
        ach.schedule(call.connection, self._calendar, entry, created, code, order.counterparty.account_number)
        return _entry(call.connection, entry)

    def _take_file(self, call: Call, order: FileOrder) -> FileAnswer:
        outage.check(call.connection, self._clock())
        if ach_files.asks_for(order, "503"):
            fail_once(call.connection, call.key)
        return ach_files.take(call.connection, self._calendar, order, self._clock())

    @staticmethod
    def _inbound(call: Call) -> InboundListing:
        return ach_files.listing(call.connection, whole_number(call.params, "after", 0, 0, 10**15 - 1))

    def _transfer(self, call: Call, order: TransferOrder) -> Transfer:
        if _asks_for(order, "503"):
            fail_once(call.connection, call.key)
        cents = int(order.amount_cents)
        for account in (order.source, order.destination):
            accounts.kind_of(call.connection, account)
        if _program(order.source) != _program(order.destination) or order.source == order.destination:
            raise Unprocessable("A book transfer joins two accounts of one program.", code="not_one_program")
        self._check_available(call.connection, order.source, cents)
        transfer, now = f"book_{secrets.token_hex(12)}", self._clock()
        call.connection.execute(
            "insert into transfer values(?, ?, ?, ?, ?, ?)",
            (transfer, order.source, order.destination, cents, order.reference, now),
        )
        for account, flow in ((order.source, "out"), (order.destination, "in")):
            accounts.post(
                call.connection,
                account,
                flow,  # type: ignore[arg-type]
                cents,
                kind="book",
                subject=transfer,
                reference=order.reference,
                at=now,
            )
        return _transfer(Call(call.connection, {"transfer_id": transfer}, call.key))

    @staticmethod
    def _check_available(connection: sqlite3.Connection, account: str, cents: int) -> None:
        if accounts.balance_of(connection, account) - ach.promised_cents(connection, account) < cents:
            raise Unprocessable("The account does not hold that much.", code="insufficient_funds")

    def _statement(self, call: Call) -> Statement:
        account = call.params["account"]
        after = whole_number(call.params, "after", 0, 0, 10**15 - 1)
        limit = whole_number(call.params, "limit", 500, 1, 500)
        found, now = accounts.lines_after(call.connection, account, after, limit), self._clock()
        return Statement(
            account=account,
            balance_cents=str(max(found.balance, 0)),
            overdraft_cents=str(max(-found.balance, 0)),
            as_of=rfc3339(now),
            banking_day=self._calendar.day(now),
            last_sequence=found.last_sequence,
            lines=tuple(_line(line) for line in found.lines),
            more=found.more,
        )

    def _calendar_now(self, _: Call | None) -> CalendarAnswer:
        minute, calendar = self._calendar.minute(self._clock()), self._calendar
        moment = calendar.moment(minute)
        return CalendarAnswer(
            banking_day=day_of(minute),
            date=f"{moment:%Y-%m-%d}",
            time=f"{moment:%H:%M}",
            frozen=calendar.frozen,
            compressed=calendar.seconds_per_day != banking_time.REAL_S,
            seconds_per_banking_day=calendar.seconds_per_day,
        )

    def _set_clock(self, call: Call, order: ClockOrder) -> CalendarAnswer:
        calendar, now = self._calendar, self._clock()
        match order:
            case ClockOrder(action="freeze", date=None, time=None, days=None, seconds_per_banking_day=None):
                calendar.freeze(call.connection, now)
            case ClockOrder(action="run", date=None, time=None, days=None, seconds_per_banking_day=speed):
                calendar.run(call.connection, now, speed)
            case ClockOrder(action="set", date=str(on), days=None, seconds_per_banking_day=None):
                calendar.set(call.connection, now, _eastern(on, order.time or "00:00"))
            case ClockOrder(action="advance", date=None, time=None, days=int(days), seconds_per_banking_day=None):
                calendar.advance(call.connection, now, days)
            case _:
                raise Invalid("`set` takes date and time, `advance` days, `run` a speed, `freeze` none.", code="clock")
        self.advance(call.connection)
        return self._calendar_now(call)


def _entry(connection: sqlite3.Connection, entry: str) -> Entry:
    found = connection.execute("select * from entry where id = ?", (entry,))
    row = found.fetchone()
    if row is None:
        raise NotFound("There is no such entry.", code="entry_unknown")
    kept = dict(zip((column[0] for column in found.description), row, strict=True))
    days = {
        f"{name}_day": None if kept[name] is None else day_of(kept[name])
        for name in ("created", "filed", "settled", "window_passed", "returned")
    }
    return msgspec.convert(kept | days | {"entry_id": entry, "amount_cents": str(kept["cents"])}, Entry)


def _line(line: accounts.Line) -> StatementLine:
    return StatementLine(
        sequence=line.sequence,
        kind=line.kind,
        flow=line.flow,
        amount_cents=str(line.units),
        subject=line.subject,
        reference=line.reference,
        at=rfc3339(line.at),
    )


def _transfer(call: Call) -> Transfer:
    row = call.connection.execute(
        "select id, source, destination, cents, reference, at from transfer where id = ?",
        (call.params["transfer_id"],),
    ).fetchone()
    if row is None:
        raise NotFound("There is no such transfer.", code="transfer_unknown")
    return Transfer(
        transfer_id=row[0],
        source=row[1],
        destination=row[2],
        amount_cents=str(row[3]),
        reference=row[4],
        status="confirmed",
        confirmed_at=rfc3339(row[5]),
    )


def _eastern(on: str, at: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(on), time_of_day.fromisoformat(at), EASTERN)
    except ValueError:
        raise Invalid("There is no such date or time of day.", code="clock") from None


def _program(account: str) -> str:
    return account.rpartition("-")[0]


def _asks_for(order: EntryOrder | TransferOrder, fault: str) -> bool:
    """Say whether magic asks for a fault: by account number or reference, for any amount may occur by itself."""
    if isinstance(order, EntryOrder):
        return order.counterparty.account_number == f"9990000{fault}"
    return order.reference.endswith(f"-{fault}")


def _trace() -> str:
    return "11100002" + f"{secrets.randbelow(10**7):07d}"
