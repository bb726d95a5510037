"""Calls over TLS 1.3 between locations: a server that knows who calls, and a client that knows whom it called.

Certificates may be replaced while both run: see `sdt.signing.tls.Files`. The server then listens with the new ones on
the same socket and asks its callers to connect again; what was called goes on to its end on the old connection.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from sdt.domain.errors import Conflict, SdtError, Unavailable
from sdt.observing import tracing
from sdt.signing.frames import FrameProtocol
from sdt.signing.operations import OPERATION
from sdt.signing.sockets import CONNECT_TIMEOUT_S, Endpoint
from sdt.signing.tls import Credentials, Files, client_context, server_context
from sdt.signing.wire import (
    ANSWERS,
    Answer,
    Done,
    Failed,
    Operation,
    Reply,
    Request,
    encode,
    error_of,
    failure_of,
    reply_decoder,
    request_decoder,
)

CALLS_AT_ONCE_MAX: Final = 64
CONNECTIONS_MAX: Final = 8
"""Connections of one caller; one more closes its oldest."""
CALL_TIMEOUT_S: Final = 5.0
HANDSHAKE_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 330.0
"""The longest any answer may take to make: a joint job with the longest deadline, and its process's start."""
LOOK_PERIOD_S: Final = 5.0
"""How often to look whether certificates were replaced."""
RETIRE_S: Final = 30.0
"""How long a connection made under old certificates may still take to end its calls."""
_CONNECT_AGAIN: Final = 0
"""The number of a reply to nothing: the caller is asked to connect again."""

Handler = Callable[[int, Operation], Awaitable[Answer]]
Admit = Callable[[int, bytes, Operation], Awaitable[None]]
"""Refuses a caller, by party and public key, before its operation is looked at."""
Ask = Callable[[Operation], Awaitable[Answer]]
Prove = Callable[[bytes, Ask], Awaitable[None]]
"""Refuses whoever was reached, by its public key and what it answers over that very connection."""
_log = logging.getLogger("sdt.signing.link")


class LinkLost(Unavailable):
    """A location does not answer."""

    code = "location_unreachable"


class BadAnswer(Conflict):
    """A location's answer is none to what it was asked: it deviates, or runs another version."""

    code = "bad_answer"


class _Served(FrameProtocol):
    """One caller's connection, at the server."""

    def __init__(self, server: LinkServer) -> None:
        super().__init__()
        self._server = server
        self._calls: set[asyncio.Task[None]] = set()
        self._slow_reader = False
        self._opened_s = time.monotonic()

    def opened(self) -> None:
        self._server.connections.add(self)
        if self.party is None:
            _log.warning("A caller's certificate names nobody we know.")
            self.abort()
            return
        others = self._of_this_party()
        if len(others) > CONNECTIONS_MAX:
            # One location's certificate must not take up every descriptor that the others need.
            min(others, key=lambda one: one._opened_s).abort()

    def _of_this_party(self) -> list[_Served]:
        return [one for one in self._server.connections if one.party == self.party]

    def frame(self, content: bytes) -> None:
        """Begin an answer; a caller that leaves does not stop it: a release counts as signed."""
        if self.party is None:
            return
        try:
            request = request_decoder.decode(content)
        except msgspec.MsgspecError as error:
            _log.warning("Location %s sent what is no request: %s", self.party, error)
            self.abort()
            return
        call = asyncio.get_running_loop().create_task(self._answer(self.party, request))
        self._calls.add(call)
        call.add_done_callback(self._answered)
        self._pace()

    async def _answer(self, caller: int, request: Request) -> None:
        answer: Answer
        begun_s = time.perf_counter()
        try:
            name = f"signer.{type(request.operation).__name__.lower()}"
            with tracing.span(name, parent=tracing.traceparent_of(request.trace), party=caller):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    if self._server.admit is not None:
                        await self._server.admit(caller, self.peer_key, request.operation)
                    answer = await self._server.handle(caller, request.operation)
        except SdtError as error:
            answer = failure_of(error)
        except TimeoutError:
            answer = Failed("unavailable", "answer_timeout", "The signer could not answer in time.")
        except Exception:
            _log.exception("A call of location %s ended in a bug.", caller)
            answer = Failed("unavailable", "bug", "The signer failed in a way that it does not explain.")
        self.send(encode(Reply(request.id, answer)))
        outcome = "failed" if isinstance(answer, Failed) else "answered"
        OPERATION.observe(time.perf_counter() - begun_s, type(request.operation).__name__, outcome)

    def _answered(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        for one in self._of_this_party():
            one._pace()

    def _pace(self) -> None:
        calls = sum(len(one._calls) for one in self._of_this_party())
        self.hold(reading=calls < CALLS_AT_ONCE_MAX and not self._slow_reader)

    def pause_writing(self) -> None:
        """Take no more calls from a caller that does not read its answers."""
        self._slow_reader = True
        self._pace()

    def resume_writing(self) -> None:
        """Go on."""
        self._slow_reader = False
        self._pace()

    def retire(self) -> None:
        """Ask the caller to connect again, under the certificates of today."""
        self.send(encode(Reply(_CONNECT_AGAIN, Done())))
        asyncio.get_running_loop().call_later(RETIRE_S, self.abort)

    def lost(self) -> None:
        self._server.connections.discard(self)

    async def end(self) -> None:
        """Close, and wait for the calls that are being answered to notice."""
        self.close()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)


