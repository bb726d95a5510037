"""The API process: `python -m sdt.api --home DIR`. Prints `ready PORT` when it takes requests."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from sdt.api.app import Application, create_app
from sdt.api.opening import open_services
from sdt.config import Settings
from sdt.config.logs import set_up_logging
from sdt.deployed import load_deployed
from sdt.observing.memory import settle_memory
from sdt.observing.start import traced

__all__ = ["main"]

DRAIN_S = 5
BACKLOG = 2048
log = logging.getLogger("sdt.api")


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
            settle_memory()
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
    settings = load_deployed(arguments.home)
    set_up_logging(settings, "api")
    region = next(iter(settings.regions))
    telemetry = settings.telemetry
    with traced("api", region=region, endpoint=telemetry.endpoint, sample=telemetry.sample, door=True):
        serve(settings)


if __name__ == "__main__":
    main()
