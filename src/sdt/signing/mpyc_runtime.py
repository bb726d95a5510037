"""An MPyC runtime for three parties, made by program: no arguments, no pickle, peers known by their certificates.

MPyC 0.11 reads `sys.argv` when imported, sends arrays as pickle, waits for ever for a peer that is gone, and does
not tie a peer's number to its certificate. Each of these is closed here. Only the short-lived job imports this.
MPyC numbers parties from 0; this platform from 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from sdt.domain.errors import Unavailable
from sdt.signing.sockets import Endpoint
from sdt.signing.tls import client_context, party_of, public_key_of, server_context

_argv, sys.argv = sys.argv, ["mpyc"]
try:
    import mpyc
    import mpyc.runtime
    from mpyc import asyncoro, sectypes
finally:
    sys.argv = _argv

PARTIES: Final = 3
FRAME_BYTES_MAX: Final = 4 * 2**20
"""The largest message of a batch of 1,000 is 0.13 MB."""
HELD_BYTES_MAX: Final = 32 * 2**20
"""Of messages that nothing waits for yet: a peer may not make us hold more than this."""
FRAMES_WAITING_MAX: Final = 10_000
CONNECT_RETRY_S: Final = 0.05
PARTING_S: Final = 2.0

T = TypeVar("T")
_log = logging.getLogger("sdt.signing.job")


class PeerLost(Unavailable):
    """A location went away, or broke the rules, in the middle of a joint job; the job is thrown away."""

    code = "peer_lost"


class _NoPickle:
    """Stands where MPyC keeps `pickle`: whatever a peer sends, no code of its choosing runs."""

    def __getattr__(self, name: str) -> NoReturn:
        raise PeerLost(f"pickle.{name} was reached; this platform never uses it.")


mpyc.runtime.pickle = _NoPickle()


@dataclass(frozen=True, slots=True)
class Seat:
    """Where this process sits in a joint job, and how to reach the others (index 0 is party 1)."""

    party: int
    addresses: tuple[tuple[str, int], ...]
    certificate: str
    key: str
    authority: str
    peer_keys: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    """Public keys that the peers attested a moment ago; empty where nothing was demanded of them."""


class _Held(dict[int, Any]):
    """Messages by what they belong to, as MPyC keeps them, with their bytes counted as they come and go.

    What we wait for has its place here too, as a future.
    """

    size = 0

    def __setitem__(self, at: int, value: Any) -> None:
        self.size += _bytes_of(value) - _bytes_of(self.get(at))
        super().__setitem__(at, value)

    def pop(self, at: int, *default: Any) -> Any:
        self.size -= _bytes_of(self.get(at))
        return super().pop(at, *default)


def _bytes_of(value: Any) -> int:
    return len(value) if isinstance(value, bytes) else 0


class _Exchanger(asyncoro.MessageExchanger):  # type: ignore[misc]
    """MPyC's connection to one peer, which fails what waits on a lost peer and checks who the peer is."""

    __slots__ = ()

    def __init__(self, runtime: JointRuntime, peer_pid: int | None = None) -> None:
        super().__init__(runtime, peer_pid)
        self.buffers = _Held()  # type: ignore[misc]  # a slot of MPyC's own class

    def _peer_is_certified(self, pid: int) -> bool:
        tls = self.transport.get_extra_info("ssl_object")
        if tls is None or party_of(tls.getpeercert()) != pid + 1:
            return False
        attested = self.runtime.seat.peer_keys[pid]
        return not attested or public_key_of(tls.getpeercert(binary_form=True)) == attested

    def connection_made(self, transport: Any) -> None:
        self.transport = transport  # type: ignore[misc]  # a slot of MPyC's own class
        if self.peer_pid is not None and not self._peer_is_certified(self.peer_pid):
            transport.abort()
            return
        super().connection_made(transport)

    def _admit(self, data: bytes) -> bool:
        """Check a connecting peer's claim of its number before MPyC believes it."""
        pid = int.from_bytes((bytes(self.bytes) + data)[:2], "little")
        runtime = self.runtime
        free = pid < runtime.pid and runtime.parties[pid].protocol is None
        return free and self._peer_is_certified(pid)

    def data_received(self, data: bytes) -> None:
        if self.peer_pid is None and len(self.bytes) + len(data) >= 2 and not self._admit(data):
            _log.error("A connection claimed a party number that its certificate does not name.")
            self.transport.abort()
            return
        super().data_received(data)
        begun = self.bytes
        too_long = len(begun) >= 12 and int.from_bytes(begun[8:12], "little") > FRAME_BYTES_MAX
        if too_long or len(self.buffers) > FRAMES_WAITING_MAX or self._held_bytes() > HELD_BYTES_MAX:
            self.transport.abort()

    def _held_bytes(self) -> int:
        """Return how much of this peer's lies here."""
        return len(self.bytes) + self.buffers.size

    def connection_lost(self, exc: Exception | None) -> None:
        runtime = self.runtime
        known = self.peer_pid is not None and runtime.parties[self.peer_pid].protocol is self
        if known and not runtime.leaving and not runtime.failed.done():
            runtime.failed.set_exception(PeerLost(f"Location {self.peer_pid + 1} left the joint job."))


