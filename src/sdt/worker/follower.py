"""Follows the chain block by block and carries what it finds into the books.

A batch counts as included when a block has it, as final `depth` blocks later; each final block is one database
transaction that also moves the mark from which a restart goes on. Blocks are followed by hash and parent: one that
left the chain takes its inclusions with it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdt.adapters.chain.answers import Block
from sdt.adapters.chain.client import ChainClient
from sdt.adapters.chain.errors import ChainUnavailable
from sdt.adapters.chain.follow import ChainForked, Happening, follow
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.assembly import Frame
from sdt.domain.batch import (
    GENESIS_HEAD,
)
from sdt.domain.errors import SdtError
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.observing import tracing
from sdt.store import Store, batches, events, lane, transactions
from sdt.worker.behind import refuse_older_database
from sdt.worker.clock import Clock
from sdt.worker.figures import LANE, SETTLED_AGE
from sdt.worker.flight import Flight, Flights, signed_flights
from sdt.worker.pace import rest
from sdt.worker.projection import ACTOR, Settled, project
from sdt.worker.said import Said, what_was_said

__all__ = ["Follower", "Place"]

log = logging.getLogger(__name__)

RESEND_S = 3.0
LAG_BLOCKS_MAX = 5
"""A node further behind the others is passed over."""
MISSED_S = 10.0
"""After so long without inclusion the other nodes are asked whether they have a batch."""
RETRY_S = 0.5
MARK_S = 5.0
LOOK_WHO_SEALS_S = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next batch goes."""

    number: int
    parent: bytes
    nonce: int
    chain_id: int
    settlement: str
    gas_price_wei: int

    def frame(self, deadline_s: int) -> Frame:
        """Return the frame of a batch in this place."""
        return Frame(
            self.number, self.parent, deadline_s, self.nonce, self.chain_id, self.settlement, self.gas_price_wei
        )


