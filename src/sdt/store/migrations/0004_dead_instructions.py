"""Instructions that repetition cannot help: since when one fails, and when it was given up."""

from __future__ import annotations

from typing import Any, Final

from peewee import PostgresqlDatabase

COLUMNS: Final = ("failed_since_ms", "dead_at_ms")


def up(migrator: Any, db: Any) -> None:
    """Add the columns."""
    kind = "BIGINT" if isinstance(db, PostgresqlDatabase) else "INTEGER"
    for column in COLUMNS:
        db.execute_sql(f'ALTER TABLE outbox ADD COLUMN "{column}" {kind}')


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    for column in reversed(COLUMNS):
        db.execute_sql(f'ALTER TABLE outbox DROP COLUMN "{column}"')
