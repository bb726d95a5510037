"""A TCP relay on the loopback that can be cut, swallow everything, or be slow: a network between two locations."""

from __future__ import annotations

import asyncio
import contextlib

import ports


class TcpProxy:
    """Relays a port of its own to another; `mode` may change at any time.

    `pass`; `cut`: connections are reset and refused; `hole`: they stay open and nothing comes through; a number:
    seconds by which every piece is late.
    """

    def __init__(self, target_port: int) -> None:
        self.port = ports.free_port()
        self._target_port = target_port
        self._mode: str | float = "pass"
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> TcpProxy:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._reset()

    def set(self, mode: str | float) -> None:
        """Change what happens to every connection, those that are open too."""
        self._mode = mode
        if mode == "cut":
            self._reset()

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        there = None
        try:
            if self._mode == "cut":
                return
            from_there, there = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._writers.add(there)
            await asyncio.gather(self._pump(reader, there), self._pump(from_there, writer))
        except (OSError, asyncio.CancelledError):
            pass  # reset, or the end of the test
        finally:
            for each in (writer, there):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            while self._mode == "hole":
                await asyncio.sleep(0.05)
            if isinstance(self._mode, float):
                await asyncio.sleep(self._mode)
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        writer.transport.abort()
