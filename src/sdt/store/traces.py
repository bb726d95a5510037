"""Which trace a transaction belongs to. Written for sampled requests alone; the rest never comes here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sdt.store.database import Store

__all__ = ["KEPT_MS", "put", "read"]

KEPT_MS: Final = 86_400_000
"""What is not through after a day has lost its trace."""

PRUNED_MAX: Final = 200


def put(store: Store, traces: Mapping[str, str], at_ms: int) -> None:
    """Remember the traceparent of transactions, and forget old ones."""
    with store.transaction():
        store.many(
            "INSERT INTO traces (transaction_id, traceparent, at_ms) VALUES (?, ?, ?) "
            "ON CONFLICT (transaction_id) DO NOTHING",
            [(id_, traceparent, at_ms) for id_, traceparent in traces.items()],
        )
        store.execute(
            "DELETE FROM traces WHERE transaction_id IN "
            "(SELECT transaction_id FROM traces WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
            (at_ms - KEPT_MS, PRUNED_MAX),
        )


def read(store: Store, ids: Sequence[str], limit: int) -> dict[str, str]:
    """Return the traceparents of those transactions that are traced, at most so many, oldest first."""
    found = store.rows(
        f"SELECT transaction_id, traceparent FROM traces WHERE {store.among('transaction_id')} "  # noqa: S608
        "ORDER BY at_ms, transaction_id LIMIT ?",
        (store.listed(ids), limit),
    )
    return dict(found)
