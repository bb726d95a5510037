"""The embedded queue: SQS FIFO's behaviour on one SQLite file that several processes share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from sdt.adapters.queue import table
from sdt.adapters.queue.commit_thread import CommitThread
from sdt.domain.errors import Invalid
from sdt.ports.queue import VISIBILITY_MAX_S, WAIT_MAX_S, DeadLetter, QueueDepth, QueueEntry, Received

_POLL_S: Final = 0.01
_QUIET_POLL_S: Final = 0.04
_QUICK_S: Final = 5.0
"""After the last message the file is looked at quickly for so long; then the first that comes waits 20 ms longer."""
"""How soon a consumer sees what another process sent; an idle consumer costs 3 % of a core."""


class EmbeddedQueue:
    """A durable FIFO queue in a file; use one object per process and event loop.

    A message received `max_receives` times and not deleted goes to the dead letters; nothing expires.

    Errors: Unavailable when the file cannot be written; then nothing was done.
    """

    def __init__(self, path: Path, *, max_receives: int = 5, clock: Callable[[], float] = time.time) -> None:
        if max_receives < 1:
            raise Invalid("A message must be received at least once before it is dead.", code="queue_receives")
        self._clock = clock
        self._max_receives = max_receives
        self._thread = CommitThread(table.open_file(path), f"queue {path.name}")
        self._sleepers: set[asyncio.Event] = set()
        self._quick_until_s = 0.0

    async def send(self, entries: Sequence[QueueEntry]) -> Sequence[str]:
        """Store the entries in one commit and return their message ids."""
        if not entries:
            return []
        ids = await self._thread.write(partial(table.send, entries=entries, now=self._clock()))
        self._wake()
        return ids

    async def receive(self, max_messages: int, wait_s: float, visibility_s: float) -> Sequence[Received]:
        """Take up to `max_messages`; sleep until something can be had or `wait_s` is over."""
        if max_messages < 1 or not 0 <= wait_s <= WAIT_MAX_S or not 0 <= visibility_s <= VISIBILITY_MAX_S:
            raise Invalid("Receive at least 1, wait 0 to 20 s, hide 0 s to 12 h.", code="queue_receive")
        deadline = time.monotonic() + wait_s
        stirred = asyncio.Event()
        self._sleepers.add(stirred)
        try:
            while True:
                stirred.clear()
                outlook = await self._thread.read(lambda c: table.outlook(c, self._clock()))
                received = await self._take(max_messages, visibility_s) if outlook.deliverable else []
                if received:
                    self._quick_until_s = time.monotonic() + _QUICK_S
                if received or time.monotonic() >= deadline:
                    return received
                await self._sleep(stirred, outlook, deadline)
        finally:
            self._sleepers.discard(stirred)

    async def delete(self, receipts: Sequence[str]) -> Sequence[str]:
        """Delete in one commit; return the receipts refused."""
        refused = await self._thread.write(lambda c: table.delete(c, receipts, self._clock()))
        self._wake()
        return refused

    async def extend(self, receipts: Sequence[str], visibility_s: float) -> Sequence[str]:
        """Hide for `visibility_s` from now; return the receipts refused."""
        if not 0 <= visibility_s <= VISIBILITY_MAX_S:
            raise Invalid("A message is hidden for 0 s to 12 h.", code="queue_extend")
        refused = await self._thread.write(lambda c: table.extend(c, receipts, visibility_s, self._clock()))
        self._wake()
        return refused

    async def depth(self) -> QueueDepth:
        """Return the counts."""
        return await self._thread.read(lambda c: table.depth(c, self._clock()))

    async def dead_letters(self, max_messages: int) -> Sequence[DeadLetter]:
        """Return the oldest dead letters without removing them."""
        return await self._thread.read(lambda c: table.dead_letters(c, max_messages))

    async def redrive(self) -> int:
        """Move every dead letter to the end of the queue; return how many."""
        moved = await self._thread.write(lambda c: table.redrive(c, self._clock()))
        self._wake()
        return moved

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        await self._thread.close()

    async def _take(self, max_messages: int, visibility_s: float) -> list[Received]:
        return await self._thread.write(
            lambda c: table.receive(c, max_messages, visibility_s, self._max_receives, self._clock())
        )

    async def _sleep(self, stirred: asyncio.Event, outlook: table.Outlook, deadline: float) -> None:
        """Return when the file changed, a message comes out of hiding, or time is up."""
        while (left := deadline - time.monotonic()) > 0:
            quick = time.monotonic() < self._quick_until_s
            pause = min(left, _POLL_S if quick else _QUIET_POLL_S)
            if outlook.next_reveal is not None:
                pause = max(0.0, min(pause, outlook.next_reveal - self._clock()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stirred.wait()
                    return
            if outlook.next_reveal is not None and self._clock() >= outlook.next_reveal:
                return
            if await self._thread.read(table.data_version) != outlook.version:
                return

    def _wake(self) -> None:
        for stirred in self._sleepers:
            stirred.set()
