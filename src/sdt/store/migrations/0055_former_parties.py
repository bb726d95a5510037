"""Whom an account's record named before: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import BigIntegerField, BlobField, BooleanField, CharField, CompositeKey, IntegerField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class FormerParty(Model):
    account = _text(42)
    n = IntegerField()
    round = IntegerField()
    sealed = BlobField(null=True)
    passed = BooleanField()
    kept_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "former_parties"
        primary_key = CompositeKey("account", "n")


TABLES: Final[list[Any]] = [FormerParty]


def up(migrator: Any, db: Any) -> None:
    """Create the table."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
