"""The parts of a running API and their tasks: started together, and ended so that nothing taken is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sdt.api.backlog import Backlog
from sdt.api.dispatch import Dispatch
from sdt.api.intake import Intake
from sdt.api.keys import KeyCache
from sdt.api.metrics import Metrics
from sdt.api.services import Services
from sdt.api.waiting import Waiting
from sdt.observing.process import watch_loop

if TYPE_CHECKING:
    from sdt.api.receipt_maker import ReceiptMaker

__all__ = ["Runtime"]

FRESH_MS: Final = 500
"""How long a key counts without another look, as long as a server takes to see a revocation."""

IDLE_MS: Final = 20_000
"""How long a connection may be unused and still be trusted; databases and their proxies close idle ones in minutes."""

log = logging.getLogger(__name__)


class Runtime:
    """What the routes work with."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.keys = KeyCache(services.store)
        self.backlog = Backlog(services.store, services.limits.backlog_max, services.limits.account_backlog_max)
        self.dispatch = Dispatch(services.store, services.queue, services.now_ms)
        self.intake = Intake(services, self.keys, self.backlog, self.dispatch)
        self.waiting = Waiting(services.store)
        self.metrics = Metrics(self.backlog, services.limits.backlog_max)
        self._tasks: list[asyncio.Task[None]] = []
        self._fresh_at_ms = 0

    async def start(self) -> None:
        """Begin to work."""
        self._run(
            ("intake", self.intake.run),
            ("waiting", self.waiting.run),
            ("keys", self.keys.follow),
            ("backlog", self.backlog.follow),
            ("dispatch", self.dispatch.run),
            ("sweeper", self.dispatch.sweep),
            ("loop", watch_loop),
        )

    async def start_on_demand(self) -> None:
        """Begin to work where everything stands still between requests: only what a request itself waits for runs.

        Call `freshen` before each request and `finish` after it.
        """
        self._run(("intake", self.intake.run), ("waiting", self.waiting.run))

    def _run(self, *works: tuple[str, Any]) -> None:
        self._tasks += [asyncio.create_task(_for_ever(name, work)) for name, work in works]

    async def freshen(self) -> None:
        """Let go of what may have changed while this stood still, and of connections that the database closed.

        Errors: Unavailable when the database does not answer.
        """
        now_ms = self.services.now_ms()
        if abs(now_ms - self._fresh_at_ms) < FRESH_MS:
            return
        self.keys.forget()
        if abs(now_ms - self._fresh_at_ms) >= IDLE_MS:
            await self.services.store.revive()
        await self.backlog.look()
        self._fresh_at_ms = now_ms

    async def finish(self) -> None:
        """Commit what was taken and hand it to the queue; what cannot be sent now is the sweeper's."""
        await self.intake.close()
        await self.dispatch.close()

    async def close(self) -> None:
        """Stop taking, finish what was taken, hand it to the queue."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.finish()
        if "receipts" in self.__dict__:
            await self.receipts.close()

    @cached_property
    def receipts(self) -> ReceiptMaker:
        """What makes receipts, from the first one that is asked for."""
        from sdt.api.receipt_maker import ReceiptMaker

        return ReceiptMaker(self.services, self.keys)


async def _for_ever(name: str, work: Any) -> None:
    """Run a task that never ends by itself; a bug in it is logged and does not take the others down."""
    while True:
        try:
            task: Coroutine[Any, Any, None] = work()
            await task
        except Exception:
            log.exception("%s failed and starts again", name)
            await asyncio.sleep(0.5)