class LinkServer:
    """Serves one handler to whoever our authority certified; the handler is told who calls."""

    def __init__(self, credentials: Credentials, handle: Handler, admit: Admit | None = None) -> None:
        self.handle = handle
        self.admit = admit
        self.connections: set[_Served] = set()
        self._files = Files(credentials)
        self._context = server_context(credentials)
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._look: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen."""
        self._socket = Endpoint.of(host, port).listen()
        await self._listen()
        self._plan_look()

    async def _listen(self) -> None:
        assert self._socket is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Served(self),
            sock=self._socket.dup(),  # its own descriptor: the next server takes over the queue of callers
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=CONNECT_TIMEOUT_S,
        )

    async def renew(self) -> bool:
        """Read the certificates again and go over to them without missing a call; tell whether it worked.

        Files that do not fit together, as in the middle of being replaced, change nothing: it looks again later.
        """
        self._files.look()
        try:
            self._context = server_context(self._files.credentials)
        except OSError as error:
            _log.warning("The certificates cannot be used, the old ones stay: %s", error)
            self._files.forget()
            return False
        before, connections = self._server, list(self.connections)
        await self._listen()
        if before is not None:
            before.close()
        for connection in connections:
            connection.retire()
        _log.info("Certificates renewed; %d callers are asked to connect again.", len(connections))
        return True

    def _plan_look(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LOOK_PERIOD_S, self._look_now)

    def _look_now(self) -> None:
        if self._files.look():
            self._renewing = asyncio.get_running_loop().create_task(self._renew_quietly())
        self._plan_look()

    async def _renew_quietly(self) -> None:
        await self.renew()

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._look is not None:
            self._look.cancel()
        if self._renewing is not None:
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        if self._socket is not None:
            self._socket.close()
        await asyncio.gather(*(connection.end() for connection in list(self.connections)))


class _Called(FrameProtocol):
    """A connection to a location, at the caller."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self.retired = False

    def frame(self, content: bytes) -> None:
        try:
            reply = reply_decoder.decode(content)
        except msgspec.MsgspecError:
            self.abort()
            return
        if reply.id == _CONNECT_AGAIN:
            self.retire()
            return
        future = self.waiting.get(reply.id)
        if future is not None and not future.done():
            future.set_result(reply.answer)

    def retire(self) -> None:
        """Take no new calls; end after those that wait."""
        self.retired = True
        self.end_if_idle()

    def end_if_idle(self) -> None:
        """Close a retired connection that nobody waits on."""
        if self.retired and not self.waiting:
            self.close()

    def lost(self) -> None:
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError())


