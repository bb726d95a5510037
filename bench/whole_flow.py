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
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load_client import put_each
from sdt.demo.crowd import Crowd, gather_crowd
from sdt.demo.sandbox_calls import order_sandbox
from sdt.domain.transaction import Status
from sdt.local.books import settled_books
from sdt.local.joining import Chain
from sdt.local.platform import Platform, running
from sdt.store import Store, open_store, transactions
from sdt.store.tables.core import LIVE, UNFINISHED

__all__ = ["FlowRate", "Load", "loaded"]

IN_A_REQUEST = 500
STEADY_REQUEST = 50
"""Messages in one request at a steady rate."""
AHEAD = 6
"""Requests that the client has on their way at once."""

SETTINGS = {
    # Days shorter than this would have the platform ask its bank ten times a second.
    "SDT_SANDBOX__BANKING_DAY_S": "1",
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
        await self._until_settled()
        took_s = time.perf_counter() - began
        return FlowRate(count / took_s, await self._batches_of(ids))

    async def settle_singly(self, count: int, seed: int, connections: int = 64) -> FlowRate:
        """Send so many transfers, one HTTP request each, and wait until all have ended."""
        ids = await self.crowd.new_ids(count)
        messages = self.crowd.payments(ids, random.Random(seed))
        began = time.perf_counter()
        await put_each(self.platform.network.url, ids, messages, connections)
        await self._until_settled()
        took_s = time.perf_counter() - began
        return FlowRate(count / took_s, await self._batches_of(ids))

    async def latencies_ms(self, per_s: float, seconds: float, seed: int) -> list[int]:
        """Send at a steady rate for so long; return how long each transfer took from acceptance to final, sorted."""
        count = int(per_s * seconds) // STEADY_REQUEST * STEADY_REQUEST
        ids = await self.crowd.new_ids(count)
        messages = self.crowd.payments(ids, random.Random(seed))
        began, sending = time.perf_counter(), []
        for begin in range(0, count, STEADY_REQUEST):
            await asyncio.sleep(max(0.0, began + begin / per_s - time.perf_counter()))
            part = slice(begin, begin + STEADY_REQUEST)
            sending.append(asyncio.create_task(self.crowd.send(ids[part], messages[part])))
        await asyncio.gather(*sending)
        await self._until_settled()
        await self._batches_of(ids)
        store = open_store(self.platform.settings.database.url)
        try:
            return sorted(await store.read(_latencies, ids))
        finally:
            store.close()

    async def _until_settled(self) -> None:
        """Wait until nothing is under way; the books are read, so nobody is asked."""
        store = open_store(self.platform.settings.database.url)
        try:
            while await store.read(_something_waits):  # noqa: ASYNC110 (another process writes)
                await asyncio.sleep(0.05)
        finally:
            store.close()

    async def _batches_of(self, ids: list[str]) -> tuple[int, ...]:
        """Return the sizes of the batches that settled these transfers, each of which must be completed."""
        store = open_store(self.platform.settings.database.url)
        try:
            rows = (await store.read(transactions.get_many, ids)).values()
            assert len(rows) == len(ids) and {row.status for row in rows} == {Status.COMPLETED}
            return tuple(Counter(row.batch_number for row in rows).values())
        finally:
            store.close()


def _something_waits(store: Store) -> bool:
    return any(
        store.row(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1") is not None  # noqa: S608
        for table, condition in (("transactions", LIVE), ("batches", UNFINISHED))
    )


def _latencies(store: Store, ids: Sequence[str]) -> list[int]:
    found = transactions.get_many(store, list(ids)).values()
    final = dict(store.rows("SELECT number, final_at_ms FROM batches WHERE status = 'final'"))
    return [final[row.batch_number] - row.accepted_at_ms for row in found]


@asynccontextmanager
async def loaded(
    home: Path, people: int, chain: Chain | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Load]:
    """Run a platform with so many funded people; at the end its books must agree.

    `chain` is the one to stand on, else the embedded one; `settings` are SDT_ variables over this bench's own.
    """
    with _settings(settings or {}):
        async with running(home, chain=chain) as platform:
            crowd = await gather_crowd(home, platform.network, people)
            # People were funded in days of a second; in the minutes that follow no day ends, as none does.
            await order_sandbox(platform.settings, "bank", "/v1/clock", {"action": "freeze"})
            try:
                yield Load(platform, crowd)
                books = await settled_books(platform.settings, platform.region)
                assert all(one.agree and one.covered for one in books), books
            finally:
                await crowd.close()


@contextmanager
def _settings(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("SDT_")]:
        del os.environ[name]
    os.environ.update(SETTINGS | dict(more))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
