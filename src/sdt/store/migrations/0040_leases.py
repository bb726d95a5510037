"""Who settles for which chain key: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, CharField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class Lease(Model):
    name = _text(96, primary_key=True)
    holder = _text(96)
    epoch = BigIntegerField()
    taken_at_ms = BigIntegerField()
    expires_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "leases"


Lease.add_index(SQL("CREATE UNIQUE INDEX leases_epoch ON leases (name, epoch, holder)"))

TABLES: Final[list[Any]] = [Lease]


def up(migrator: Any, db: Any) -> None:
    """Create the table and its index."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
