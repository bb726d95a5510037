"""From the database to the queue: every accepted transaction is handed to the worker, also after a crash in between.

The commit comes first, so nothing is queued that does not exist; what was committed and is not screened seconds later
is sent again by the sweeper, once. Sending twice does no harm: the queue knows the id, and so does the worker. So only
the sweeper writes down what it sent: a mark on every row would cost each of them an update and the database a commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sdt.domain.errors import Unavailable
from sdt.store import Store
from sdt.store.intake import mark_queued, unqueued

if TYPE_CHECKING:
    from sdt.ports.queue import Queue

__all__ = ["Dispatch"]

SWEEP_S = 1.0
SWEEP_AGE_MS = 4_000
SWEEP_MAX = 2_000
log = logging.getLogger(__name__)


class Dispatch:
    """Sends ids to the queue, many at once. `run` and `sweep` work; `close` sends what is left."""

    def __init__(self, store: Store, queue: Queue, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._queue = queue
        self._now_ms = now_ms
        self._waiting: list[tuple[str, str]] = []
        self._wake = asyncio.Event()

    def send(self, ids: Sequence[tuple[str, str]]) -> None:
        """Hand over what was stored. Shape: (transaction_id, group); a group keeps its order."""
        if ids:
            self._waiting.extend(ids)
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. What cannot be sent is left to the sweeper."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._flush()
            except Unavailable as error:
                log.warning("not queued yet: %s", error.detail)

    async def sweep(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep_once()
            except Unavailable as error:
                log.warning("the sweeper waits: %s", error.detail)
            await asyncio.sleep(SWEEP_S)

    async def sweep_once(self) -> int:
        """Send again, once, what was accepted seconds ago and is not screened yet; return how many there were.

        Errors: Unavailable when database or queue does not answer.
        """
        forgotten = await self._store.read(unqueued, self._now_ms() - SWEEP_AGE_MS, SWEEP_MAX)
        if forgotten:
            await self._hand_over([(id_, account or id_) for id_, account in forgotten])
            await self._store.run(mark_queued, [id_ for id_, _ in forgotten], self._now_ms())
        return len(forgotten)

    async def close(self) -> None:
        """Send what is left; what fails now is found by the sweeper of the next start."""
        try:
            await self._flush()
        except Unavailable as error:
            log.warning("not queued before the end: %s", error.detail)

    async def _flush(self) -> None:
        ids, self._waiting = self._waiting, []
        if ids:
            await self._hand_over(ids)

    async def _hand_over(self, ids: Sequence[tuple[str, str]]) -> None:
        from sdt.ports.queue import QueueEntry  # what comes with it would be a tenth of a function's import

        await self._queue.send([QueueEntry(group, id_, id_) for id_, group in ids])
