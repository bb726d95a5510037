"""Which trace a transaction belongs to, for the few that are traced, while it is on its way."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class Trace(Table):
    """A traceparent by transaction: the queue carries ids alone, and a batch has many parents."""

    transaction_id = text(36, primary_key=True)
    traceparent = text(55)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "traces"


index(Trace, "traces_at", "at_ms")


TABLES: Final[tuple[type[Table], ...]] = (Trace,)
