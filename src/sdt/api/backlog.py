"""Admission control: intake is several times faster than settlement, so it stops before the queue grows long.

Without it the median time to settlement grows to many seconds; with it a client hears 429 and when to try again.
One account has a part of it at most, so that nobody fills it for all others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from sdt.domain.errors import RateLimited, Unavailable
from sdt.domain.transaction import Status
from sdt.store import Store, intake, transactions

__all__ = ["Backlog"]

LOOK_S = 0.25
QUIET_LOOK_S = 1.0
RETRY_AFTER_S_MAX = 30.0
ACCOUNTS_LOOK_S = 1.0
"""How often those with many are looked for: that reads rows, where the count of all reads an index."""
_ON_THE_WAY = (Status.ACCEPTED, Status.SCREENED, Status.BATCHED, Status.SUBMITTED)
log = logging.getLogger(__name__)


class Backlog:
    """How many accepted transactions are not settled yet, of all and of each account that has many.

    Counted often, and added to in between.
    """

    def __init__(self, store: Store, limit: int, account_limit: int) -> None:
        self._store = store
        self._limit = limit
        self._account_limit = account_limit
        self._counted_of: Mapping[str, int] = {}
        self._added_of: Counter[str] = Counter()
        self._accounts_seen_at = 0.0
        self._counted = 0
        self._added = 0
        self._rate_per_s = 0.0
        self._seen_at = time.monotonic()

    @property
    def size(self) -> int:
        """The newest number known."""
        return self._counted + self._added

    def add(self, accounts: Iterable[str | None]) -> None:
        """Count what was just accepted: of each, whom it speaks for, if anybody."""
        for account in accounts:
            self._added += 1
            if account:
                self._added_of[account] += 1

    def check(self, account: str = "") -> None:
        """Refuse new work while too much is waiting, of all or of the account it speaks for. Errors: RateLimited."""
        if self.size >= self._limit:
            raise RateLimited(
                f"{self.size} transactions wait to be settled; the limit is {self._limit}.",
                code="backlog",
                retry_after_s=self._retry_after_s(),
            )
        if account and self._counted_of.get(account, 0) + self._added_of[account] >= self._account_limit:
            raise RateLimited(
                f"The limit of one account is {self._account_limit} transactions that wait to be settled.",
                code="account_backlog",
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
        """Count once. A database that does not answer leaves the numbers as they were."""
        added = self._added
        try:
            counted = await self._store.read(_count)
            if time.monotonic() - self._accounts_seen_at >= ACCOUNTS_LOOK_S:
                await self._look_at_accounts(counted)
        except Unavailable as error:
            log.warning("the backlog is not counted: %s", error.detail)
            return
        now = time.monotonic()
        settled = self._counted + added - counted
        self._rate_per_s = 0.8 * self._rate_per_s + 0.2 * max(settled, 0) / max(now - self._seen_at, 0.001)
        self._seen_at = now
        self._counted, self._added = counted, self._added - added

    async def _look_at_accounts(self, counted: int) -> None:
        """Find those who have half of what one may have: fewer is forgotten, since nobody adds the rest in a second."""
        added, least = self._added_of.copy(), max(self._account_limit // 2, 1)
        found = await self._store.read(intake.waiting_of_accounts, least) if counted >= least else {}
        self._counted_of = found
        self._added_of -= added
        self._accounts_seen_at = time.monotonic()


def _count(store: Store) -> int:
    counts = transactions.counts_by_status(store)
    return sum(counts.get(status, 0) for status in _ON_THE_WAY)
