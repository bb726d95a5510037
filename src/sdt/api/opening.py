"""Everything the API works with, opened as settings say: for a server, and for a function."""

from __future__ import annotations

import logging
import secrets

from sdt.adapters.chain.deployment import load_deployment
from sdt.adapters.vault import SecretExists, SecretNotFound, VaultProtocol
from sdt.api.services import Deployment, Limits, Services
from sdt.backends import open_database, open_queue, open_vault
from sdt.config import Settings
from sdt.domain.fincen.parties import read_filer
from sdt.domain.region import load_region
from sdt.domain.transaction_id import IdIssuer

__all__ = ["IDS_SECRET", "PERSONAL_SECRET", "open_services"]

IDS_SECRET = "transaction-ids/key"  # noqa: S105 - a name in the vault
PERSONAL_SECRET = "personal/key"  # noqa: S105 - a name in the vault
KEY_BYTES = 32
log = logging.getLogger("sdt.api")


def open_services(settings: Settings, public_url: str) -> Services:
    """Open everything the API of the first region works with.

    Errors: those of the store and the vault; ConfigurationInvalid.
    """
    name = next(iter(settings.regions))
    region = load_region(settings.region_file(name).read_bytes())
    vault = open_vault(settings)
    return Services(
        store=open_database(settings),
        queue=open_queue(settings),
        region=region,
        network=settings.network,
        ids=IdIssuer(region.id, _id_keys(vault)),
        personal_key=_key(vault, PERSONAL_SECRET),
        documents_folder=settings.home / "documents",
        public_url=public_url,
        deployment=_deployment(settings),
        chain_urls=settings.chain.urls,
        access=settings.logging.access,
        filer=read_filer(settings.filer_file().read_bytes()),
        limits=Limits(
            message_bytes_max=settings.api.message_bytes_max,
            request_bytes_max=settings.api.request_bytes_max,
            messages_max=settings.api.messages_per_request_max,
            backlog_max=settings.api.backlog_max,
            gather_ms=settings.api.gather_ms,
            wait_s_max=settings.api.wait_s_max,
            proof_age_s_max=settings.api.proof_age_s_max,
        ),
    )


def _key(vault: VaultProtocol, name: str) -> bytes:
    """Return a key of the vault, made at the first start."""
    try:
        return vault.get(name).reveal()
    except SecretNotFound:
        try:
            vault.put(name, secrets.token_bytes(KEY_BYTES))
        except SecretExists:
            log.info("another process made %s first", name)
        return vault.get(name).reveal()


def _id_keys(vault: VaultProtocol) -> tuple[bytes, ...]:
    """Return the key that marks new ids, and the one before it: ids given before a rotation still count."""
    newest = _key(vault, IDS_SECRET)
    before = vault.previous(IDS_SECRET)
    return (newest,) if before is None else (newest, before.reveal())


def _deployment(settings: Settings) -> Deployment:
    found = load_deployment(settings.home)
    if found is None:
        return Deployment(settings.chain.chain_id)
    return Deployment(found.chain_id, found.settlement, found.registry, found.tokens, found.chain_key)
