"""Metal that leaves: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, CharField, Check, IntegerField, Model, TextField


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class Delivery(Model):
    transaction_id = _text(36, primary_key=True)
    token = _text(12)
    account = _text(42)
    units = BigIntegerField()
    destination = _text(80)
    status = _text(16)
    attempt = IntegerField(default=1)
    bars = TextField(default="[]")
    order_id = _text(64, null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "deliveries"
        constraints: Final = [Check("units >= 0", name="units_not_negative")]


class VaultCursor(Model):
    token = _text(12, primary_key=True)
    sequence = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "vault_cursors"


Delivery.add_index(
    SQL(
        "CREATE INDEX deliveries_open ON deliveries (status, updated_at_ms) "
        "WHERE status IN ('wanted', 'chosen', 'locked', 'picked', 'owed')"
    )
)

TABLES: Final[list[Any]] = [Delivery, VaultCursor]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
