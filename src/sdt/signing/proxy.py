"""`python -m sdt.signing.proxy ROUTES.toml`: carries connections between vsock and TCP, each to one fixed target.

It runs on the machine around an enclave, which has no network of its own, and inside it for what knows TCP only. What
passes is TLS of others, or a chain node's answers: it is neither read nor kept. Nobody can name a target: the routes
are the whole list, and a connection to anything else cannot be asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import logging
import signal
import tomllib
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid
from sdt.signing.sockets import Endpoint

ROUTES_MAX: Final = 32
CONNECTIONS_MAX: Final = 64
"""Of one route; one more is refused."""
PIECE_BYTES: Final = 64 * 1024
IDLE_S: Final = 600.0
"""A joint job's answer may take 330 s in which nothing passes."""
DIAL_S: Final = 5.0

_log = logging.getLogger("sdt.signing.proxy")


class _Route(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}$")]
    listen: str
    to: str
    from_cid: Annotated[int, Meta(ge=1)] | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    route: Annotated[tuple[_Route, ...], Meta(min_length=1, max_length=ROUTES_MAX)]


class Route(Struct, frozen=True):
    """Whoever connects to `listen` is carried to `to`; from_cid, if any, is the one enclave that may."""

    name: str
    listen: Endpoint
    to: Endpoint
    from_cid: int | None = None


def load_routes(file: Path) -> tuple[Route, ...]:
    """Read the list of routes.

    Errors: Invalid, naming what is wrong.
    """
    try:
        said = msgspec.convert(tomllib.loads(file.read_text()), _File).route
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"{file.name} is not usable: {error}.", code="proxy_routes") from None
    routes = tuple(
        Route(each.name, Endpoint.parse(each.listen), Endpoint.parse(each.to), each.from_cid) for each in said
    )
    if len({each.name for each in routes}) < len(routes) or len({each.listen for each in routes}) < len(routes):
        raise Invalid(f"{file.name}: a name or a listening address stands twice.", code="proxy_routes")
    for route in routes:
        if route.from_cid is not None and route.listen.kind != "vsock":
            raise Invalid(
                f"{file.name}: {route.name} has a from_cid and does not listen on vsock.", code="proxy_routes"
            )
    return routes


class Proxy:
    """Serves some routes until closed."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._servers: list[asyncio.Server] = []
        self._open: dict[str, set[asyncio.Task[None]]] = {route.name: set() for route in routes}

    async def start(self) -> None:
        """Listen. Errors: OSError."""
        for route in self._routes:
            admit = functools.partial(self._admit, route)
            self._servers.append(await asyncio.start_server(admit, sock=route.listen.listen(), limit=PIECE_BYTES))

    async def close(self) -> None:
        """Stop listening and end what is open."""
        for server in self._servers:
            server.close()
        tasks = [task for open_ in self._open.values() for task in open_]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _admit(self, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_, peer = self._open[route.name], writer.get_extra_info("peername")
        if len(open_) >= CONNECTIONS_MAX or (route.from_cid is not None and peer[0] != route.from_cid):
            _log.warning("Route %s refuses a connection.", route.name)
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._carry(route, reader, writer))
        open_.add(task)
        task.add_done_callback(open_.discard)

    async def _carry(self, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        try:
            raw = await asyncio.to_thread(route.to.dial, DIAL_S)
            answers, there = await asyncio.open_connection(sock=raw, limit=PIECE_BYTES)
            await _both_ways(_pour(reader, there), _pour(answers, writer))
            async with asyncio.timeout(DIAL_S):  # for what is still to be sent
                for done in (there, writer):
                    done.close()
                    await done.wait_closed()
        except OSError as error:  # with it the other side ends too
            _log.info("Route %s: a connection ended: %s", route.name, error.strerror or type(error).__name__)
        finally:
            for each in (writer, there):
                if each is not None:
                    each.transport.abort()


async def _both_ways(there: Coroutine[Any, Any, None], back: Coroutine[Any, Any, None]) -> None:
    """Carry both directions until both have ended, or one has failed.

    When the target has ended its own, who called has little time left: a signer hangs up on whoever does not prove
    itself, and that caller would keep a place here for as long as a joint job may be silent.
    Errors: OSError.
    """
    sending, answering = asyncio.ensure_future(there), asyncio.ensure_future(back)
    try:
        await asyncio.wait((sending, answering), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        await answering
        async with asyncio.timeout(DIAL_S):
            await sending
    finally:
        for each in (sending, answering):
            each.cancel()
        await asyncio.gather(sending, answering, return_exceptions=True)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction to its end; an end that is announced is passed on."""
    while True:
        async with asyncio.timeout(IDLE_S):
            piece = await reader.read(PIECE_BYTES)
        if not piece:
            break
        writer.write(piece)
        async with asyncio.timeout(IDLE_S):
            await writer.drain()
    writer.write_eof()


async def serve(routes: Sequence[Route]) -> None:
    """Carry until SIGTERM or SIGINT."""
    proxy, stop = Proxy(routes), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await proxy.start()
    for route in routes:
        _log.info("Route %s: %s to %s.", route.name, route.listen, route.to)
    print("ready", flush=True)
    await stop.wait()
    await proxy.close()


def main() -> None:
    """Read the routes and serve."""
    parser = argparse.ArgumentParser(prog="python -m sdt.signing.proxy", description=__doc__.splitlines()[0])
    parser.add_argument("routes", type=Path, help="the list of routes, in TOML")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(load_routes(arguments.routes)))


if __name__ == "__main__":
    main()
