"""How many addresses an edition of the sanctions list has: unknown of those loaded before."""

from __future__ import annotations

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the count."""
    db.execute_sql('ALTER TABLE sanctions_lists ADD COLUMN "addresses" INTEGER')


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    db.execute_sql('ALTER TABLE sanctions_lists DROP COLUMN "addresses"')
