"""Which trace a transaction belongs to: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, CharField, Model


class Trace(Model):
    transaction_id = CharField(max_length=36, primary_key=True)
    traceparent = CharField(max_length=55)
    at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "traces"


Trace.add_index(SQL("CREATE INDEX traces_at ON traces (at_ms)"))

TABLES: Final[list[Any]] = [Trace]


def up(migrator: Any, db: Any) -> None:
    """Create the table and its index."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
