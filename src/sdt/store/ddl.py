"""Print the tables as SQL, for whoever makes them by other means: `python -m sdt.store.ddl postgresql`."""

from __future__ import annotations

import sys
from typing import Any

import peewee

from sdt.store.tables import TABLES

__all__ = ["ddl"]


def _database(kind: str) -> Any:
    if kind == "sqlite":
        return peewee.SqliteDatabase(None)
    if kind == "postgresql":
        return peewee.PostgresqlDatabase(None, prefer_psycopg3=True)
    raise ValueError(f"There is DDL for sqlite and postgresql, not for {kind!r}.")


def ddl(kind: str) -> str:
    """Return the statements that make every table and index. Errors: ValueError for an unknown kind."""
    database, statements = _database(kind), []
    for table in TABLES:
        with database.bind_ctx([table], bind_refs=False, bind_backrefs=False):
            schema: Any = table._schema  # type: ignore[attr-defined]
            for context in (schema._create_table(safe=False), *schema._create_indexes(safe=False)):
                sql, parameters = context.query()
                assert not parameters
                statements.append(sql.replace(", CONSTRAINT", ",\n  CONSTRAINT").replace(', "', ',\n  "') + ";\n")
    return "\n".join(statements)


if __name__ == "__main__":
    if sys.argv[1:] not in (["sqlite"], ["postgresql"]):
        sys.exit("usage: python -m sdt.store.ddl sqlite|postgresql")
    sys.stdout.write(ddl(sys.argv[1]))
