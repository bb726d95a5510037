"""The whole platform under load: signed transfers through the API's batch route until the last is settled and posted.

Real processes: API, worker, chain, three signers, desks and vendors. Clients sign beforehand, as clients do on machines
of their own. The presignatures are in stock, as they are in a platform that has stood for a while.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdt.demo.crowd import Crowd, gather_crowd
from sdt.domain.transaction import Status
from sdt.local.books import settled_books
from sdt.local.platform import Platform, running
from sdt.store import open_store, transactions

__all__ = ["FlowRate", "Load", "loaded"]

IN_A_REQUEST = 500
AHEAD = 6
"""Requests that the client has on their way at once."""

SETTINGS = {
    "SDT_SANDBOX__BANKING_DAY_S": "0.2",
    "SDT_SIGNING__STOCK_PER_PAIR": "200",
    "SDT_SIGNING__STOCK_PER_PAIR_MIN": "100",
}


@dataclass(frozen=True, slots=True)
class FlowRate:
    """Transfers a second from the first request to the last settled, and the sizes of the batches they made."""

    settled_per_s: float
    batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """A platform and the people who pay on it."""

    platform: Platform
    crowd: Crowd

    async def settle(self, count: int, seed: int) -> FlowRate:
        """Send so many transfers and wait until all have ended; every one must be completed."""
        ids = await self.crowd.new_ids(count)
        messages = self.crowd.payments(ids, random.Random(seed))
        room = asyncio.Semaphore(AHEAD)

        async def send(begin: int) -> None:
            async with room:
                part = slice(begin, begin + IN_A_REQUEST)
                sent = await self.crowd.send(ids[part], messages[part])
                assert {answer["http_status"] for answer in sent.answers} <= {200, 202}, "a transfer was refused"

        began = time.perf_counter()
        await asyncio.gather(*(send(begin) for begin in range(0, count, IN_A_REQUEST)))
        sizes = await self._until_completed(ids)
        return FlowRate(count / (time.perf_counter() - began), sizes)

    async def _until_completed(self, ids: list[str]) -> tuple[int, ...]:
        """Return the sizes of the batches once every transfer is completed; the books are read, so nobody is asked."""
        store = open_store(self.platform.settings.database.url)
        try:
            while sum((await store.read(transactions.counts_by_status)).values()):  # noqa: ASYNC110 (another process writes)
                await asyncio.sleep(0.05)
            rows = (await store.read(transactions.get_many, ids)).values()
            assert len(rows) == len(ids) and {row.status for row in rows} == {Status.COMPLETED}
            return tuple(Counter(row.batch_number for row in rows).values())
        finally:
            store.close()


@asynccontextmanager
async def loaded(home: Path, people: int) -> AsyncIterator[Load]:
    """Run a platform with so many funded people; at the end its books must agree."""
    with _settings():
        async with running(home) as platform:
            crowd = await gather_crowd(home, platform.network, people)
            try:
                yield Load(platform, crowd)
                books = await settled_books(platform.settings, platform.region)
                assert all(one.agree and one.covered for one in books), books
            finally:
                await crowd.close()


@contextmanager
def _settings() -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("SDT_")]:
        del os.environ[name]
    os.environ.update(SETTINGS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
