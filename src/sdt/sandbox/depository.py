"""The sandbox depository: vaults of one metal each, bars in by serial number, bars out by order, statements."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.sandbox import accounts, redemptions, vault_events
from sdt.sandbox.depository_messages import (
    BarAnswer,
    Held,
    HoldingAnswer,
    Intake,
    InventoryAnswer,
    Loss,
    Nothing,
    Order,
    OrderAnswer,
    Reassay,
    Silence,
    SilenceAnswer,
    Vault,
    VaultAnswer,
    VaultLine,
    VaultStatement,
)
from sdt.sandbox.fields import rfc3339, whole_number
from sdt.sandbox.service import Call, Get, Post
from sdt.sandbox.weight import fine_ng

_SCHEMA: Final = """
create table if not exists bar(
  n integer primary key, bar_id text not null unique, vault text not null references account(id),
  serial text not null, refiner text not null, form text not null, metal text not null, gross_ng integer not null,
  fineness integer not null, fine_ng integer not null, photo_digest text not null, drop_off text not null,
  account text not null, status text not null, taken_in_at real not null, tests text not null,
  unique(refiner, serial));
create index if not exists bar_vault on bar(vault, n);
"""


class Depository:
    """The service."""

    name = "depository"
    schema = accounts.SCHEMA + _SCHEMA + redemptions.SCHEMA + vault_events.SCHEMA

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def routes(self) -> Sequence[Get | Post]:
        steps = [Post(f"/v1/redemptions/{{order_id}}/{step}", Nothing, self._step(step)) for step in redemptions.STEPS]
        return (
            Post("/v1/vaults", Vault, lambda call, order: self.open_vault(call.connection, order)),
            Post("/v1/intakes", Intake, self._take_in, stalls=lambda intake: intake.serial.endswith("-408")),
            Get("/v1/bars/{bar_id}", lambda call: _bar(call.connection, call.params["bar_id"])),
            Get("/v1/vaults/{vault}/bars", _inventory),
            Get("/v1/vaults/{vault}/holding-statement", self._holding),
            Get("/v1/vaults/{vault}/statement", self._statement),
            Post("/v1/bars/{bar_id}/lost", Loss, self._lose),
            Post("/v1/bars/{bar_id}/reassay", Reassay, self._reassay),
            Post("/v1/vaults/{vault}/silence", Silence, self._fall_silent),
            Post("/v1/redemptions", Order, lambda call, order: redemptions.lock(call.connection, order, _bar)),
            *steps,
            Get("/v1/redemptions/{order_id}", _order),
        )

    def advance(self, connection: sqlite3.Connection) -> None:
        """Let slow clerks finish."""
        redemptions.advance(connection, self._clock())

    def health(self) -> dict[str, Any]:
        return {}

    def open_vault(self, connection: sqlite3.Connection, order: Vault) -> VaultAnswer:
        """Open a vault, once."""
        accounts.open_account(connection, order.vault, order.metal)
        if accounts.kind_of(connection, order.vault) != order.metal:
            raise Conflict("The vault holds another metal.", code="vault_metal")
        return VaultAnswer(order.vault, order.metal)

    def _take_in(self, call: Call, intake: Intake) -> BarAnswer:
        _check_bar(call.connection, intake)
        fine = fine_ng(intake.form, int(intake.gross_ng), intake.fineness)
        bar_id, now = f"bar_{secrets.token_hex(12)}", self._clock()
        kept = msgspec.structs.asdict(intake) | {
            "bar_id": bar_id,
            "gross_ng": int(intake.gross_ng),
            "fine_ng": fine,
            "status": "held",
            "taken_in_at": now,
            "tests": msgspec.json.encode(intake.tests).decode(),
        }
        names = ", ".join(kept)
        values = ", ".join(f":{name}" for name in kept)
        call.connection.execute(f"insert into bar({names}) values({values})", kept)
        accounts.post(
            call.connection,
            intake.vault,
            "in",
            fine,
            kind="intake",
            subject=bar_id,
            reference=intake.drop_off,
            at=now,
        )
        return _bar(call.connection, bar_id)

    def _holding(self, call: Call) -> HoldingAnswer:
        vault = call.params["vault"]
        metal = accounts.kind_of(call.connection, vault)
        vault_events.check_speaks(call.connection, vault, self._clock())
        found = accounts.lines_after(call.connection, vault, 0, 1)
        rows = call.connection.execute(
            "select bar_id, serial, refiner, fine_ng, status from bar"
            " where vault = ? and status not in ('handed_over', 'lost') order by n",
            (vault,),
        ).fetchall()
        total = sum(row[3] for row in rows)
        assert total == found.balance, "the bars and the statement lines of a vault tell the same weight"
        bars = tuple(Held(row[0], row[1], row[2], str(row[3]), row[4]) for row in rows)
        as_of = rfc3339(self._clock())
        return HoldingAnswer(vault, metal, str(total), len(bars), as_of, found.last_sequence, bars)

    def _statement(self, call: Call) -> VaultStatement:
        vault = call.params["vault"]
        after = whole_number(call.params, "after", 0, 0, 10**15 - 1)
        limit = whole_number(call.params, "limit", 500, 1, 500)
        found = accounts.lines_after(call.connection, vault, after, limit)
        return VaultStatement(
            vault=vault,
            metal=accounts.kind_of(call.connection, vault),
            balance_ng=str(found.balance),
            as_of=rfc3339(self._clock()),
            last_sequence=found.last_sequence,
            lines=tuple(_line(line) for line in found.lines),
            more=found.more,
        )

    def _step(self, step: str) -> Callable[[Call, Nothing], OrderAnswer]:
        return lambda call, _: redemptions.ask(call.connection, call.params["order_id"], step, self._clock())

    def _lose(self, call: Call, _: Loss) -> BarAnswer:
        vault_events.lose(call.connection, _bar(call.connection, call.params["bar_id"]), self._clock())
        return _bar(call.connection, call.params["bar_id"])

    def _reassay(self, call: Call, order: Reassay) -> BarAnswer:
        bar = _bar(call.connection, call.params["bar_id"])
        vault_events.reassay(call.connection, bar, order.fineness, self._clock())
        return _bar(call.connection, bar.bar_id)

    def _fall_silent(self, call: Call, order: Silence) -> SilenceAnswer:
        return vault_events.fall_silent(call.connection, call.params["vault"], order, self._clock())


def _check_bar(connection: sqlite3.Connection, intake: Intake) -> None:
    """Refuse what a clerk would send back over the counter.

    Errors: NotFound, Conflict, Unprocessable.
    """
    if accounts.kind_of(connection, intake.vault) != intake.metal:
        raise Unprocessable("The vault holds another metal.", code="vault_metal")
    if intake.refiner.upper().startswith("UNLISTED"):
        raise Unprocessable("The refiner is not accredited.", code="refiner_not_accredited")
    if len({test.method for test in intake.tests}) < len(intake.tests):
        raise Unprocessable("The three tests are by three methods.", code="tests_not_independent")
    if intake.serial.startswith("FAKE") or not all(test.passed for test in intake.tests):
        raise Unprocessable("The bar failed a test.", code="assay_failed")
    taken = "select 1 from bar where refiner = ? and serial = ?"
    if connection.execute(taken, (intake.refiner, intake.serial)).fetchone():
        raise Conflict("A bar of this refiner and serial number was taken in before.", code="bar_taken")


def _bar(connection: sqlite3.Connection, bar_id: str) -> BarAnswer:
    found = _bars(connection, "bar_id = ?", (bar_id,), 1)
    if not found:
        raise NotFound("There is no such bar.", code="bar_unknown")
    return found[0][1]


def _bars(
    connection: sqlite3.Connection, where: str, values: tuple[Any, ...], limit: int
) -> list[tuple[int, BarAnswer]]:
    found = connection.execute(f"select * from bar where {where} order by n limit ?", (*values, limit))  # noqa: S608
    names = [column[0] for column in found.description]
    bars = []
    for row in found:
        kept = dict(zip(names, row, strict=True))
        words = {"gross_ng": str(kept["gross_ng"]), "fine_ng": str(kept["fine_ng"])}
        bars.append(
            (kept["n"], msgspec.convert(kept | words | {"taken_in_at": rfc3339(kept["taken_in_at"])}, BarAnswer))
        )
    return bars


def _inventory(call: Call) -> InventoryAnswer:
    vault = call.params["vault"]
    accounts.kind_of(call.connection, vault)
    after = whole_number(call.params, "after", 0, 0, 10**15 - 1)
    limit = whole_number(call.params, "limit", 500, 1, 500)
    where = "vault = ? and n > ? and status not in ('handed_over', 'lost')"
    found = _bars(call.connection, where, (vault, after), limit + 1)
    page = found[:limit]
    return InventoryAnswer(tuple(bar for _, bar in page), page[-1][0] if len(found) > limit else None)


def _order(call: Call) -> OrderAnswer:
    return redemptions.order_of(call.connection, call.params["order_id"])


def _line(line: accounts.Line) -> VaultLine:
    return VaultLine(
        sequence=line.sequence,
        kind=line.kind,
        flow=line.flow,
        fine_ng=str(line.units),
        subject=line.subject,
        reference=line.reference,
        at=rfc3339(line.at),
    )
