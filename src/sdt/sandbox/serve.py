"""Run any number of services in one process, each on a port of its own."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

GRACE_S = 1


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and the socket it answers on."""

    name: str
    socket: socket.socket
    app: ASGIApp

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Take a port, any free one for 0."""
    listening = socket.create_server((host, port), backlog=256)
    listening.setblocking(False)
    return listening


class _ByPort:
    """One ASGI application that passes each request to the one whose port it came to."""

    def __init__(self, apps: Mapping[int, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["server"][1]](scope, receive, send)


class _Server(uvicorn.Server):
    """Says `ready` on standard output once all ports answer."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("ready", flush=True)


def run(listeners: list[Listener]) -> None:
    """Serve until told to stop."""
    app = _ByPort({each.socket.getsockname()[1]: each.app for each in listeners})
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(config).run(sockets=[each.socket for each in listeners])
