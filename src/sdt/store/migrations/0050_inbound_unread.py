"""Files of the bank that are stored and not read yet have an index: each round asks for them."""

from __future__ import annotations

from typing import Any, Final

INDEX: Final = "CREATE INDEX ach_inbound_unread ON ach_inbound (read_at_ms, name) WHERE status = 'stored'"


def up(migrator: Any, db: Any) -> None:
    """Make it; the table has a few rows a day, so nobody waits long."""
    db.execute_sql(INDEX)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    db.execute_sql("DROP INDEX ach_inbound_unread")
