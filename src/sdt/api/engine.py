"""The parts of a running API and their tasks: started together, and ended so that nothing taken is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from sdt.api.backlog import Backlog
from sdt.api.dispatch import Dispatch
from sdt.api.intake import Intake
from sdt.api.keys import KeyCache
from sdt.api.metrics import Metrics
from sdt.api.receipt_maker import ReceiptMaker
from sdt.api.services import Services
from sdt.api.waiting import Waiting

__all__ = ["Runtime"]

log = logging.getLogger(__name__)


class Runtime:
    """What the routes work with."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.keys = KeyCache(services.store)
        self.backlog = Backlog(services.store, services.limits.backlog_max)
        self.dispatch = Dispatch(services.store, services.queue, services.now_ms)
        self.intake = Intake(services, self.keys, self.backlog, self.dispatch)
        self.waiting = Waiting(services.store)
        self.receipts = ReceiptMaker(services, self.keys)
        self.metrics = Metrics(self.backlog)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to work."""
        self._tasks = [
            asyncio.create_task(_for_ever(name, work))
            for name, work in (
                ("keys", self.keys.follow),
                ("backlog", self.backlog.follow),
                ("dispatch", self.dispatch.run),
                ("sweeper", self.dispatch.sweep),
                ("intake", self.intake.run),
                ("waiting", self.waiting.run),
            )
        ]

    async def close(self) -> None:
        """Stop taking, finish what was taken, hand it to the queue."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.intake.close()
        await self.dispatch.close()
        await self.receipts.close()


async def _for_ever(name: str, work: Any) -> None:
    """Run a task that never ends by itself; a bug in it is logged and does not take the others down."""
    while True:
        try:
            task: Coroutine[Any, Any, None] = work()
            await task
        except Exception:
            log.exception("%s failed and starts again", name)
            await asyncio.sleep(0.5)
