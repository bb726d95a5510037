"""Where a transaction stands, as SQL.

What is in a batch says only that in its row: `batched`. How far it is, its batch says: `batched` until it is signed,
`submitted` until it is final, then `completed`. So signing and settling a batch change one row, and not every index of
hundreds of wide ones. What goes another way (skipped by the contract, paid out by a bank, sent back) is written in its
own row, where anything but `batched` is the last word. Conditions here name the columns of `transactions` bare.
"""

from __future__ import annotations

from typing import Final

from sdt.store.tables.core import LIVE

__all__ = ["NOT_ENDED", "STATUS", "UPDATED_AT_MS"]

_OF_ITS_BATCH: Final = "FROM batches b WHERE b.number = batch_number AND b.status <> 'void'"

STATUS: Final = (
    "CASE WHEN status <> 'batched' THEN status ELSE coalesce((SELECT CASE b.status WHEN 'formed' THEN 'batched' "
    f"WHEN 'final' THEN 'completed' ELSE 'submitted' END {_OF_ITS_BATCH}), 'batched') END"
)
"""The status as it is, for whoever reads one or compares it."""

UPDATED_AT_MS: Final = (
    "CASE WHEN status <> 'batched' THEN updated_at_ms ELSE coalesce((SELECT coalesce(b.final_at_ms, b.signed_at_ms) "
    f"{_OF_ITS_BATCH}), updated_at_ms) END"
)
"""When it came there."""

NOT_ENDED: Final = f"({LIVE} OR (status = 'batched' AND NOT EXISTS (SELECT 1 {_OF_ITS_BATCH} AND b.status = 'final')))"
"""Condition that something will still happen to it. Of those in no batch, LIVE alone says the same and has an index."""
