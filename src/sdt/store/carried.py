"""What the chain carried of each payment, held against the books: the signed batch itself is the witness."""

from __future__ import annotations

from sdt.domain.batch import read_calldata, unpack_value_items
from sdt.domain.chain_tx import read_signed
from sdt.domain.errors import Invalid
from sdt.store.database import Store

__all__ = ["differences"]


def differences(store: Store) -> list[str]:
    """Return a sentence for each final item whose amount or fee the books have otherwise: none in a sound database."""
    final = store.rows("SELECT number FROM batches WHERE status = 'final' AND kind = 'value' ORDER BY number")
    return [sentence for (number,) in final for sentence in _of_batch(store, int(number))]


def _of_batch(store: Store, number: int) -> list[str]:
    (raw,) = store.row("SELECT raw_tx FROM batches WHERE number = ? AND status = 'final'", (number,))
    try:
        items = unpack_value_items(read_calldata(read_signed(bytes(raw))[0].data).packed)
    except Invalid as error:
        return [f"batch {number}: what was signed cannot be read: {error.detail}"]
    # What the contract skipped moved nothing, and keeps its place as evidence.
    rows = store.rows(
        "SELECT position, id, units, fee_units FROM transactions "
        "WHERE batch_number = ? AND position IS NOT NULL AND status <> 'rejected' ORDER BY position",
        (number,),
    )
    return [
        f"{id}: batch {number} moved {items[position].amount} and took {items[position].fee}, "
        f"the books have {units} and {fee_units}"
        for position, id, units, fee_units in rows
        if (items[position].amount, items[position].fee) != (units, fee_units)
    ]
