"""Returns that go back to the bank they came from: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import CharField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class AchDishonor(Model):
    id = _text(96, primary_key=True)
    entry_id = _text(96, index=True)
    record = _text(48)
    reason = _text(3)
    fields = _text(20)

    class Meta:
        legacy_table_names = False
        table_name = "ach_dishonors"


TABLES: Final[list[Any]] = [AchDishonor]


def up(migrator: Any, db: Any) -> None:
    """Create the table and its index."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
