"""A listener that answers GET with small pages, for a process that has no other web server.

It reads one bounded request line and nothing a caller says beyond the path, and closes after each answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

__all__ = ["Page", "serve_pages"]

Page = tuple[int, str, bytes]
"""Shape: HTTP status, media type, body."""

_LINE_BYTES_MAX: Final = 4_096
_READ_S: Final = 2.0
_CALLERS_MAX: Final = 8
_REASONS: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


async def serve_pages(host: str, port: int, pages: Mapping[str, Callable[[], Awaitable[Page]]]) -> asyncio.Server:
    """Serve each path's page until closed."""
    room = asyncio.Semaphore(_CALLERS_MAX)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            async with room, asyncio.timeout(_READ_S):
                method, path, _ = (await reader.readuntil(b"\r\n")).decode("ascii").split(" ", 2)
                while (await reader.readuntil(b"\r\n")) != b"\r\n":
                    pass
                page = pages.get(path) if method == "GET" else None
                status, kind, body = await page() if page else (404, "text/plain", b"there is nothing here\n")
                head = (
                    f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, host, port, limit=_LINE_BYTES_MAX)
