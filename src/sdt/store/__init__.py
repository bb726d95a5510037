"""The database: tables, transactions and queries. Everything durable that API and worker share is here."""

from sdt.store.database import Store, connect
from sdt.store.migration import check_current, migrate, migrate_open

__all__ = ["Store", "migrate", "open_store"]


def open_store(url: str, *, migrate: bool = False, password: str | None = None) -> Store:
    """Open the database at `url`: `sqlite:///path` or `postgresql://user@host/name`, with its password beside it.

    Errors: Unavailable when it cannot be opened, or lacks a migration and `migrate` is not set; ValueError for
    a URL of another form.
    """
    store = connect(url, password)
    try:
        if migrate:
            migrate_open(store)
        check_current(store)
    except BaseException:
        store.close()
        raise
    return store
