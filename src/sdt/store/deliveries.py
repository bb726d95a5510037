"""Redemptions in kind as stored: wanted with the hold of the tokens, then step by step to the counter and out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from sdt.domain.delivery import DeliveryEvent, DeliveryStatus, follow
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.tables.deliveries import OPEN_DELIVERY
from sdt.store.tables.deliveries import Delivery as DeliveryTable

__all__ = ["DeliveryRow", "delivery", "opened", "put", "read_line", "step", "vault_read"]


class DeliveryRow(NamedTuple):
    """One delivery. Units: the token's smallest. Shape: `bars` a JSON list of the depository's bar ids."""

    transaction_id: str
    token: str
    account: str
    units: int
    destination: str
    status: DeliveryStatus
    attempt: int
    bars: str
    order_id: str | None
    updated_at_ms: int

    @property
    def bar_ids(self) -> tuple[str, ...]:
        """The bars chosen."""
        return tuple(json.loads(self.bars))

    @property
    def key(self) -> str:
        """Under which this attempt's orders go to the depository: the same however often they are repeated."""
        return f"{self.transaction_id}:{self.attempt}"


_COLUMNS: Final = ", ".join(DeliveryRow._fields)


def put(
    store: Store, transaction_id: str, token: str, account: str, units: int, destination: str, *, at_ms: int
) -> None:
    """Note that metal is wanted, once."""
    row = DeliveryRow(transaction_id, token, account, units, destination, DeliveryStatus.WANTED, 1, "[]", None, at_ms)
    with store.transaction():
        insert_new(store, DeliveryTable, DeliveryRow._fields, [row], key="transaction_id")


def delivery(store: Store, transaction_id: str) -> DeliveryRow | None:
    """Return the delivery of a redemption."""
    found = store.row(f"SELECT {_COLUMNS} FROM deliveries WHERE transaction_id = ?", (transaction_id,))  # noqa: S608
    return _row(found) if found else None


def opened(store: Store, limit: int) -> list[DeliveryRow]:
    """Return deliveries that something is still to be done for, the longest untouched first."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM deliveries WHERE {OPEN_DELIVERY} ORDER BY updated_at_ms LIMIT ?",  # noqa: S608
        (limit,),
    )
    return [_row(row) for row in found]


def step(
    store: Store,
    row: DeliveryRow,
    event: DeliveryEvent,
    *,
    at_ms: int,
    bars: Sequence[str] | None = None,
    order_id: str | None = None,
) -> None:
    """Write what happened to a delivery as it was read; a chosen set of bars begins an attempt of its own.

    Whoever acts on a delivery is the one worker that does; another's change meanwhile is a bug (AssertionError).
    """
    following = follow(row.status, event)
    again = event is DeliveryEvent.CHOOSE and row.bars != "[]"
    with store.transaction():
        changed = store.execute(
            "UPDATE deliveries SET status = ?, attempt = ?, bars = ?, order_id = ?, updated_at_ms = ? "
            "WHERE transaction_id = ? AND status = ?",
            (
                following.value,
                row.attempt + 1 if again else row.attempt,
                row.bars if bars is None else json.dumps(list(bars)),
                order_id if event in (DeliveryEvent.LOCK, DeliveryEvent.CHOOSE) else row.order_id,
                at_ms,
                row.transaction_id,
                row.status.value,
            ),
        ).rowcount
        assert changed == 1, f"the delivery of {row.transaction_id} was changed meanwhile"


def vault_read(store: Store, token: str) -> int:
    """Return the number of the newest line of a vault's statement that is in the books; 0 before the first."""
    found = store.row("SELECT sequence FROM vault_cursors WHERE token = ?", (token,))
    return int(found[0]) if found else 0


def read_line(store: Store, token: str, sequence: int) -> bool:
    """Note that a line is in the books; return whether it was not before."""
    with store.transaction():
        store.execute(
            "INSERT INTO vault_cursors (token, sequence) VALUES (?, 0) ON CONFLICT (token) DO NOTHING", (token,)
        )
        changed: int = store.execute(
            "UPDATE vault_cursors SET sequence = ? WHERE token = ? AND sequence < ?", (sequence, token, sequence)
        ).rowcount
    return changed == 1


def _row(found: Sequence[object]) -> DeliveryRow:
    row = DeliveryRow(*found)  # type: ignore[arg-type]
    return row._replace(status=DeliveryStatus(row.status))
