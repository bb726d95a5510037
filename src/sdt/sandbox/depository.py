"""The sandbox depository: vaults of one metal each, bars in by serial number, bars out by order, statements."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.sandbox import accounts
from sdt.sandbox.depository_messages import (
    BarAnswer,
    Held,
    HoldingAnswer,
    Intake,
    InventoryAnswer,
    Nothing,
    Order,
    OrderAnswer,
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
create table if not exists redemption(
  order_id text primary key, vault text not null, account text not null, reference text not null,
  status text not null) without rowid;
create table if not exists redemption_bar(
  order_id text not null references redemption(order_id), bar_id text not null references bar(bar_id),
  primary key(order_id, bar_id)) without rowid;
"""

_STEPS: Final = {
    "pick": ({"locked"}, "picked", "picked"),
    "hand-over": ({"picked"}, "handed_over", "handed_over"),
    "cancel": ({"locked", "picked"}, "canceled", "held"),
}
"""Step -> (order statuses it may follow, the order's new status, its bars' new status)."""


class Depository:
    """The service."""

    name = "depository"
    schema = accounts.SCHEMA + _SCHEMA

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def routes(self) -> Sequence[Get | Post]:
        steps = [Post(f"/v1/redemptions/{{order_id}}/{step}", Nothing, self._step(step)) for step in _STEPS]
        return (
            Post("/v1/vaults", Vault, lambda call, order: self.open_vault(call.connection, order)),
            Post("/v1/intakes", Intake, self._take_in, stalls=lambda intake: intake.serial.endswith("-408")),
            Get("/v1/bars/{bar_id}", lambda call: _bar(call.connection, call.params["bar_id"])),
            Get("/v1/vaults/{vault}/bars", _inventory),
            Get("/v1/vaults/{vault}/holding-statement", self._holding),
            Get("/v1/vaults/{vault}/statement", self._statement),
            Post("/v1/redemptions", Order, _lock),
            *steps,
            Get("/v1/redemptions/{order_id}", lambda call: _order(call.connection, call.params["order_id"])),
        )

    def advance(self, connection: sqlite3.Connection) -> None:
        """Nothing is ever due."""

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
        found = accounts.lines_after(call.connection, vault, 0, 1)
        rows = call.connection.execute(
            "select bar_id, serial, refiner, fine_ng, status from bar where vault = ? and status != 'handed_over'"
            " order by n",
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
        after, order_status, bar_status = _STEPS[step]

        def handle(call: Call, _: Nothing) -> OrderAnswer:
            order = _order(call.connection, call.params["order_id"])
            if order.status not in after:
                raise Unprocessable(f"An order that is {order.status} cannot do this.", code="order_status")
            call.connection.execute(
                "update redemption set status = ? where order_id = ?", (order_status, order.order_id)
            )
            _mark(call.connection, order.bar_ids, bar_status)
            if step == "hand-over":
                self._post_out(call.connection, order)
            return _order(call.connection, order.order_id)

        return handle

    def _post_out(self, connection: sqlite3.Connection, order: OrderAnswer) -> None:
        for bar_id in order.bar_ids:
            accounts.post(
                connection,
                order.vault,
                "out",
                int(_bar(connection, bar_id).fine_ng),
                kind="hand_over",
                subject=bar_id,
                reference=order.reference,
                at=self._clock(),
            )


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
    where = "vault = ? and n > ? and status != 'handed_over'"
    found = _bars(call.connection, where, (vault, after), limit + 1)
    page = found[:limit]
    return InventoryAnswer(tuple(bar for _, bar in page), page[-1][0] if len(found) > limit else None)


def _lock(call: Call, order: Order) -> OrderAnswer:
    if len(set(order.bar_ids)) < len(order.bar_ids):
        raise Unprocessable("A bar is named twice.", code="bar_twice")
    for bar_id in order.bar_ids:
        bar = _bar(call.connection, bar_id)
        if bar.vault != order.vault or bar.status != "held":
            raise Unprocessable("A bar is not in this vault, or is spoken for.", code="bar_not_free")
    order_id = f"out_{secrets.token_hex(12)}"
    call.connection.execute(
        "insert into redemption values(?, ?, ?, ?, 'locked')",
        (order_id, order.vault, order.account, order.reference),
    )
    call.connection.executemany(
        "insert into redemption_bar values(?, ?)", [(order_id, bar_id) for bar_id in order.bar_ids]
    )
    _mark(call.connection, order.bar_ids, "locked")
    return _order(call.connection, order_id)


def _order(connection: sqlite3.Connection, order_id: str) -> OrderAnswer:
    row = connection.execute(
        "select vault, account, reference, status from redemption where order_id = ?", (order_id,)
    ).fetchone()
    if row is None:
        raise NotFound("There is no such order.", code="order_unknown")
    bars = connection.execute(
        "select bar_id, fine_ng from redemption_bar join bar using (bar_id) where order_id = ? order by n",
        (order_id,),
    ).fetchall()
    vault, account, reference, status = row
    return OrderAnswer(
        order_id=order_id,
        vault=vault,
        metal=accounts.kind_of(connection, vault),
        bar_ids=tuple(bar[0] for bar in bars),
        fine_ng=str(sum(bar[1] for bar in bars)),
        account=account,
        reference=reference,
        status=status,
    )


def _mark(connection: sqlite3.Connection, bar_ids: Sequence[str], status: str) -> None:
    connection.executemany("update bar set status = ? where bar_id = ?", [(status, bar_id) for bar_id in bar_ids])


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
