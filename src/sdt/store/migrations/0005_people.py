"""Keys of people: a frozen copy of the models of that day.

Records that were sealed with the master key stay as they are here, for a migration holds no key: the worker gives
everybody a key of their own when it starts (`sdt.workflows.people`), and until then they are read as they are.
"""

from __future__ import annotations

from typing import Any, Final

from peewee import BigIntegerField, BlobField, CharField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class PersonKey(Model):
    user_id = _text(36, primary_key=True)
    wrapped = BlobField(null=True)
    created_at_ms = BigIntegerField()
    erased_at_ms = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "person_keys"


TABLES: Final[list[Any]] = [PersonKey]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
