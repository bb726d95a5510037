"""The sweeper as a function on a schedule: sends what was committed and never came into the queue.

A function of the API that was ended between commit and queue leaves such a transaction; no other one knows of it.

It also looks whether payments stand still, since it runs each minute whatever else stands: an error in its log is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from sdt.api.dispatch import Dispatch
from sdt.functions.context import Context
from sdt.ports.queue import Queue
from sdt.store import Store
from sdt.store.standstill import longest_wait_ms
from sdt.worker.clock import Clock

__all__ = ["SweepFunction"]

ROUND_S: Final = 10.0
"""With less time left no further round is begun; the schedule brings the next."""
STANDS_STILL_S: Final = 120
"""A payment that has waited for the platform alone for longer: what settles does not."""

log = logging.getLogger(__name__)


class SweepFunction:
    """Sends rounds until nothing is left to send."""

    def __init__(self, store: Store, queue: Queue, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._dispatch = Dispatch(store, queue, clock.now_ms)
        self._loop = asyncio.new_event_loop()

    def handler(self, event: Mapping[str, Any], context: Context) -> dict[str, int]:
        """Sweep; return how many were sent. Errors: Unavailable when database or queue does not answer."""
        return {"sent": self._loop.run_until_complete(self._sweep(context))}

    async def _sweep(self, context: Context) -> int:
        await self._store.revive()
        await self._tell_of_a_standstill()
        sent = 0
        while count := await self._dispatch.sweep_once():
            sent += count
            if context.get_remaining_time_in_millis() < ROUND_S * 1000:
                break
        if sent:
            log.warning("%d transactions had not come into the queue and were sent", sent)
        return sent

    async def _tell_of_a_standstill(self) -> None:
        waited_s = await self._store.read(longest_wait_ms, self._clock.now_ms()) // 1000
        if waited_s > STANDS_STILL_S:
            log.error("payments stand still: one has waited %d s for nobody but the platform", waited_s)
