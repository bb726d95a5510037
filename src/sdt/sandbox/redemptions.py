"""Orders at the sandbox depository: bars set aside, brought to the counter, handed over; or an order that breaks.

A clerk who is slow by magic (a bar whose serial ends in `-SLOW`) does a step some seconds after it was asked for:
until then the order stands where it stood. An order whose bar is lost, or weighs less than it did, is `broken`: its
other bars are free.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from sdt.domain.errors import NotFound, Unprocessable
from sdt.sandbox import accounts
from sdt.sandbox.depository_messages import BarAnswer, Order, OrderAnswer

SCHEMA: Final = """
create table if not exists redemption(
  order_id text primary key, vault text not null, account text not null, reference text not null,
  status text not null) without rowid;
create table if not exists redemption_bar(
  order_id text not null references redemption(order_id), bar_id text not null references bar(bar_id),
  primary key(order_id, bar_id)) without rowid;
create table if not exists errand(
  order_id text primary key references redemption(order_id), step text not null, due_at real not null) without rowid;
"""

SLOW_SERIAL: Final = "-SLOW"
SLOW_S: Final = 4.0
"""How long a slow clerk takes for a step: long enough for something to happen to the bar meanwhile."""

STEPS: Final = {
    "pick": ({"locked"}, "picked", "picked"),
    "hand-over": ({"picked"}, "handed_over", "handed_over"),
    "cancel": ({"locked", "picked", "broken"}, "canceled", "held"),
}
"""Step -> (order statuses it may follow, the order's new status, its bars' new status)."""

BarOf = Callable[[sqlite3.Connection, str], BarAnswer]


def lock(connection: sqlite3.Connection, order: Order, bar_of: BarOf) -> OrderAnswer:
    """Set bars aside. Errors: NotFound, Unprocessable."""
    if len(set(order.bar_ids)) < len(order.bar_ids):
        raise Unprocessable("A bar is named twice.", code="bar_twice")
    for bar_id in order.bar_ids:
        bar = bar_of(connection, bar_id)
        if bar.vault != order.vault or bar.status != "held":
            raise Unprocessable("A bar is not in this vault, or is spoken for.", code="bar_not_free")
    order_id = f"out_{secrets.token_hex(12)}"
    connection.execute(
        "insert into redemption values(?, ?, ?, ?, 'locked')",
        (order_id, order.vault, order.account, order.reference),
    )
    connection.executemany("insert into redemption_bar values(?, ?)", [(order_id, bar_id) for bar_id in order.bar_ids])
    _mark(connection, order.bar_ids, "locked")
    return order_of(connection, order_id)


def ask(connection: sqlite3.Connection, order_id: str, step: str, now: float) -> OrderAnswer:
    """Do a step, or let a slow clerk begin it. Errors: NotFound, Unprocessable."""
    order = order_of(connection, order_id)
    if order.status not in STEPS[step][0]:
        raise Unprocessable(f"An order that is {order.status} cannot do this.", code="order_status")
    if step == "cancel":
        connection.execute("delete from errand where order_id = ?", (order_id,))
    elif _is_slow(connection, order_id):
        connection.execute("insert or ignore into errand values(?, ?, ?)", (order_id, step, now + SLOW_S))
        return order
    return _do(connection, order, step, now)


def advance(connection: sqlite3.Connection, now: float) -> None:
    """Let slow clerks finish what is due."""
    due = connection.execute("select order_id, step from errand where due_at <= ? order by due_at", (now,)).fetchall()
    for order_id, step in due:
        connection.execute("delete from errand where order_id = ?", (order_id,))
        _do(connection, order_of(connection, order_id), step, now)


def break_orders(connection: sqlite3.Connection, bar_id: str) -> None:
    """A bar is not what an order took it for: the order cannot be filled, and its other bars are free again."""
    found = connection.execute(
        "select order_id from redemption join redemption_bar using (order_id)"
        " where bar_id = ? and status in ('locked', 'picked')",
        (bar_id,),
    ).fetchall()
    for (order_id,) in found:
        connection.execute("update redemption set status = 'broken' where order_id = ?", (order_id,))
        connection.execute("delete from errand where order_id = ?", (order_id,))
        _mark(connection, [bar for bar in order_of(connection, order_id).bar_ids if bar != bar_id], "held")


def order_of(connection: sqlite3.Connection, order_id: str) -> OrderAnswer:
    """Return an order as it stands. Errors: NotFound."""
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


def _do(connection: sqlite3.Connection, order: OrderAnswer, step: str, now: float) -> OrderAnswer:
    _, order_status, bar_status = STEPS[step]
    connection.execute("update redemption set status = ? where order_id = ?", (order_status, order.order_id))
    if order.status != "broken":
        _mark(connection, order.bar_ids, bar_status)
    if step == "hand-over":
        _post_out(connection, order, now)
    return order_of(connection, order.order_id)


def _post_out(connection: sqlite3.Connection, order: OrderAnswer, now: float) -> None:
    for bar_id in order.bar_ids:
        (fine,) = connection.execute("select fine_ng from bar where bar_id = ?", (bar_id,)).fetchone()
        accounts.post(
            connection, order.vault, "out", fine, kind="hand_over", subject=bar_id, reference=order.reference, at=now
        )


def _is_slow(connection: sqlite3.Connection, order_id: str) -> bool:
    return bool(
        connection.execute(
            "select 1 from redemption_bar join bar using (bar_id) where order_id = ? and serial like ?",
            (order_id, f"%{SLOW_SERIAL}"),
        ).fetchone()
    )


def _mark(connection: sqlite3.Connection, bar_ids: Sequence[str], status: str) -> None:
    connection.executemany("update bar set status = ? where bar_id = ?", [(status, bar_id) for bar_id in bar_ids])
