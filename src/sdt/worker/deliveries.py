"""Redemptions in kind: bars to the counter, then the burn, then the bars to their owner.

Each step is asked of the depository under a key of its own and written down with what follows from it in one database
transaction, so a crash between the two repeats the question and nothing else. Until the burn the holder may lose
nothing but time; after it the metal is owed until it is handed over.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from sdt.domain.delivery import DeliveryEvent, DeliveryStatus, choose_bars
from sdt.domain.errors import SdtError, Unavailable, Unprocessable
from sdt.domain.ledger import metal_handed_over
from sdt.domain.transaction import Event, Status
from sdt.ports.depository import BarStatus, Depository, RedemptionOrder, RedemptionStatus, VaultRedemption
from sdt.store import Store, cases, deliveries, ledger, sanctions, transactions
from sdt.store.deliveries import DeliveryRow
from sdt.store.transactions import Change, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.pace import rest
from sdt.workflows import payouts

__all__ = ["Deliveries"]

log = logging.getLogger(__name__)

ACTOR: Final = "worker:deliveries"
ROUND: Final = 200
BURNT: Final = (Status.SETTLED, Status.COMPLETED)
NOT_BURNT: Final = (Status.HELD, Status.SCREENED)
"""While here a redemption can still be refused; between here and the burn the chain may still accept it."""
ENDED: Final = (Status.REJECTED, Status.EXPIRED, Status.CANCELED)
UNFILLABLE: Final = (RedemptionStatus.BROKEN, RedemptionStatus.CANCELED)


class PayoutHeld(Unavailable):
    """Not now: the account is frozen, or its holder in review. The metal stays at the counter."""

    code = "payout_held"


class Deliveries:
    """Works off open deliveries, the longest untouched first. `wake` is set when there is something to burn."""

    def __init__(self, store: Store, depository: Depository, wake: asyncio.Event, clock: Clock, poll_s: float) -> None:
        self._store = store
        self._depository = depository
        self._wake = wake
        self._clock = clock
        self._poll_s = poll_s

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.work()
            await rest(self._poll_s)

    async def work(self) -> None:
        """Take every open delivery one step further; one that cannot go on keeps no other waiting."""
        for row in await self._store.read(deliveries.opened, ROUND):
            try:
                await self._advance(row)
            except SdtError as error:
                log.warning("delivery %s waits: %s", row.transaction_id, error.detail)

    async def _advance(self, row: DeliveryRow) -> None:
        redemption = await self._store.read(transactions.get, row.transaction_id)
        assert redemption is not None, "a delivery is of a redemption"
        if redemption.status in ENDED:
            await self._cancel(row)
        elif row.status in (DeliveryStatus.WANTED, DeliveryStatus.OWED):
            await self._choose(row)
        elif row.status is DeliveryStatus.CHOSEN:
            await self._lock(row, redemption)
        else:
            await self._bring_out(row, redemption)

    async def _choose(self, row: DeliveryRow) -> None:
        """Write down whole bars that weigh exactly what is wanted, before anybody is asked to lock them."""
        bars = choose_bars(await self._free_bars(row.token), row.units)
        if bars is not None:
            await self._step(row, DeliveryEvent.CHOOSE, bars=bars)
        elif row.status is DeliveryStatus.WANTED:
            await self._store.run(
                self._refuse,
                row,
                "no_whole_bars",
                "No whole bars in the vault weigh exactly that much, and parts of bars are not handed over.",
            )

    async def _free_bars(self, vault: str) -> list[tuple[str, int]]:
        bars: list[tuple[str, int]] = []
        after: int | None = 0
        while after is not None:
            page = await self._depository.inventory(vault, after)
            bars += [(bar.bar_id, bar.fine.units) for bar in page.bars if bar.status is BarStatus.HELD]
            after = page.next_after
        return bars

    async def _lock(self, row: DeliveryRow, redemption: TransactionRow) -> None:
        order = RedemptionOrder(row.token, row.bar_ids, row.account, row.transaction_id)
        try:
            locked = await self._depository.lock(order, row.key)
        except Unprocessable:
            # Nothing was locked: a bar went to another order, or is not there any more.
            taken = DeliveryEvent.BREAK if redemption.status in BURNT else DeliveryEvent.TAKEN
            await self._step(row, taken)
            return
        await self._step(row, DeliveryEvent.LOCK, order_id=locked.order_id)

    async def _bring_out(self, row: DeliveryRow, redemption: TransactionRow) -> None:
        """Bars to the counter; and once the tokens are burnt, from the counter to their owner."""
        assert row.order_id is not None, "a locked delivery has an order"
        order = await self._depository.redemption(row.order_id)
        if order.status in UNFILLABLE:
            await self._broken(row, redemption, order)
        elif order.fine.units != row.units:
            raise Unprocessable("The depository's order weighs something else.", code="order_weight")
        elif row.status is DeliveryStatus.LOCKED:
            if order.status is RedemptionStatus.LOCKED:
                order = await self._depository.pick(row.order_id, row.key)
            if order.status is RedemptionStatus.PICKED:
                await self._store.run(self._picked, row)
                self._wake.set()
        elif redemption.status in BURNT:
            if order.status is RedemptionStatus.PICKED:
                await self._demand_payable(redemption)
                order = await self._depository.hand_over(row.order_id, row.key)
            if order.status is RedemptionStatus.HANDED_OVER:
                await self._store.run(self._handed_over, row)

    async def _demand_payable(self, redemption: TransactionRow) -> None:
        """Errors: PayoutHeld while an order or a review keeps what is burnt from its owner."""
        held = await self._store.read(payouts.held_because, redemption, self._clock.now_s())
        in_review = await self._store.read(sanctions.payout_waits, redemption.id)
        if held is not None or in_review:
            raise PayoutHeld("This delivery waits.")

    async def _broken(self, row: DeliveryRow, redemption: TransactionRow, order: VaultRedemption) -> None:
        """A bar of the order is lost or too light. Before the burn nothing happened; after it the metal is owed."""
        if redemption.status in NOT_BURNT:
            await self._store.run(
                self._refuse,
                row,
                "bar_lost",
                "A bar that was set aside is not there any more. Nothing was burnt; ask again for other bars.",
            )
        elif redemption.status in BURNT:
            await self._store.run(self._owe, row, order)

    async def _cancel(self, row: DeliveryRow) -> None:
        """The redemption came to nothing: free what was set aside, also what nobody has heard of being locked."""
        order_id = row.order_id
        if row.status is DeliveryStatus.CHOSEN:
            order = RedemptionOrder(row.token, row.bar_ids, row.account, row.transaction_id)
            try:
                order_id = (await self._depository.lock(order, row.key)).order_id
            except Unprocessable:
                order_id = None
        if order_id is not None:
            await self._depository.cancel(order_id, row.key)
        await self._step(row, DeliveryEvent.CANCEL)

    async def _step(
        self,
        row: DeliveryRow,
        event: DeliveryEvent,
        *,
        bars: tuple[str, ...] | None = None,
        order_id: str | None = None,
    ) -> None:
        def write(store: Store) -> None:
            deliveries.step(store, row, event, at_ms=self._clock.now_ms(), bars=bars, order_id=order_id)

        await self._store.run(write)

    def _picked(self, store: Store, row: DeliveryRow) -> None:
        """The bars are at the counter: the redemption goes on to the chain, unless it was burnt already."""
        now_ms = self._clock.now_ms()
        _, status = transactions.lock(store, [row.transaction_id])[row.transaction_id]
        deliveries.step(store, row, DeliveryEvent.PICK, at_ms=now_ms)
        if status is Status.HELD:
            transactions.move(store, [Change(row.transaction_id, Event.SCREEN)], actor=ACTOR, at_ms=now_ms)

    def _handed_over(self, store: Store, row: DeliveryRow) -> None:
        now_ms = self._clock.now_ms()
        deliveries.step(store, row, DeliveryEvent.HAND_OVER, at_ms=now_ms)
        postings = [
            (row.transaction_id, posting) for posting in metal_handed_over(row.token, row.transaction_id, row.units)
        ]
        ledger.post(store, postings, release=[], at_ms=now_ms)
        transactions.move(store, [Change(row.transaction_id, Event.COMPLETE)], actor=ACTOR, at_ms=now_ms)

    def _refuse(self, store: Store, row: DeliveryRow, code: str, detail: str) -> None:
        """End a redemption before the burn and give the tokens back; its order is canceled in the next round."""
        transactions.lock(store, [row.transaction_id])
        current = transactions.get(store, row.transaction_id)
        if current is None or current.status not in NOT_BURNT:
            return  # It went to the chain meanwhile: what happens next depends on whether it is burnt.
        ledger.release_holds(store, [(current.ledger_account, current.held_units)])
        change = Change(row.transaction_id, Event.REJECT, code=code, detail=detail)
        transactions.move(store, [change], actor=ACTOR, at_ms=self._clock.now_ms())

    def _owe(self, store: Store, row: DeliveryRow, order: VaultRedemption) -> None:
        """The tokens are burnt and the metal is not there: owed, and shown to an officer."""
        now_ms = self._clock.now_ms()
        deliveries.step(store, row, DeliveryEvent.BREAK, at_ms=now_ms)
        cases.open_case(
            store,
            kind="delivery_owed",
            key=row.key,
            facts={"token": row.token, "units": str(row.units), "order": order.order_id, "bars": list(row.bar_ids)},
            detected_on=datetime.fromtimestamp(now_ms / 1000, UTC).date(),
            actor=ACTOR,
            at_ms=now_ms,
            account=row.account,
            transaction_id=row.transaction_id,
        )