class JointRuntime(mpyc.runtime.Runtime):  # type: ignore[misc]
    """MPyC's runtime with our connections; `failed` ends when a peer is lost."""

    seat: Seat
    failed: asyncio.Future[None]
    leaving = False

    async def start(self) -> None:
        """Connect to both peers.

        Errors: PeerLost. The caller sets the deadline.
        """
        loop = asyncio.get_running_loop()
        self.failed = loop.create_future()
        self.failed.add_done_callback(lambda done: done.exception())
        for party in self.parties:
            party.protocol = loop.create_future() if party.pid == self.pid else None
        server = None
        if self.pid:
            listening = Endpoint.of(*self.seat.addresses[self.pid]).listen()
            server = await loop.create_server(lambda: _Exchanger(self), sock=listening, ssl=server_context(self.seat))
        try:
            for peer in self.parties[self.pid + 1 :]:
                await self._connect(peer)
            await with_peers(self, asyncio.shield(self.parties[self.pid].protocol))
        finally:
            if server is not None:
                server.close()

    async def _connect(self, peer: Any) -> None:
        """Knock until the peer's job listens: the three are started at about the same time."""
        context, endpoint = client_context(self.seat), Endpoint.of(*self.seat.addresses[peer.pid])
        while True:
            try:
                await endpoint.connect(lambda: _Exchanger(self, peer.pid), context, "")
                return
            except ssl.SSLCertVerificationError:
                raise
            except (OSError, ConnectionError):
                await asyncio.sleep(CONNECT_RETRY_S)

    async def leave(self) -> None:
        """Part from the peers once all have what they need (MPyC's own `shutdown` would exchange pickles)."""
        self.leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING_S):
                await exchange(self, b"done")
        for party in self.parties:
            if party.pid != self.pid:
                party.protocol.close_connection()


def make_runtime(seat: Seat) -> JointRuntime:
    """Return a runtime for this seat, two of three, on the running event loop; one a process at a time."""
    options = mpyc._get_arg_parser().parse_args(["--no-log"])
    options.threshold = (PARTIES - 1) // 2
    options.no_prss = False
    options.no_async = False
    options.mix32_64bit = True  # shares travel as raw bytes; otherwise as pickle
    parties = [mpyc.runtime.Party(index, host, port) for index, (host, port) in enumerate(seat.addresses)]
    runtime = JointRuntime(seat.party - 1, parties, options)
    runtime.seat = seat
    modules = ("mpctools", "seclists", "secpols", "secgroups", "random", "statistics")
    for module in (sectypes, asyncoro, *(getattr(mpyc, name) for name in modules)):
        module.runtime = runtime
    mpyc.runtime.mpc = runtime
    return runtime


async def with_peers(runtime: JointRuntime, work: Awaitable[T]) -> T:
    """Await work, or fail at once when a peer is lost.

    Errors: PeerLost.
    """
    task = asyncio.ensure_future(work)
    either: set[asyncio.Future[Any]] = {task, runtime.failed}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    runtime.failed.result()
    raise AssertionError("the future that tells of a lost peer ended without one")


async def exchange(runtime: JointRuntime, data: bytes) -> list[bytes]:
    """Send raw bytes to both peers and return what the three sent, in party order.

    Errors: PeerLost.
    """

    @asyncoro.mpc_coro
    async def all_to_all():  # type: ignore[no-untyped-def]  # MPyC reads a return annotation as a secure type
        await runtime.returnType(asyncio.Future)
        others = [pid for pid in range(PARTIES) if pid != runtime.pid]
        for pid in others:
            runtime._send_message(pid, data)
        return await runtime.gather(
            [data if pid == runtime.pid else runtime._receive_message(pid) for pid in range(PARTIES)]
        )

    return [bytes(part) for part in await with_peers(runtime, all_to_all())]
