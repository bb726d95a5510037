"""Queue, vault and database as settings choose them: the one place that knows which backends there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from sdt.adapters.aws import client
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.adapters.vault import SealedFile, VaultProtocol, key_and_before, made_once
from sdt.adapters.wrapping import KmsAndVault, KmsKey, VaultKey
from sdt.config import Settings
from sdt.config.model import Aws, Vault
from sdt.domain.monitoring.persons import digest_key
from sdt.domain.region import load_region
from sdt.ports.queue import Queue
from sdt.ports.wrapping import Wrapping
from sdt.store import Access, Store, open_store

__all__ = [
    "IDS_KEY",
    "PERSONAL_KEY",
    "PERSONS_KEY",
    "database_access",
    "open_database",
    "open_persons_key",
    "open_queue",
    "open_vault",
    "open_wrapping",
]

IDS_KEY: Final = "transaction-ids/key"
"""What marks the ids that the API gives."""
PERSONAL_KEY: Final = "personal/key"
"""What wraps the keys of people, where KMS does not."""
PERSONS_KEY: Final = "monitoring/persons-key"
"""What tells people apart in monitoring, by digests: it is not rotated, or nobody would be recognised."""


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
    """Open the main store as settings say: its password from the vault, or a token, for each connection anew.

    Errors: Unavailable; SecretNotFound for a name that the vault does not have.
    """
    return open_store(settings.database.url, migrate=migrate, access=database_access(settings))


def database_access(settings: Settings) -> Access:
    """Return how the main store is reached."""
    database = settings.database
    return Access(
        password=_password(settings),
        root_file=database.tls_root_file if database.tls == "verify-full" else None,
        pooled=database.pooled,
        statement_s=database.statement_timeout_s,
        lock_s=database.lock_timeout_s,
        idle_in_transaction_s=database.idle_in_transaction_s,
    )


def _password(settings: Settings) -> Callable[[], str] | None:
    database = settings.database
    if database.login == "iam":
        from sdt.adapters.rds import auth_token

        return partial(auth_token, settings.aws, database.url)
    if not database.password_secret:
        return None
    vault = open_vault(settings)
    return lambda: _password_in(vault.get(database.password_secret).reveal())


def _password_in(secret: bytes) -> str:
    """Return the password in a secret: the secret itself, or the member of the JSON that RDS makes and rotates."""
    text = secret.decode()
    return str(json.loads(text)["password"]) if text.startswith("{") else text


def open_wrapping(settings: Settings) -> Wrapping:
    """Open what wraps the keys of people: the vault's key, or KMS as settings say.

    Errors: those of the vault; KMS is asked only when something is wrapped or opened.
    """
    vault = open_vault(settings)
    made_once(vault, PERSONAL_KEY)
    by_vault = VaultKey(lambda: key_and_before(vault, PERSONAL_KEY), lambda: vault.look_again(PERSONAL_KEY))
    if not settings.personal.kms_key:
        return by_vault
    region = load_region(settings.region_file(next(iter(settings.regions))).read_bytes()).id
    kms = _kms(settings.personal.kms_key, settings.network, region, settings.aws.model_dump_json())
    return KmsAndVault(kms, by_vault, by_vault=settings.personal.wrapped_by == "vault")


def open_persons_key(settings: Settings) -> Callable[[], bytes]:
    """Return what gives the key by which monitoring tells people apart."""
    vault = open_vault(settings)

    def first() -> bytes:
        # Platforms from before it had a name of its own counted by a key derived from this one.
        return digest_key(made_once(vault, PERSONAL_KEY).reveal())

    made_once(vault, PERSONS_KEY, first)
    return lambda: vault.get(PERSONS_KEY).reveal()


@lru_cache(maxsize=4)
def _kms(key: str, network: str, region: str, aws: str) -> KmsKey:
    """Return this process's one opener of data keys for these settings: what it has open is open for all."""
    context = {"network": network, "region": region, "purpose": "personal"}
    return KmsKey(client("kms", Aws.model_validate_json(aws), read_s=3), key, context)


@lru_cache(maxsize=4)
def _secrets_manager(vault: str, aws: str) -> VaultProtocol:
    """Return this process's one vault for these settings: what it remembers is remembered, and rotated, for all."""
    from sdt.adapters.vault.secrets_manager import SecretsManager

    told = Vault.model_validate_json(vault)
    asked = client("secretsmanager", Aws.model_validate_json(aws), read_s=5)
    return SecretsManager(asked, told.prefix, seen_within_s=told.seen_within_s, key=told.kms_key)
