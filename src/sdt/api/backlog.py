"""Admission control: intake is several times faster than settlement, so it stops before the queue grows long.

Without it the median time to settlement grows to many seconds; with it a client hears 429 and when to try again.
"""

from __future__ import annotations

import asyncio
import logging
import time

from sdt.domain.errors import RateLimited, Unavailable
from sdt.domain.transaction import Status
from sdt.store import Store, transactions

__all__ = ["Backlog"]

LOOK_S = 0.25
QUIET_LOOK_S = 1.0
RETRY_AFTER_S_MAX = 30.0
_ON_THE_WAY = (Status.ACCEPTED, Status.SCREENED, Status.BATCHED, Status.SUBMITTED)
log = logging.getLogger(__name__)


class Backlog:
    """How many accepted transactions are not settled yet: counted often, and added to in between."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._counted = 0
        self._added = 0
        self._rate_per_s = 0.0
        self._seen_at = time.monotonic()

    @property
    def size(self) -> int:
        """The newest number known."""
        return self._counted + self._added

    def add(self, count: int) -> None:
        """Count what was just accepted."""
        self._added += count

    def check(self) -> None:
        """Refuse new work while too much is waiting. Errors: RateLimited."""
        if self.size >= self._limit:
            raise RateLimited(
                f"{self.size} transactions wait to be settled; the limit is {self._limit}.",
                code="backlog",
                retry_after_s=self._retry_after_s(),
            )

    def _retry_after_s(self) -> float:
        """How long a tenth of the limit takes at the rate seen, so that not everybody returns at once."""
        if self._rate_per_s <= 0:
            return 5.0
        return min(max(self._limit / 10 / self._rate_per_s, 1.0), RETRY_AFTER_S_MAX)

    async def follow(self) -> None:
        """Keep the count current."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S if self.size else QUIET_LOOK_S)

    async def look(self) -> None:
        """Count once. A database that does not answer leaves the number as it was."""
        added = self._added
        try:
            counted = await self._store.read(_count)
        except Unavailable as error:
            log.warning("the backlog is not counted: %s", error.detail)
            return
        now = time.monotonic()
        settled = self._counted + added - counted
        self._rate_per_s = 0.8 * self._rate_per_s + 0.2 * max(settled, 0) / max(now - self._seen_at, 0.001)
        self._seen_at = now
        self._counted, self._added = counted, self._added - added


def _count(store: Store) -> int:
    counts = transactions.counts_by_status(store)
    return sum(counts.get(status, 0) for status in _ON_THE_WAY)
