"""A lane over a real store, with a stand-in for the signers and for the chain's node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.region import Region
from sdt.domain.transaction import Status
from sdt.signing.coordinator import Outcome
from sdt.signing.ecdsa import Signature
from sdt.signing.wire import BatchProposal
from sdt.store import Store, batches, transactions
from sdt.worker.follower import Follower
from sdt.worker.forming import LaneLimits
from sdt.worker.lane import Lane
from sdt.worker.reading import Reading
from store_rig import NOW_MS

ITEMS = 3
SETTLEMENT = "0x" + "5e" * 20
WITHIN_S = 10.0


@dataclass
class Clock:
    s: int = NOW_MS // 1000

    def now_s(self) -> int:
        return self.s

    def now_ms(self) -> int:
        return self.s * 1000


@dataclass
class Locations:
    """Stands where the coordinator stands. `answers` come first, one for each call; then all is signed."""

    answers: list[Callable[[BatchProposal], Outcome]] = field(default_factory=list)
    shown: list[tuple[BatchProposal, tuple[bytes, ...]]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def sign(self, batch: BatchProposal, tx_hash: bytes, chain_id: int) -> Outcome:
        self.shown.append((batch, tuple(entry.jws for entry in batch.entries)))
        await self.open.wait()
        if self.answers:
            return self.answers.pop(0)(batch)
        return Outcome(Signature(5, 7, 0))


@dataclass
class Client:
    sent: list[bytes] = field(default_factory=list)

    async def send(self, raw: bytes) -> None:
        self.sent.append(raw)


@dataclass
class Rig:
    store: Store
    region: Region
    locations: Locations = field(default_factory=Locations)
    client: Client = field(default_factory=Client)
    clock: Clock = field(default_factory=Clock)
    reading: Any = field(default_factory=Reading)
    """What reads the messages of rows: the worker's own, or one of the test's."""

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        """Run a lane, as a process that starts and is killed."""
        follower = Follower(
            self.store,
            self.region,
            None,  # type: ignore[arg-type]
            self.client,  # type: ignore[arg-type]
            chain_id=1,
            settlement=SETTLEMENT,
            gas_price_wei=0,
            depth=1,
            poll_s=1,
            clock=self.clock,  # type: ignore[arg-type]
            demand=lambda: None,
        )
        follower.stands.set()
        limits = LaneLimits(ITEMS, 0.0, 9, 10**9, deadline_s=60, look_s=0.05)
        parts: Any = (self.locations, follower, asyncio.Event(), limits, self.clock, self.reading, lambda: None)
        running = asyncio.create_task(Lane(self.store, self.region, *parts).run())
        try:
            yield running
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended

    async def until(self, condition: Callable[[Store], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not await self.store.read(condition):
                await asyncio.sleep(0.01)

    def batches(self) -> list[tuple[int, str]]:
        return list(self.store.rows("SELECT number, status FROM batches ORDER BY number, formed_at_ms, status"))

    def check(self, ids: Sequence[str], rejected: Sequence[str] = ()) -> None:
        """Everything is in one batch that stands, and each of these names the one before it."""
        assert all(status != "formed" for _, status in self.batches())
        parent, seen = GENESIS_HEAD, []
        for row in batches.unfinished(self.store):
            rows = transactions.in_batch(self.store, row.number)
            assert (row.parent, row.nonce, row.count) == (parent, row.number - 1, len(rows))
            assert {one.status for one in rows} == {Status.SUBMITTED}
            seen += [one.id for one in rows]
            assert row.head is not None
            parent = row.head
        assert seen == [id_ for id_ in ids if id_ not in rejected]
        found = transactions.get_many(self.store, list(rejected)).values()
        assert {row.status for row in found} <= {Status.REJECTED}
        assert len(self.client.sent) == len(batches.unfinished(self.store))


def two_formed(store: Store) -> bool:
    """A batch is being signed, and the one behind it is formed."""
    return store.row("SELECT count(*) FROM batches WHERE status = 'formed'") == (2,)
