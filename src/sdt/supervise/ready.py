"""Waiting until a process says, or shows, that it is ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from sdt.supervise.spec import ReadyLine, ReadyUrl

__all__ = ["until_ready"]

_POLL_S = 0.03


async def until_ready(condition: ReadyLine | ReadyUrl, log: Path, offset: int) -> None:
    """Return once the condition holds; `offset` is where this start's output begins in the log.

    Units: offset in bytes.
    """
    if isinstance(condition, ReadyLine):
        await _until_line(condition.prefix.encode(), log, offset)
    else:
        await _until_answer(condition.url)


async def _until_line(prefix: bytes, log: Path, offset: int) -> None:
    with log.open("rb") as output:
        output.seek(offset)
        rest = b""
        while True:
            *lines, rest = (rest + output.read()).split(b"\n")
            if any(line.startswith(prefix) for line in lines):
                return
            await asyncio.sleep(_POLL_S)


async def _until_answer(url: str) -> None:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_POLL_S)
