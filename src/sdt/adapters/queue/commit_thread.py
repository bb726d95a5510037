"""One thread that owns one SQLite connection and commits together whatever arrived while it was busy.

A durable commit waits for the disk; sharing it lets many small callers go as fast as one large one.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sdt.domain.errors import Unavailable

Result = TypeVar("Result")
_JOBS_PER_COMMIT = 200


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class CommitThread:
    """Run functions on the connection, off the event loop, many to a commit.

    Errors: Unavailable when SQLite cannot (disk full, locked too long); then nothing of that commit was done.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` inside a transaction and return its result once that is committed."""
        return await self._submit(work, writes=True)

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work`, which must not write."""
        return await self._submit(work, writes=False)

    async def close(self) -> None:
        """Finish what was submitted, then close the connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _submit(self, work: Callable[[sqlite3.Connection], Result], *, writes: bool) -> Result:
        if self._closed:
            raise Unavailable("The queue is closed.", code="queue_closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._jobs.put(_Job(work, writes, loop, future))
        return await future

    def _run(self) -> None:
        while True:
            jobs, last = self._take()
            self._execute([job for job in jobs if not job.writes], transaction=False)
            self._execute([job for job in jobs if job.writes], transaction=True)
            if last:
                self._connection.close()
                return

    def _take(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) >= _JOBS_PER_COMMIT:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _execute(self, jobs: list[_Job], *, transaction: bool) -> None:
        if not jobs:
            return
        try:
            if transaction:
                self._connection.execute("begin immediate")
            outcomes: list[Any] = [job.work(self._connection) for job in jobs]
            if transaction:
                self._connection.execute("commit")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            outcomes = [_failure(error)] * len(jobs)
        _deliver(jobs, outcomes)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


def _failure(error: BaseException) -> _Failed:
    if isinstance(error, sqlite3.Error):
        return _Failed(Unavailable(f"The queue's file does not answer: {error}", code="queue_unavailable"))
    return _Failed(error)


def _deliver(jobs: list[_Job], outcomes: list[Any]) -> None:
    """Hand results over with one wake-up per event loop, not one per job."""
    for loop in {job.loop for job in jobs}:
        mine = [(job.future, outcome) for job, outcome in zip(jobs, outcomes, strict=True) if job.loop is loop]
        with contextlib.suppress(RuntimeError):  # The loop was closed: nobody waits there any more.
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in results:
        if future.done():
            continue
        if isinstance(outcome, _Failed):
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome)
