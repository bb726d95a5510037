"""Many rows in one statement: what the hot paths write with.

SQLite runs a prepared statement once per row; PostgreSQL gets one array per column and joins them (`unnest`), which
costs it about what COPY does and can still say which rows were new.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sdt.store.database import Store
from sdt.store.tables.columns import Table

__all__ = ["insert_new", "insert_rows", "update_rows"]

Row = Sequence[object]

_ARRAYS: Final = {
    "VARCHAR": "text[]",
    "TEXT": "text[]",
    "BIGINT": "bigint[]",
    "BIGAUTO": "bigint[]",
    "INT": "integer[]",
    "BOOL": "boolean[]",
    "BLOB": "bytea[]",
}


def _arrays(table: type[Table], columns: tuple[str, ...]) -> str:
    """Return the arrays of these columns as parameters, sent in binary: hexadecimal would double the messages."""
    fields = table._meta.columns
    return ", ".join(f"%b::{_ARRAYS[fields[column].field_type]}" for column in columns)


@lru_cache(maxsize=64)
def _insert(postgres: bool, table: type[Table], columns: tuple[str, ...], key: str | None) -> str:
    head = f"INSERT INTO {table._meta.table_name} ({', '.join(columns)})"
    if not postgres:
        return f"{head} VALUES ({', '.join('?' * len(columns))})"
    tail = f" ON CONFLICT ({key}) DO NOTHING RETURNING {key}" if key else ""
    return f"{head} SELECT * FROM unnest({_arrays(table, columns)}){tail}"  # noqa: S608


@lru_cache(maxsize=64)
def _update(postgres: bool, table: type[Table], key: str, put: tuple[str, ...], add: tuple[str, ...], only: str) -> str:
    name, columns = table._meta.table_name, (*put, *add, key)
    also = f" AND {name}.{only}" if only else ""
    if not postgres:
        sets = [f"{c} = ?" for c in put] + [f"{c} = {c} + ?" for c in add]
        return f"UPDATE {name} SET {', '.join(sets)} WHERE {key} = ?{also}"  # noqa: S608
    sets = [f"{c} = new.{c}" for c in put] + [f"{c} = {name}.{c} + new.{c}" for c in add]
    return (
        f"UPDATE {name} SET {', '.join(sets)} "  # noqa: S608
        f"FROM unnest({_arrays(table, columns)}) AS new ({', '.join(columns)}) WHERE {name}.{key} = new.{key}{also}"
    )


def _run(store: Store, sql: str, rows: Sequence[Row]) -> Any:
    cursor = store.database.cursor()
    if store.postgres:
        cursor.execute(sql, [list(column) for column in zip(*rows, strict=True)])
    else:
        cursor.executemany(sql, rows)
    return cursor


def insert_rows(store: Store, table: type[Table], columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert rows in their order; `columns` names what each row holds."""
    if rows:
        _run(store, _insert(store.postgres, table, columns, None), rows)


def insert_new(
    store: Store, table: type[Table], columns: tuple[str, ...], rows: Sequence[Row], *, key: str
) -> set[str]:
    """Insert the rows whose key is not there yet, and return the keys of those.

    Shape: the key is the first column, a text, and no two rows share it.
    """
    assert columns[0] == key
    if not rows:
        return set()
    if store.postgres:
        return {found for (found,) in _run(store, _insert(True, table, columns, key), rows)}
    # The writing transaction is ours alone, so nothing can come between the look and the insert.
    assert store.database.in_transaction()
    known = {
        found
        for (found,) in store.rows(
            f"SELECT {key} FROM {table._meta.table_name} WHERE {store.among(key)}",  # noqa: S608
            (store.listed(str(row[0]) for row in rows),),
        )
    }
    fresh = [row for row in rows if row[0] not in known] if known else rows
    insert_rows(store, table, columns, fresh)
    return {str(row[0]) for row in fresh}


def update_rows(
    store: Store,
    table: type[Table],
    rows: Sequence[Row],
    *,
    key: str,
    put: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    only: str = "",
) -> None:
    """Change one row for each of `rows`: set the columns of `put`, add to those of `add`. Every key must exist.

    `only` is a condition that each row must fulfil before, written as `column = value`.

    Shape: a row holds the values of `put`, then of `add`, then the key; no two rows share a key.
    """
    if rows:
        changed = _run(store, _update(store.postgres, table, key, put, add, only), rows).rowcount
        found = f"found with {only}" if only else "found"
        assert changed == len(rows), f"{changed} of {len(rows)} rows of {table._meta.table_name} were {found}"
