"""Queue, vault and database as settings choose them: the one place that knows which backends there are."""

from __future__ import annotations

from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.adapters.vault import SealedFile, VaultProtocol
from sdt.config import Settings
from sdt.ports import Queue
from sdt.store import Store, open_store

__all__ = ["open_database", "open_queue", "open_vault"]


def open_queue(settings: Settings) -> Queue:
    """Return the queue of accepted transactions."""
    return EmbeddedQueue(settings.queue.queue_file, max_receives=settings.queue.receives_max)


def open_vault(settings: Settings) -> VaultProtocol:
    """Open the secrets store. Errors: VaultUnreadable."""
    return SealedFile.open(settings.vault.sealed_file, settings.vault.key_file, settings.vault.passphrase_file)


def open_database(settings: Settings, *, migrate: bool = False) -> Store:
    """Open the main store, with its password from the vault if settings name one.

    Errors: Unavailable; SecretNotFound for a name that the vault does not have.
    """
    named = settings.database.password_secret
    password = open_vault(settings).get(named).reveal().decode() if named else None
    return open_store(settings.database.url, migrate=migrate, password=password)
