"""Bring a database up to the tables this version expects: files in `migrations/`, each applied once.

A migration of tables that may be large adds (a table, a column without a default that is computed, an index made
concurrently) and never rewrites or removes: processes of the version before go on using what they know.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Final

import peewee
import psycopg

from sdt.domain.errors import Unavailable
from sdt.store.access import Access
from sdt.store.database import Store, connect

__all__ = ["check_current", "known", "migrate", "migrate_open", "pending"]

_FOLDER: Final = str(Path(__file__).with_name("migrations"))
_LOCK: Final = 0x5D7_0001
"""Number of the PostgreSQL advisory lock under which one process migrates at a time."""
WAIT_MS: Final = 1_000
"""How long a migration of a database in use waits for a lock: whoever comes after it waits behind it."""
ATTEMPTS: Final = 120
PAUSE_S: Final = 0.5

log = logging.getLogger(__name__)


def _runner(store: Store) -> Any:
    from playhouse.migrations import Runner  # a function that opens no database at its import need not load it

    return Runner(store.database, _FOLDER)


def pending(store: Store) -> list[str]:
    """Return the names of the migrations that this database lacks."""
    return [migration.name for migration in _runner(store).status() if not migration.applied]


def known() -> list[str]:
    """Return the names of all migrations of this version."""
    return sorted(path.stem for path in Path(_FOLDER).glob("[0-9]*.py"))


def migrate_open(store: Store) -> list[str]:
    """Apply what is missing and return the names. Several processes may do so at once.

    A new database is made all or nothing. One of PostgreSQL that has data is migrated while it is used: one migration,
    one database transaction, begun again when it does not get its locks at once, so that nobody waits long behind it.
    Errors: Unavailable when its tables were in use all the time, or through a pooler.
    """
    if not pending(store):
        return []
    if store.pooled:
        raise Unavailable("Migrate on a connection to the database itself.", code="database_not_migrated")
    if store.postgres and _runner(store).applied():
        return _migrate_live(store)
    with store.transaction():
        if store.postgres:
            store.execute("SET LOCAL statement_timeout = 0")
            store.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
        applied: list[str] = _runner(store).up()
        return applied


def _migrate_live(store: Store) -> list[str]:
    store.execute("SET statement_timeout = 0")
    store.execute("SET lock_timeout = 0")
    store.execute("SELECT pg_advisory_lock(?)", (_LOCK,))
    try:
        missing = pending(store)
        for name in missing:
            _apply(store, name)
        return missing
    finally:
        # Its locks, and what was set, end with the connection.
        store.database.close()


def _apply(store: Store, name: str) -> None:
    """Apply one migration, when its tables are free for a moment.

    One that says `atomic = False` makes an index without stopping writers (CREATE INDEX CONCURRENTLY), and may wait. A
    new database is made within one transaction, where it makes its index as any other: it asks `db.in_transaction()`.
    """
    (migration,) = [one for one in _runner(store).status() if one.name == name]
    store.execute(f"SET lock_timeout = {WAIT_MS if getattr(migration.load(), 'atomic', True) else 0}")
    for left in reversed(range(ATTEMPTS)):
        try:
            _runner(store).up(name)
            return
        except peewee.OperationalError as error:
            if not isinstance(error.__cause__ or error.__context__, psycopg.errors.LockNotAvailable):
                raise
            if not left:
                raise Unavailable(f"{name}: its tables were in use all the time.", code="database_busy") from error
            log.info("%s waits until its tables are free", name)
            time.sleep(PAUSE_S)


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
