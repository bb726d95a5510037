"""Calls over TLS 1.3 between locations: a server that knows who calls, and a client that knows whom it called."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from sdt.domain.errors import Invalid, SdtError, Unavailable
from sdt.signing.tls import Credentials, client_context, party_of, server_context
from sdt.signing.wire import (
    FRAME_BYTES_MAX,
    Answer,
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
CONNECT_TIMEOUT_S: Final = 2.0
CALL_TIMEOUT_S: Final = 5.0

Handler = Callable[[int, Operation], Awaitable[Answer]]
_log = logging.getLogger("sdt.signing.link")


class LinkLost(Unavailable):
    """A location does not answer."""

    code = "location_unreachable"


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return one frame.

    Errors: Invalid when it is too long; IncompleteReadError at the end.
    """
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > FRAME_BYTES_MAX:
        raise Invalid(f"A frame has at most {FRAME_BYTES_MAX} bytes.", code="frame_size")
    return await reader.readexactly(size)


def _write_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(len(frame).to_bytes(4, "big") + frame)  # one record, one packet


def _caller(writer: asyncio.StreamWriter) -> int | None:
    tls = writer.get_extra_info("ssl_object")
    return party_of(tls.getpeercert()) if tls is not None else None


class LinkServer:
    """Serves one handler to whoever our authority certified; the handler is told who calls."""

    def __init__(self, credentials: Credentials, handle: Handler) -> None:
        self._context = server_context(credentials)
        self._handle = handle
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, host, port, ssl=self._context, limit=2**18)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        caller = _caller(writer)
        try:
            if caller is None:
                _log.warning("A caller's certificate names nobody we know.")
            else:
                await self._serve(caller, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except SdtError as error:
            _log.warning("Location %s broke the framing: %s", caller, error.detail)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, caller: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        slots, calls = asyncio.Semaphore(CALLS_AT_ONCE_MAX), set[asyncio.Task[None]]()
        try:
            while True:
                frame = await _read_frame(reader)
                await slots.acquire()
                call = asyncio.create_task(self._answer(caller, frame, writer))
                calls.add(call)
                call.add_done_callback(calls.discard)
                call.add_done_callback(lambda _: slots.release())
        finally:
            for call in calls:  # a caller that left does not stop what it began: a release counts as signed
                call.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _answer(self, caller: int, frame: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = request_decoder.decode(frame)
        except msgspec.MsgspecError as error:
            _log.warning("Location %s sent what is no request: %s", caller, error)
            writer.close()
            return
        answer: Answer
        try:
            answer = await self._handle(caller, request.operation)
        except SdtError as error:
            answer = failure_of(error)
        except Exception:
            _log.exception("A call of location %s ended in a bug.", caller)
            answer = Failed("unavailable", "bug", "The signer failed in a way that it does not explain.")
        if not writer.is_closing():
            _write_frame(writer, encode(Reply(request.id, answer)))
            with contextlib.suppress(ConnectionError):
                await writer.drain()


class Link:
    """A connection to one location, opened at the first call and again after it was lost."""

    def __init__(self, party: int, host: str, port: int, credentials: Credentials) -> None:
        self.party = party
        self._address = (host, port)
        self._context = client_context(credentials)
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._ids = itertools.count(1)
        self._opening = asyncio.Lock()

    async def call(self, operation: Operation, timeout_s: float = CALL_TIMEOUT_S) -> Answer:
        """Call and return the answer.

        Errors: LinkLost within timeout_s; whatever SdtError the location answers.
        """
        try:
            async with asyncio.timeout(timeout_s):
                writer = await self._connected()
                number, future = next(self._ids), asyncio.get_running_loop().create_future()
                self._waiting[number] = future
                try:
                    _write_frame(writer, encode(Request(number, operation)))
                    await writer.drain()
                    answer: Answer = await future
                finally:
                    self._waiting.pop(number, None)
        except (OSError, TimeoutError) as error:
            raise LinkLost(f"Location {self.party} does not answer.", party=self.party) from error
        if isinstance(answer, Failed):
            raise error_of(answer)
        return answer

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None or self._writer.is_closing():
                host, port = self._address
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection(host, port, ssl=self._context, limit=2**18)
                if _caller(writer) != self.party:
                    writer.close()
                    raise LinkLost(f"Whoever listens there is not location {self.party}.", party=self.party)
                self._writer = writer
                self._listener = asyncio.create_task(self._listen(reader, writer))
            return self._writer

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                reply = reply_decoder.decode(await _read_frame(reader))
                future = self._waiting.get(reply.id)
                if future is not None and not future.done():
                    future.set_result(reply.answer)
        except (asyncio.IncompleteReadError, OSError, SdtError, msgspec.MsgspecError):
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError())

    async def close(self) -> None:
        """End the connection."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
