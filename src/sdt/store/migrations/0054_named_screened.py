"""Of a standing, who was asked about with those behind the account: unknown of what a version before wrote."""

from __future__ import annotations

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Add the digest."""
    db.execute_sql('ALTER TABLE sanctions_standing ADD COLUMN "asked_digest" VARCHAR(64)')


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    db.execute_sql('ALTER TABLE sanctions_standing DROP COLUMN "asked_digest"')
