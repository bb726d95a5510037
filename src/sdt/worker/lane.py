"""The settlement lane, one per region key: forms batches, has two locations sign them, sends them in order.

A batch names its parent, so the next is formed once this one is signed and its root stands; sending and finality
overlap. What is signed is stored before it is sent. A batch that was formed is proposed again unchanged after a
crash, since a signature for it may already exist somewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sdt.domain.assembly import Assembled, Frame, assemble
from sdt.domain.chain_tx import transaction_hash
from sdt.domain.errors import SdtError
from sdt.domain.message import MESSAGE_TYPES
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.observing import tracing
from sdt.observing.context import about
from sdt.signing.coordinator import Coordinator
from sdt.signing.wire import BatchProposal, Entry, MessageRefusal
from sdt.store import Store, batches, lane, ledger, transactions
from sdt.store.batches import FormedBatch
from sdt.store.transactions import Change, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.figures import BATCH_ITEMS, LANE
from sdt.worker.flight import Flight
from sdt.worker.follower import Follower
from sdt.worker.pace import stir
from sdt.worker.projection import ACTOR
from sdt.worker.reading import Reading
from sdt.worker.traces import of_ids
from sdt.workflows import settling

__all__ = ["Lane", "LaneLimits"]

log = logging.getLogger(__name__)

RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much goes into a batch and how much may be on its way. Units: as the names say."""

    items_max: int
    linger_s: float
    flights_max: int
    gas_max: int
    deadline_s: int
    look_s: float = 0.5


