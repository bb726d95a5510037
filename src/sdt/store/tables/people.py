"""The tables about people: their keys. What is sealed with a key stands where it belongs (users, bank accounts)."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, BlobField

from sdt.store.tables.columns import Table, text

__all__ = ["TABLES"]


class PersonKey(Table):
    """The key that everything about one user is sealed with, itself wrapped. Erased: the row stays, the key is gone."""

    user_id = text(36, primary_key=True)
    wrapped = BlobField(null=True)
    created_at_ms = BigIntegerField()
    erased_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "person_keys"


TABLES: Final[tuple[type[Table], ...]] = (PersonKey,)
