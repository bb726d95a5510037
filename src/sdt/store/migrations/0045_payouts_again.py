"""A transaction may have several credits: what came back may be paid to another account, by an entry of its own."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL

_ONCE: Final = "bank_entries_transaction_id_direction"
_TABLE: Final = "bank_entries"


def up(migrator: Any, db: Any) -> None:
    """Let only what brings dollars in be single."""
    db.execute(SQL(f"DROP INDEX {_ONCE}"))
    db.execute(SQL(f'CREATE INDEX "bank_entries_transaction_id" ON "{_TABLE}" ("transaction_id")'))
    db.execute(
        SQL(
            f"CREATE UNIQUE INDEX bank_entries_once ON {_TABLE} (transaction_id, direction) WHERE direction <> 'credit'"
        )
    )


def down(migrator: Any, db: Any) -> None:
    """Make every direction single again."""
    db.execute(SQL("DROP INDEX bank_entries_once"))
    db.execute(SQL("DROP INDEX bank_entries_transaction_id"))
    db.execute(SQL(f"CREATE UNIQUE INDEX {_ONCE} ON {_TABLE} (transaction_id, direction)"))