@dataclass(frozen=True, slots=True)
class _Formed:
    """A numbered batch before it is signed: its transactions in order, and the approvals beside them."""

    frame: Frame
    rows: Sequence[TransactionRow]
    approvals: Sequence[Sequence[TransactionRow]]
    originals: Mapping[str, bytes]
    """By adjustment: the message of the transaction that it sets right, which signers hold it against."""

    def original_of(self, row: TransactionRow) -> tuple[bytes, ...]:
        """What stands last beside an adjustment, and beside nothing else."""
        return (self.originals[row.id],) if row.id in self.originals else ()

    @property
    def attached(self) -> tuple[str, ...]:
        return tuple(row.id for beside in self.approvals for row in beside)


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
        self._region = region
        self._coordinator = coordinator
        self._follower = follower
        self._screened = screened
        self._limits = limits
        self._clock = clock
        self._reading = reading
        self._demand = demand
        self._sending: asyncio.Task[None] | None = None

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
        pending = await self._store.run(self._unsigned)
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

    async def _next(self) -> _Formed | None:
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
            return await self._store.run(self._form)

    def _form(self, store: Store) -> _Formed | None:
        """Number a batch and move its transactions into it, in one database transaction."""
        rows = transactions.claim_screened(store, self._limits.items_max)
        if not rows:
            return None
        now_ms = self._clock.now_ms()
        lane.hold(store)
        place = self._follower.place(store)
        frame = place.frame(self._clock.now_s() + self._limits.deadline_s)
        approvals = [_approvals_of(store, row) for row in rows]
        formed = _Formed(frame, rows, approvals, _originals_of(store, rows))
        batches.form(
            store,
            FormedBatch(
                number=frame.number,
                kind="admin" if rows[0].administrative else "value",
                parent=frame.parent,
                deadline_s=frame.deadline_s,
                nonce=frame.nonce,
                count=len(rows),
                formed_at_ms=now_ms,
            ),
        )
        transactions.place_in_batch(store, [row.id for row in rows], frame.number, actor=ACTOR, at_ms=now_ms)
        if formed.attached:
            transactions.attach_to_batch(store, formed.attached, frame.number, actor=ACTOR, at_ms=now_ms)
        return formed

    def _unsigned(self, store: Store) -> _Formed | None:
        """Return the batch that a crash left formed and not signed, exactly as it was."""
        row = next((b for b in batches.unfinished(store) if b.status == "formed"), None)
        if row is None:
            return None
        rows = transactions.in_batch(store, row.number)
        frame = Frame(
            row.number,
            row.parent,
            row.deadline_s,
            row.nonce,
            self._follower.chain_id,
            self._follower.settlement,
            self._follower.gas_price_wei,
        )
        return _Formed(frame, rows, [_approvals_of(store, r) for r in rows], _originals_of(store, rows))

    async def _settle(self, formed: _Formed) -> _Formed | None:
        """Have a batch signed and send it. Returns what is still to be signed after refusals, or None."""
        if self._clock.now_s() > formed.frame.deadline_s:
            await self._store.run(self._unform, formed)
            return None
        assert formed.rows, "a batch has messages"
        stir(outside=any(row.type != "transfer" for row in formed.rows))
        with LANE.timed("assemble"):
            messages = [self._reading.read(row) for row in formed.rows]
            batch = assemble(formed.frame, messages, self._region)
        self._demand()
        with LANE.timed("sign"), tracing.span("batch.sign"):
            outcome = await self._coordinator.sign(
                self._proposal(formed, batch), batch.transaction.signing_hash(), formed.frame.chain_id
            )
        if outcome.signature is None:
            return await self._store.run(self._drop, formed, outcome.refusals)
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
            following = await self._store.run(self._signed_and_next, flight, batch)
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

    def _proposal(self, formed: _Formed, batch: Assembled) -> BatchProposal:
        frame = formed.frame
        return BatchProposal(
            number=frame.number,
            parent=frame.parent,
            kind="admin" if batch.administers else "value",
            deadline_s=frame.deadline_s,
            nonce=frame.nonce,
            gas=batch.transaction.gas,
            entries=tuple(
                Entry(
                    row.raw, (*(a.raw for a in beside), *((formed.originals[row.id],) if row.type == "adjust" else ()))
                )
                for row, beside in zip(formed.rows, formed.approvals, strict=True)
            ),
        )

    def _signed_and_next(self, store: Store, flight: Flight, batch: Assembled) -> _Formed | None:
        """Store what is signed and, when the next batch is full already, form that one in the same commit."""
        self._signed(store, flight, batch)
        flights, limits = self._follower.flights, self._limits
        full = len(flights) + 1 >= limits.flights_max or flights.gas + flight.gas >= limits.gas_max
        if full or flights.broken or flights.has_admin or batch.administers:
            return None
        if transactions.screened(store, limits.items_max) != (limits.items_max, False):
            return None
        return self._form(store)

    def _signed(self, store: Store, flight: Flight, batch: Assembled) -> None:
        """Store the raw chain transaction before anybody sees it."""
        now_ms = self._clock.now_ms()
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

    def _drop(self, store: Store, formed: _Formed, refusals: Sequence[MessageRefusal]) -> _Formed | None:
        """Reject what signers refuse and keep the rest under the same number: no signature exists for it yet."""
        by_position = {refusal.position: refusal for refusal in refusals}
        changes, releases = [], []
        for position, refusal in sorted(by_position.items()):
            row = formed.rows[position]
            changes.append(_refused(row.id, refusal))
            changes += [Change(a.id, Event.REJECT, code="approved_was_refused") for a in formed.approvals[position]]
            if row.held_units:
                releases.append((row.ledger_account, row.held_units))
        ledger.release_holds(store, releases)
        transactions.move(store, changes, actor="signers", at_ms=self._clock.now_ms())
        settling.skipped(store, self._region, [formed.rows[p] for p in sorted(by_position)], self._clock.now_ms())
        kept = [i for i in range(len(formed.rows)) if i not in by_position]
        if not kept:
            batches.void(store, [formed.frame.number])
            return None
        rows = [formed.rows[i] for i in kept]
        transactions.renumber(store, [row.id for row in rows])
        return _Formed(formed.frame, rows, [formed.approvals[i] for i in kept], formed.originals)

    def _unform(self, store: Store, formed: _Formed) -> None:
        """Past its deadline: whatever was signed for it is void on chain, so its transactions may be batched anew."""
        batches.void(store, [formed.frame.number])
        ids = [row.id for row in formed.rows] + list(formed.attached)
        transactions.advance_batch(
            store, ids, Event.UNBATCH, from_status=Status.BATCHED, actor=ACTOR, at_ms=self._clock.now_ms()
        )


def _approvals_of(store: Store, row: TransactionRow) -> list[TransactionRow]:
    if not MESSAGE_TYPES[row.type].approval:
        return []
    live = (Status.SCREENED, Status.BATCHED)
    return [t for t in transactions.linked_to(store, row.id) if t.type == "approve" and t.status in live][:1]


def _originals_of(store: Store, rows: Sequence[TransactionRow]) -> dict[str, bytes]:
    named = {row.id: row.linked_id for row in rows if row.type == "adjust" and row.linked_id}
    found = transactions.get_many(store, list(named.values()))
    return {id_: bytes(found[original].raw) for id_, original in named.items()}


def _refused(transaction_id: str, refusal: MessageRefusal) -> Change:
    return Change(
        transaction_id,
        Event.REJECT,
        code=refusal.code,
        detail=refusal.detail,
        rule=refusal.facts.get("rule"),
        statute=refusal.facts.get("statute"),
        effective=refusal.facts.get("effective"),
    )
