"""The tables of metal that leaves: one row for each redemption in kind, and how far each vault's statement was read."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, IntegerField, TextField

from sdt.domain.delivery import OPEN
from sdt.store.tables.columns import Table, index, never_negative, text

__all__ = ["OPEN_DELIVERY", "TABLES"]

OPEN_DELIVERY: Final = "status IN ({})".format(", ".join(f"'{status}'" for status in OPEN))
"""Condition of the partial index: a query that repeats it word for word is served by it."""


class Delivery(Table):
    """One delivery. `bars` is a JSON list of the bars chosen by this attempt, `order_id` the depository's order."""

    transaction_id = text(36, primary_key=True)
    token = text(12)
    account = text(42)
    units = BigIntegerField()
    destination = text(80)
    status = text(16)
    attempt = IntegerField(default=1)
    bars = TextField(default="[]")
    order_id = text(64, null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "deliveries"
        constraints: Final = never_negative("units")


index(Delivery, "deliveries_open", "status, updated_at_ms", where=OPEN_DELIVERY)


class VaultCursor(Table):
    """The newest line of a vault's statement that is in the books."""

    token = text(12, primary_key=True)
    sequence = BigIntegerField()

    class Meta:
        table_name = "vault_cursors"


TABLES: Final[tuple[type[Table], ...]] = (Delivery, VaultCursor)
