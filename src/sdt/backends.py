"""Queue, vault and database as settings choose them: the one place that knows which backends there are."""

from __future__ import annotations

from functools import lru_cache

from sdt.adapters.aws import client
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.adapters.vault import SealedFile, VaultProtocol
from sdt.config import Settings
from sdt.config.model import Aws, Vault
from sdt.ports import Queue
from sdt.store import Store, open_store

__all__ = ["open_database", "open_queue", "open_vault"]


def open_queue(settings: Settings) -> Queue:
    """Return the queue of accepted transactions; a queue at Amazon's is asked only when it is used."""
    queue = settings.queue
    if queue.backend == "sqs":
        # Amazon's library costs its import only where it is used.
        from sdt.adapters.queue.sqs import SqsQueue

        return SqsQueue(settings.aws, queue.name, max_receives=queue.receives_max if queue.create else None)
    return EmbeddedQueue(queue.queue_file, max_receives=queue.receives_max)


def open_vault(settings: Settings) -> VaultProtocol:
    """Open the secrets store.

    Errors: VaultUnreadable for the sealed file; Secrets Manager is asked only when a secret is.
    """
    if settings.vault.backend == "secrets_manager":
        return _secrets_manager(settings.vault.model_dump_json(), settings.aws.model_dump_json())
    return SealedFile.open(settings.vault.sealed_file, settings.vault.key_file, settings.vault.passphrase_file)


def open_database(settings: Settings, *, migrate: bool = False) -> Store:
    """Open the main store, with its password from the vault if settings name one.

    Errors: Unavailable; SecretNotFound for a name that the vault does not have.
    """
    named = settings.database.password_secret
    password = open_vault(settings).get(named).reveal().decode() if named else None
    return open_store(settings.database.url, migrate=migrate, password=password)


@lru_cache(maxsize=4)
def _secrets_manager(vault: str, aws: str) -> VaultProtocol:
    """Return this process's one vault for these settings: what it remembers is remembered, and rotated, for all."""
    from sdt.adapters.vault.secrets_manager import SecretsManager

    told = Vault.model_validate_json(vault)
    asked = client("secretsmanager", Aws.model_validate_json(aws), read_s=5)
    return SecretsManager(asked, told.prefix, seen_within_s=told.seen_within_s, key=told.kms_key)
