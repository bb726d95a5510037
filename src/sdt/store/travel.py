"""Who paid whom, of the payments that the law wants recorded. Each party's name is sealed with that party's key.

Source: 31 C.F.R. 1010.410(e) and (f); kept five years, 31 C.F.R. 1010.430(d).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.tables.monitoring import TravelRecord

__all__ = ["NOTE", "TravelRow", "draft", "forget", "get", "seal", "unsealed"]


NOTE: Final = "travel"
"""The label under which a party is sealed."""


class TravelRow(NamedTuple):
    """One recorded payment. Units: the token's smallest; cents; at_s unix seconds; keep_until a day."""

    transaction_id: str
    payer: str
    payee: str
    token: str
    units: int
    cents: int
    at_s: int
    payer_sealed: bytes | None
    payee_sealed: bytes | None
    keep_until: str
    sealed: bool

    def __repr__(self) -> str:
        return f"TravelRow({self.transaction_id})"


_COLUMNS: Final = ", ".join(TravelRow._fields)


def draft(store: Store, rows: Sequence[TravelRow]) -> None:
    """Record payments, each once; who the parties are follows."""
    with store.transaction():
        insert_new(store, TravelRecord, TravelRow._fields, rows, key="transaction_id")


def unsealed(store: Store, limit: int) -> list[TravelRow]:
    """Return the oldest records that lack their parties."""
    found = store.rows(f"SELECT {_COLUMNS} FROM travel_records WHERE NOT sealed ORDER BY at_s LIMIT ?", (limit,))  # noqa: S608
    return [TravelRow(*row) for row in found]


def seal(store: Store, transaction_id: str, payer_sealed: bytes | None, payee_sealed: bytes | None) -> None:
    """Add the parties to a record."""
    with store.transaction():
        store.execute(
            "UPDATE travel_records SET payer_sealed = ?, payee_sealed = ?, sealed = ? WHERE transaction_id = ?",
            (payer_sealed, payee_sealed, True, transaction_id),
        )


def get(store: Store, transaction_id: str) -> TravelRow | None:
    """Return the record of a payment."""
    found = store.row(f"SELECT {_COLUMNS} FROM travel_records WHERE transaction_id = ?", (transaction_id,))  # noqa: S608
    return TravelRow(*found) if found else None


def forget(store: Store, today: str, limit: int = 500) -> int:
    """Delete records whose time of keeping is over; return how many."""
    with store.transaction():
        removed: int = store.execute(
            "DELETE FROM travel_records WHERE transaction_id IN "
            "(SELECT transaction_id FROM travel_records WHERE keep_until < ? LIMIT ?)",
            (today, limit),
        ).rowcount
    return removed
