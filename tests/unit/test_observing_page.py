"""The small listener of a process that has no other: it answers, and nothing a caller sends moves it."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from ports import free_port
from sdt.observing.page import Page, serve_pages


async def _alive() -> Page:
    return 200, "application/json", b'{"status": "alive"}'


async def _say(port: int, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_it_answers_what_there_is_and_refuses_the_rest() -> None:
    port = free_port()
    server = await serve_pages("127.0.0.1", port, {"/healthz": _alive})
    async with server, aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "alive"})
        for method, path in (("GET", "/"), ("POST", "/healthz"), ("GET", "/healthz?a=b")):
            async with http.request(method, f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == 404


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\xff\xfe /healthz x\r\n\r\n",
        b"GET " + 10_000 * b"a",
        b"GET /healthz HTTP/1.1\r\n",
    ],
)
async def test_what_is_no_request_is_cut_off_and_harms_nobody(words: bytes) -> None:
    port = free_port()
    async with await serve_pages("127.0.0.1", port, {"/healthz": _alive}):
        assert not (await _say(port, words)).startswith(b"HTTP/1.1 200")
        assert (await _say(port, b"GET /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")
