"""What all tables share: columns of text, checks, partial indexes, and models that are bound to no database."""

from __future__ import annotations

from typing import Any

from peewee import SQL, CharField, Check, Model

__all__ = ["Table", "index", "never_negative", "text"]


def never_negative(*columns: str) -> list[Any]:
    """Return a check for each column."""
    return [Check(f"{column} >= 0", name=f"{column}_not_negative") for column in columns]


def text(length: int, **options: Any) -> Any:
    """Return a column of at most `length` characters."""
    return CharField(max_length=length, **options)


class Table(Model):
    """What all tables share: a name of their own and no database."""

    class Meta:
        legacy_table_names = False


def index(table: type[Table], name: str, columns: str, *, where: str = "", unique: bool = False) -> None:
    """Give a table an index, over the rows that `where` names."""
    kind, condition = "UNIQUE INDEX" if unique else "INDEX", f" WHERE {where}" if where else ""
    table.add_index(SQL(f"CREATE {kind} {name} ON {table._meta.table_name} ({columns}){condition}"))