class Follower:
    """Keeps the flights, sends and re-sends them, and settles them in the order of the chain."""

    def __init__(
        self,
        store: Store,
        region: Region,
        reader: ChainReader,
        client: ChainClient,
        *,
        chain_id: int,
        settlement: str,
        gas_price_wei: int,
        depth: int,
        poll_s: float,
        clock: Clock,
        demand: Callable[[], None],
    ) -> None:
        self._store = store
        self._region = region
        self._reader = reader
        self._client = client
        self.chain_id = chain_id
        self.settlement = settlement
        self.gas_price_wei = gas_price_wei
        self._depth = depth
        self._poll_s = poll_s
        self._clock = clock
        self._demand = demand
        self.flights = Flights()
        self.stands = asyncio.Event()
        """Set once the database was held against the chain: nothing is settled before."""
        self._change = asyncio.Event()
        self._rewind: Block | None = None
        self._marked_s = 0.0
        self.head_block = -1
        self.head_seen_s = asyncio.get_running_loop().time()

    def oldest_wait_s(self) -> float:
        """Return how long the oldest batch that no block has is on its way; 0 when there is none."""
        waiting = [flight.first_sent_at_s for flight in self.flights if flight.included_at is None]
        return asyncio.get_running_loop().time() - min(waiting) if waiting else 0.0

    async def changed(self) -> None:
        """Wait until a flight was included, settled or voided."""
        self._change.clear()
        await self._change.wait()

    def place(self, store: Store, after: bytes | None = None) -> Place:
        """Return the place after the last batch that still stands; read from the books, so a crash loses none.

        `after` is that one's head where it is not signed yet.
        A voided batch gives its number back, and its nonce too unless the chain has consumed it.
        """
        last = batches.last_standing(store)
        number, parent = (last.number + 1, after or last.head) if last else (1, GENESIS_HEAD)
        assert parent is not None, "a batch is formed on one that is not signed"
        nonce = batches.next_nonce(store)
        return Place(number, parent, nonce, self.chain_id, self.settlement, self.gas_price_wei)

    async def recover(self) -> None:
        """Take up what a crash left on its way: everything signed is still to be seen final."""
        for flight in await self._store.run(signed_flights):
            flight.first_sent_at_s = asyncio.get_running_loop().time()
            self.flights.add(flight)
        mark = await self._store.read(lane.state)
        if mark is None or mark.followed_block_number is None:
            start = await self._reader.block_number()
            await self._store.run(self._mark, await self._reader.block(start))
        await self._client.look_who_seals()

    def take_on(self, flight: Flight) -> None:
        """Follow a batch that is signed and stored, and is now sent."""
        flight.sent_at_s = flight.first_sent_at_s = asyncio.get_running_loop().time()
        self.flights.add(flight)

    async def send(self, flight: Flight) -> None:
        """Send a signed batch to who seals. Whether that worked shows in the blocks; if not, every node is sent it."""
        try:
            self._demand()
            await self._client.send(flight.raw)
        except SdtError as error:
            # It is signed and stored: no reason to have it signed once more.
            log.warning("batch %d could not be sent: %s", flight.number, error.detail, extra={"batch": flight.number})

    async def run(self) -> None:
        """Follow until cancelled.

        Errors: ChainForked, when what was final is final no more, and DatabaseBehind: a person must look.
        """
        while True:
            try:
                if not self.stands.is_set():
                    await refuse_older_database(self._store, self._reader, self.settlement)
                    self.stands.set()
                await self._follow()
            except ChainForked:
                raise
            except ChainUnavailable as error:
                # It answered, and left out what it must know: another node may say it.
                log.warning("the chain node is passed over: %s", error.detail)
                self._reader.pass_over()
                await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Follow from the mark, until a block must be read again from another node. Errors: ChainUnavailable."""
        mark = await self._store.read(lane.state)
        assert mark is not None, "recover() comes first"
        assert mark.followed_block_number is not None and mark.followed_block_hash is not None
        after = (mark.followed_block_number, mark.followed_block_hash)
        for flight in self.flights:
            flight.included_at = None
        async for event in follow(self._reader, after, depth=self._depth, pause=self._pause):
            if event.happening is Happening.ARRIVED:
                self._include(event.block)
            elif event.happening is Happening.LEFT:
                self._exclude(event.block)
            else:
                await self._finalise(event.block)
            if self._rewind is not None:
                block, self._rewind = self._rewind, None
                await self._store.run(self._mark, block)
                return

    async def _pause(self) -> None:
        if len(self.flights):
            await asyncio.sleep(self._poll_s)
        else:
            await rest(self._poll_s)

    async def keep_sent(self) -> None:
        """Send again, until cancelled, what no block has: a node that was restarted has forgotten its pool."""
        for second in itertools.count(1):
            await asyncio.sleep(1.0)
            try:
                if second % LOOK_WHO_SEALS_S == 0:
                    await self._client.look_who_seals()
                if await self._reader.prefer_newest(LAG_BLOCKS_MAX):
                    log.warning("the chain node lags behind the others and is passed over")
                self.head_block = await self._reader.block_number()
                self.head_seen_s = asyncio.get_running_loop().time()
                await self._resend()
                await self._look_elsewhere()
            except SdtError as error:
                log.warning("the chain does not answer: %s", error.detail)

    def _include(self, block: Block) -> None:
        for tx_hash in block.transactions:
            flight = self.flights.by_hash.get(tx_hash)
            if flight is not None:
                flight.included_at = block.number
                self._change.set()

    def _exclude(self, block: Block) -> None:
        """A block left the chain: what it had included is on its way again."""
        log.warning("block %d left the chain", block.number)
        for flight in self.flights:
            if flight.included_at == block.number:
                flight.included_at = None

    async def _finalise(self, block: Block) -> None:
        """Carry one final block into the books."""
        mine = [self.flights.by_hash[h] for h in block.transactions if h in self.flights.by_hash]
        if not mine:
            # While nothing is under way a mark now and then will do: what is read again after a crash is empty.
            now_s = asyncio.get_running_loop().time()
            if len(self.flights) or now_s - self._marked_s > MARK_S:
                self._marked_s = now_s
                await self._store.run(self._mark, block)
            return
        with LANE.timed("books"):
            found = await what_was_said(self._reader, self.settlement, block, mine)
            await self._store.run(self._settle, block, found)
        self._measure(mine, block)
        self.flights.remove(mine)
        self._change.set()

    def _measure(self, final: Sequence[Flight], block: Block) -> None:
        now_s, now_ms = asyncio.get_running_loop().time(), self._clock.now_ms()
        for flight in final:
            chain_s = now_s - flight.first_sent_at_s
            LANE.observe(chain_s, "chain")
            tracing.past(
                "batch.final",
                flight.trace,
                now_ms / 1000 - chain_s,
                now_ms / 1000,
                batch=flight.number,
                block=block.number,
            )
            SETTLED_AGE.observe((now_ms - min(row.accepted_at_ms for row in flight.rows)) / 1000)

    def _mark(self, store: Store, block: Block) -> None:
        lane.set_followed(store, block.number, block.hash)

    def _settle(self, store: Store, block: Block, found: list[Said]) -> None:
        now_ms = self._clock.now_ms()
        for one in found:
            settled = one.settled()
            if settled is None:
                self._void(store, one.flight, block, now_ms)
                continue
            assert settled.number == one.flight.number, "the chain settled another batch than this one"
            assert settled.head == one.flight.head, "the chain's head differs from the one that was signed"
            skipped = one.skipped(settled)
            batch = Settled(one.flight.number, one.flight.rows, one.flight.attached, skipped)
            project(store, self._region, batch, now_ms)
            batches.mark_final(
                store,
                one.flight.number,
                block_number=block.number,
                block_hash=block.hash,
                skipped_count=len(skipped),
                final_at_ms=now_ms,
            )
        events.seal(store, now_ms)
        self._mark(store, block)

    def _void(self, store: Store, flight: Flight, block: Block, now_ms: int) -> None:
        """The chain refused the batch as a whole: nothing moved, so all of it is batched anew."""
        self.flights.broken = True
        log.error(
            "batch %d was refused by the contract in block %d",
            flight.number,
            block.number,
            extra={"batch": flight.number},
        )
        lane.hold(store)
        ids = [*(row.id for row in flight.rows), *flight.attached]
        transactions.advance_batch(store, ids, Event.UNBATCH, from_status=Status.SUBMITTED, actor=ACTOR, at_ms=now_ms)
        batches.void(store, [flight.number], block_number=block.number)

    async def _resend(self) -> None:
        """A node that was restarted has forgotten its pool: send again what no block has."""
        now = asyncio.get_running_loop().time()
        for flight in self.flights:
            if flight.included_at is None and now - flight.sent_at_s > RESEND_S:
                flight.sent_at_s = now
                try:
                    self._demand()
                    await self._client.broadcast(flight.raw)
                except SdtError as error:
                    log.warning(
                        "batch %d could not be sent again: %s",
                        flight.number,
                        error.detail,
                        extra={"batch": flight.number},
                    )

    async def _look_elsewhere(self) -> None:
        """Find a batch that the node we follow leaves out of its blocks: another node has it in one that we read.

        Following goes on from before that block, with the other node; what is settled already is not settled again.
        """
        now = asyncio.get_running_loop().time()
        missed = next((f for f in self.flights if f.included_at is None and now - f.first_sent_at_s > MISSED_S), None)
        if missed is None or self._rewind is not None:
            return
        mark = await self._store.read(lane.state)
        assert mark is not None and mark.followed_block_number is not None, "recover() comes first"
        for node, receipt in (await self._reader.nodes_with(missed.chain_tx_hash)).items():
            if node != self._reader.preferred and receipt.block_number <= mark.followed_block_number:
                log.error(
                    "a chain node leaves batch %d out of block %d",
                    missed.number,
                    receipt.block_number,
                    extra={"batch": missed.number},
                )
                self._reader.prefer(node)
                self._rewind = await self._reader.block(receipt.block_number - 1)
                return
