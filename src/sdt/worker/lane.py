"""The settlement lane, one per region key: forms batches, has two locations sign them, sends them in order.

A batch names its parent, so the next is formed once this one is signed and its root stands; sending and finality
overlap. What is signed is stored before it is sent. A batch that was formed is proposed again unchanged after a
crash, since a signature for it may already exist somewhere.

While one is signed the next is formed, if it is full already: nobody is shown that before this one is signed and
stored, so that it is taken apart again where this one ends another way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sdt.domain.assembly import Assembled
from sdt.domain.chain_tx import transaction_hash
from sdt.domain.errors import SdtError
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.observing import tracing
from sdt.observing.context import about
from sdt.signing.coordinator import Coordinator
from sdt.store import Store, batches, transactions
from sdt.worker.clock import Clock
from sdt.worker.figures import BATCH_ITEMS, LANE
from sdt.worker.flight import Flight
from sdt.worker.follower import Follower
from sdt.worker.forming import Formed, Forming, LaneLimits
from sdt.worker.pace import stir
from sdt.worker.projection import ACTOR
from sdt.worker.reading import Reading
from sdt.worker.traces import of_ids

__all__ = ["Lane"]

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Lane:
    """Settles what screening lets through. `screened` wakes it; `demand` refuses when another process may settle."""

    def __init__(
        self,
        store: Store,
        region: Region,
        coordinator: Coordinator,
        follower: Follower,
        screened: asyncio.Event,
        limits: LaneLimits,
        clock: Clock,
        reading: Reading,
        demand: Callable[[], None],
    ) -> None:
        self._store = store
        self._coordinator = coordinator
        self._follower = follower
        self._screened = screened
        self._limits = limits
        self._clock = clock
        self._demand = demand
        self._forming = Forming(region, follower, limits, clock, reading)
        self._sending: asyncio.Task[None] | None = None
        self._ahead: Formed | None = None

    async def run(self) -> None:
        """Work until cancelled. A fault outside is logged and tried again: nothing formed is ever dropped."""
        try:
            await self._run()
        finally:
            if self._sending is not None:
                # What it did not send is stored, and is sent after the next start.
                self._sending.cancel()

    async def _run(self) -> None:
        await self._follower.stands.wait()
        pending = await self._store.run(self._forming.unsigned)
        while True:
            try:
                if pending is None:
                    await self._room()
                    pending = await self._next()
                else:
                    number, count = pending.frame.number, len(pending.rows)
                    traced = await of_ids(self._store, [row.id for row in pending.rows])
                    with (
                        about(batch=number),
                        tracing.span(
                            "batch", parent=traced.parent, links=traced.links, batch=number, transactions=count
                        ),
                    ):
                        pending = await self._settle(pending)
            except SdtError as error:
                log.warning("the lane waits: %s (%s)", error.detail, error.code)
                await asyncio.sleep(RETRY_S)

    async def _room(self) -> None:
        """Wait until the chain has taken enough of what was sent: overfeeding stalls a Quorum network."""
        flights, limits = self._follower.flights, self._limits
        while flights.broken or len(flights) >= limits.flights_max or flights.gas >= limits.gas_max:
            await self._follower.changed()

    async def _next(self) -> Formed | None:
        """Form the next batch, or wait a moment for work."""
        self._screened.clear()
        waiting, administrative = await self._store.read(transactions.screened, self._limits.items_max)
        if not waiting:
            try:
                await asyncio.wait_for(self._screened.wait(), self._limits.look_s)
            except TimeoutError:
                return None
            # The first of a burst has arrived: the others belong into the same batch.
            await asyncio.sleep(self._limits.linger_s)
            return None
        # A batch that changes keys, roles, rules or reserves is a barrier: signers judge by the final registry.
        if administrative or self._follower.flights.has_admin:
            while len(self._follower.flights):
                await self._follower.changed()
        elif waiting < self._limits.items_max and len(self._follower.flights):
            # Not full, and the chain is busy anyway: a short wait makes fewer, fuller batches.
            await asyncio.sleep(self._limits.linger_s)
        with LANE.timed("form"):
            return await self._store.run(self._forming.form)

    async def _form_ahead(self, formed: Formed, batch: Assembled) -> None:
        """Form the batch after one that is being signed. Whether a failure formed one, the next look finds out."""
        if self._ahead is None:
            try:
                self._ahead = await self._store.run(self._forming.full_after, formed.frame.number, batch)
            except SdtError as error:
                log.warning("no batch is formed ahead: %s (%s)", error.detail, error.code)

    async def _settle(self, formed: Formed) -> Formed | None:
        """Have a batch signed and send it. Returns what is still to be signed after refusals, or None."""
        if self._clock.now_s() > formed.frame.deadline_s:
            await self._store.run(self._forming.unform, formed)
            self._ahead = None
            return None
        assert formed.rows, "a batch has messages"
        stir(outside=any(row.type != "transfer" for row in formed.rows))
        with LANE.timed("assemble"):
            batch = self._forming.assemble(formed)
        self._demand()
        ahead = asyncio.create_task(self._form_ahead(formed, batch))
        try:
            with LANE.timed("sign"), tracing.span("batch.sign"):
                outcome = await self._coordinator.sign(
                    formed.proposal(batch), batch.transaction.signing_hash(), formed.frame.chain_id
                )
        finally:
            await ahead
        if outcome.signature is None:
            kept = await self._store.run(self._forming.drop, formed, outcome.refusals)
            self._ahead = None
            return kept
        signature = outcome.signature
        raw = batch.transaction.raw(signature.r, signature.s, signature.recovery & 1)
        flight = Flight(
            number=formed.frame.number,
            kind="admin" if batch.administers else "value",
            head=batch.head,
            rows=formed.rows,
            attached=formed.attached,
            chain_tx_hash=transaction_hash(raw),
            raw=raw,
            gas=batch.transaction.gas,
            deadline_s=formed.frame.deadline_s,
            trace=tracing.current(),
        )
        BATCH_ITEMS.observe(len(formed.rows))
        with LANE.timed("store"):
            following = await self._store.run(self._signed_and_next, flight, batch, self._ahead)
        self._ahead = None
        if self._sending is not None and self._sending.done():
            self._sending.result()  # what is no fault outside ends the process
        self._follower.take_on(flight)
        self._sending = asyncio.create_task(self._send(flight, self._sending))
        return following

    async def _send(self, flight: Flight, before: asyncio.Task[None] | None) -> None:
        """Send a batch after the one before it, while the next is judged and signed."""
        if before is not None:
            await before
        with LANE.timed("send"), tracing.span("batch.send"):
            await self._follower.send(flight)
        log.debug("a batch of %d was signed and sent", len(flight.rows))

    def _signed_and_next(self, store: Store, flight: Flight, batch: Assembled, ahead: Formed | None) -> Formed | None:
        """Store what is signed and, when the next batch is full by now, form that one in the same commit."""
        self._signed(store, flight, batch)
        return ahead or self._forming.full_after(store, flight.number, batch)

    def _signed(self, store: Store, flight: Flight, batch: Assembled) -> None:
        """Store the raw chain transaction before anybody sees it."""
        now_ms = self._clock.now_ms()
        stands = batches.get(store, flight.number)
        # Where the answer to a commit was lost, somebody may have been taken out of it: then a restart asks anew.
        assert stands is not None and stands.count == len(flight.rows), "what is signed is the batch as it stands"
        batches.mark_signed(
            store,
            flight.number,
            root=batch.root,
            head=batch.head,
            gas=flight.gas,
            chain_tx_hash=flight.chain_tx_hash,
            raw_tx=flight.raw,
            signed_at_ms=now_ms,
        )
        transactions.advance_whole_batch(
            store, flight.number, Event.SUBMIT, from_status=Status.BATCHED, actor=ACTOR, at_ms=now_ms
        )
