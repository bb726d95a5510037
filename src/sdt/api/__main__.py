"""The API process: `python -m sdt.api --home DIR`. Prints `ready PORT` when it takes requests."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.vault import SecretExists, SecretNotFound, VaultProtocol
from sdt.api.app import Application, create_app
from sdt.api.services import Deployment, Limits, Services
from sdt.backends import open_database, open_queue, open_vault
from sdt.config import Settings, load_settings
from sdt.config.logs import set_up_logging
from sdt.domain.fincen.parties import read_filer
from sdt.domain.region import load_region
from sdt.domain.transaction_id import IdIssuer

__all__ = ["IDS_SECRET", "PERSONAL_SECRET", "main", "open_services"]

IDS_SECRET = "transaction-ids/key"  # noqa: S105 - a name in the vault
PERSONAL_SECRET = "personal/key"  # noqa: S105 - a name in the vault
KEY_BYTES = 32
DRAIN_S = 5
BACKLOG = 2048
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


class _Server(uvicorn.Server):
    """Says on standard output when it listens, for whoever started it, and ends in order on a signal."""

    def __init__(self, config: uvicorn.Config, app: Application) -> None:
        super().__init__(config)
        self._app = app

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop serving on a signal. The original raises it again afterwards, which would end us unfinished."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)
        yield

    def _end(self, number: int) -> None:
        self.handle_exit(number, None)
        self._app.runtime.waiting.end()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            print(f"ready {sockets[0].getsockname()[1]}", flush=True)


def serve(settings: Settings) -> None:
    """Serve until a signal; then finish what was taken."""
    listener = socket.create_server((settings.api.host, settings.api.port), backlog=BACKLOG)
    # Connections inherit it. Without it, each answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listener.getsockname()[1]
    services = open_services(settings, settings.api.url or f"http://{settings.api.host}:{port}")
    app = create_app(services)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
    )
    try:
        _Server(config, app).run(sockets=[listener])
    finally:
        services.store.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sdt.api", description="The HTTP API of a region.")
    parser.add_argument("--home", type=Path, required=True, help="the platform's folder")
    arguments = parser.parse_args()
    settings = load_settings(home=arguments.home)
    set_up_logging(settings.logging)
    serve(settings)


if __name__ == "__main__":
    main()
