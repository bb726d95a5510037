"""Bring a database up to the tables this version expects: files in `migrations/`, each applied once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playhouse.migrations import Runner

from sdt.domain.errors import Unavailable
from sdt.store.access import Access
from sdt.store.database import Store, connect

__all__ = ["check_current", "migrate", "migrate_open", "pending"]

_FOLDER: Final = str(Path(__file__).with_name("migrations"))
_LOCK: Final = 0x5D7_0001
"""Number of the PostgreSQL advisory lock under which one process migrates at a time."""


def _runner(store: Store) -> Any:
    return Runner(store.database, _FOLDER)


def pending(store: Store) -> list[str]:
    """Return the names of the migrations that this database lacks."""
    return [migration.name for migration in _runner(store).status() if not migration.applied]


def migrate_open(store: Store) -> list[str]:
    """Apply what is missing, all or nothing, and return the names. Two processes may do so at once."""
    if not pending(store):
        return []
    with store.transaction():
        if store.postgres:
            store.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
        applied: list[str] = _runner(store).up()
        return applied


def migrate(url: str, *, access: Access = Access()) -> list[str]:
    """Apply what the database at `url` lacks and return the names. Errors: Unavailable."""
    store = connect(url, access)
    try:
        return migrate_open(store)
    finally:
        store.close()


def check_current(store: Store) -> None:
    """Refuse a database that lacks a migration. Errors: Unavailable."""
    missing = pending(store)
    if missing:
        raise Unavailable(f"The database lacks {', '.join(missing)}; run: sdt db migrate", code="database_not_migrated")
