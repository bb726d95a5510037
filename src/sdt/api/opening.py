"""Everything the API works with, opened as settings say: for a server, and for a function."""

from __future__ import annotations

from sdt.adapters.chain.deployment import load_deployment
from sdt.adapters.vault import key_and_before
from sdt.api.ids import Ids
from sdt.api.services import Deployment, Limits, Services
from sdt.backends import IDS_KEY, open_database, open_queue, open_vault, open_wrapping
from sdt.config import Settings
from sdt.domain.fincen.parties import read_filer
from sdt.domain.region import load_region

__all__ = ["open_services"]


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
        ids=Ids(region.id, lambda: key_and_before(vault, IDS_KEY), lambda: vault.look_again(IDS_KEY)),
        keys=open_wrapping(settings),
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
            account_backlog_max=settings.api.account_backlog_max,
            gather_ms=settings.api.gather_ms,
            wait_s_max=settings.api.wait_s_max,
            proof_age_s_max=settings.api.proof_age_s_max,
        ),
    )


def _deployment(settings: Settings) -> Deployment:
    found = load_deployment(settings.home)
    if found is None:
        return Deployment(settings.chain.chain_id)
    return Deployment(found.chain_id, found.settlement, found.registry, found.tokens, found.chain_key)
