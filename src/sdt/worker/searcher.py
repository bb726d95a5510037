"""The worker's end of the search: one process with the list in force, asked over a pipe, started anew when it ends."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from sdt.domain.errors import Unavailable
from sdt.domain.sanctions.subjects import Found, Subject
from sdt.store import Store, sanctions
from sdt.store.sanctions import ListRow
from sdt.worker.search_process import Answer, Question, Ready

__all__ = ["Searcher"]

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
START_S_MAX: Final = 60.0
ANSWER_S_MAX: Final = 30.0


class Searcher:
    """Asks who on the list in force may be meant. When another list is put in force, the next question is for that."""

    def __init__(self, store: Store, home: Path) -> None:
        self._store = store
        self._home = home
        self._process: Process | None = None
        self._row: ListRow | None = None
        self._one = asyncio.Lock()

    @property
    def serving(self) -> str | None:
        """The digest of the list that is in memory."""
        return self._row.digest if self._row and self._process and self._process.returncode is None else None

    async def in_force(self) -> ListRow:
        """Return the list in force. Errors: Unavailable when there is none: nobody passes unscreened."""
        row = await self._store.read(sanctions.in_force)
        if row is None:
            raise Unavailable("No sanctions list is in force.", code="sanctions_list")
        return row

    async def find(
        self, parties: Sequence[Sequence[Subject]], threshold: int
    ) -> tuple[str, tuple[tuple[Found, ...], ...]]:
        """Return the digest of the list that was asked, and who may be meant, party by party.

        Units: threshold 0 to 100. Errors: Unavailable when there is no list, or its files or the process fail.
        """
        async with self._one:
            row = await self.in_force()
            process = await self._serving(row)
            question = Question(tuple(tuple(subjects) for subjects in parties), threshold)
            try:
                answer = await asyncio.wait_for(_ask(process, question), ANSWER_S_MAX)
            except (OSError, TimeoutError, ValueError, msgspec.DecodeError) as error:
                await self._end()
                raise Unavailable(
                    f"The search of the sanctions list failed ({type(error).__name__}) and starts anew.",
                    code="sanctions_list",
                ) from None
            except asyncio.CancelledError:
                # An answer that nobody read would be taken for the next question's.
                await self._end()
                raise
            return row.digest, answer.found

    async def close(self) -> None:
        """End the process."""
        async with self._one:
            await self._end()

    async def _serving(self, row: ListRow) -> Process:
        if self._process is not None and self.serving == row.digest:
            return self._process
        await self._end()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sdt.worker.search_process",
            str(self._home),
            row.digest,
            row.list_date,
            stdin=PIPE,
            stdout=PIPE,
            limit=LINE_BYTES_MAX,
        )
        self._row = row
        try:
            ready = await asyncio.wait_for(_ready(self._process), START_S_MAX)
        except (OSError, TimeoutError, ValueError, msgspec.DecodeError):
            ready = Ready(row.digest, problem="The search of the sanctions list does not start.")
        if ready.problem:
            await self._end()
            raise Unavailable(ready.problem, code="sanctions_list")
        return self._process

    async def _end(self) -> None:
        process, self._process, self._row = self._process, None, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ready(process: Process) -> Ready:
    assert process.stdout is not None
    return msgspec.json.decode(await process.stdout.readline(), type=Ready)


async def _ask(process: Process, question: Question) -> Answer:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(msgspec.json.encode(question) + b"\n")
    await process.stdin.drain()
    return msgspec.json.decode(await process.stdout.readline(), type=Answer)
