"""A client that costs little: signed messages over kept connections, one HTTP request each.

It stands on the machine that is measured, where real clients do not; what it takes is missing from the platform.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

__all__ = ["put_each"]

ACCEPTED = 202


async def put_each(url: str, ids: Sequence[str], messages: Sequence[bytes], connections: int) -> None:
    """Send each message by `PUT /v1/transactions/{id}`; the next on a connection once the last is answered.

    Errors: AssertionError for any answer but 202.
    """
    where = urlsplit(url)
    head = (
        "PUT /v1/transactions/{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/jose\r\ncontent-length: {}\r\n\r\n"
    )
    requests = [
        head.format(id_, where.netloc, len(message)).encode() + message
        for id_, message in zip(ids, messages, strict=True)
    ]
    loop, waiting = asyncio.get_running_loop(), requests[::-1]
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: _Connection(waiting, end), where.hostname, where.port)
    await asyncio.gather(*ends)


class _Connection(asyncio.Protocol):
    """Takes requests off the common pile until there is none."""

    def __init__(self, waiting: list[bytes], end: asyncio.Future[None]) -> None:
        self._waiting = waiting
        self._end = end
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, blank, body = self._got.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        if int(head[9:12]) != ACCEPTED:
            self._fail(AssertionError(self._got.decode(errors="replace")))
            return
        self._got = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or AssertionError("The API closed a connection."))

    def _next(self) -> None:
        if self._waiting:
            self._transport.write(self._waiting.pop())
        elif not self._end.done():
            self._end.set_result(None)
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)


def _length(head: bytes) -> int:
    """Return the length of the body that an answer announces."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"An answer without a length: {head!r}")
