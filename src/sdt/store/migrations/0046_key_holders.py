"""Which person holds an official's key: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import BigIntegerField, CharField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class KeyHolder(Model):
    kid = _text(43, primary_key=True)
    holder = _text(40, index=True)
    act_id = _text(36)
    named_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "key_holders"


TABLES: Final[list[Any]] = [KeyHolder]


def up(migrator: Any, db: Any) -> None:
    """Create the table and its index."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
