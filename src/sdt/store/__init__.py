"""The database: tables, transactions and queries. Everything durable that API and worker share is here."""

from sdt.store.access import Access
from sdt.store.database import Store, connect
from sdt.store.migration import check_current, migrate, migrate_open

__all__ = ["Access", "Store", "migrate", "open_store"]


def open_store(url: str, *, migrate: bool = False, access: Access = Access()) -> Store:
    """Open the database at `url`: `sqlite:///path` or `postgresql://user@host/name`, with its password beside it.

    Errors: Unavailable when it cannot be opened, or lacks a migration and `migrate` is not set (through a pooler: at
    the first use); ValueError for a URL of another form.
    """

    def first(store: Store) -> None:
        if migrate:
            migrate_open(store)
        check_current(store)

    return connect(url, access, first=first)