class Link:
    """A connection to one location, opened at the first call and again after it was lost."""

    def __init__(self, party: int, host: str, port: int, credentials: Credentials, prove: Prove | None = None) -> None:
        self.party = party
        self._endpoint = Endpoint.of(host, port)
        self._prove = prove
        self._files = Files(credentials)
        self._context: ssl.SSLContext | None = None
        self._looked_s = 0.0
        self._connection: _Called | None = None
        self._opening: asyncio.Task[_Called] | None = None
        self._ids = itertools.count(_CONNECT_AGAIN + 1)

    async def call(self, operation: Operation, timeout_s: float = CALL_TIMEOUT_S) -> Answer:
        """Call and return the answer.

        Errors: LinkLost within timeout_s; BadAnswer; whatever SdtError the location answers.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(self._ready() or await self._open(), operation)
        except (OSError, TimeoutError) as error:
            raise LinkLost(f"Location {self.party} does not answer.", party=self.party) from error

    async def prove(self, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Have the location prove itself anew, over a connection there is or a new one.

        Errors: as of `call`; whatever the proof is refused with.
        """
        assert self._prove is not None, "this link was given nothing to demand"
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._ready() or await self._open()
                await self._prove(connection.peer_key, lambda operation: self._ask(connection, operation))
        except (OSError, TimeoutError) as error:
            raise LinkLost(f"Location {self.party} does not answer.", party=self.party) from error

    async def _ask(self, connection: _Called, operation: Operation) -> Answer:
        number, future = next(self._ids), asyncio.get_running_loop().create_future()
        connection.waiting[number] = future
        try:
            connection.send(encode(Request(number, operation, tracing.current())))
            answer: Answer = await future
        finally:
            connection.waiting.pop(number, None)
            connection.end_if_idle()
        if isinstance(answer, Failed):
            raise error_of(answer)
        if not isinstance(answer, ANSWERS[type(operation)]):
            raise BadAnswer(f"Location {self.party} answered something else than it was asked.", party=self.party)
        return answer

    def _ready(self) -> _Called | None:
        """Return the connection if a call may go over it."""
        connection = self._connection
        if connection is None or connection.retired or not connection.open:
            return None
        now_s = asyncio.get_running_loop().time()
        if now_s > self._looked_s + LOOK_PERIOD_S:
            self._looked_s = now_s
            if self._files.look():
                connection.retire()
                return None
        return connection

    async def _open(self) -> _Called:
        """Open a connection; calls that come meanwhile wait for the same one.

        Errors: LinkLost, OSError, TimeoutError.
        """
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        try:
            return await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ConnectionResetError from None  # given up, and not this call cancelled

    def _opened(self, opening: asyncio.Task[_Called]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # every caller may have left

    async def _connect(self) -> _Called:
        self._renew_context()
        connection = await self._endpoint.connect(_Called, self._context, "")
        if connection.party != self.party:
            connection.abort()
            raise LinkLost(f"Whoever listens there is not location {self.party}.", party=self.party)
        if self._prove is not None:
            await self._proven(connection, self._prove)
        self._connection = connection
        return connection

    async def _proven(self, connection: _Called, prove: Prove) -> None:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await prove(connection.peer_key, lambda operation: self._ask(connection, operation))
        except BaseException:
            connection.abort()
            raise

    def _renew_context(self) -> None:
        """Take the certificates as they are now; files in the middle of being replaced leave the ones before.

        Errors: OSError when there are none before.
        """
        self._files.look()
        try:
            self._context = client_context(self._files.credentials)
        except OSError as error:
            if self._context is None:
                raise
            _log.warning("The certificates cannot be used, the old ones stay: %s", error)
            self._files.forget()

    def give_up(self) -> None:
        """Fail every call that waits: something else told that the location is gone."""
        if self._opening is not None:
            self._opening.cancel()
        if self._connection is not None:
            self._connection.abort()
            self._connection.lost()
            self._connection = None

    async def close(self) -> None:
        """End the connection."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
            self._connection.lost()
