"""What outlived the time its sender gave it: ended, and its hold voided. From `batched` on nothing expires.

What the outbox told long ago is forgotten here too, and what the bank's files say of people once the years are over.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sdt.domain.transaction import HOLDING, Event, Status
from sdt.store import Store, ledger, office, outbox, transactions
from sdt.store.transactions import Change
from sdt.worker.clock import Clock
from sdt.workflows import counted
from sdt.workflows.old_files import empty_old_files

__all__ = ["Expiry"]

ACTOR: Final = "worker:expiry"
WAITING: Final = (Status.HELD, Status.IN_REVIEW, Status.SCREENED)
ROUND: Final = 500
TOLD_KEPT_MS: Final = 7 * 86_400_000
PRUNE_PERIOD_S: Final = 3_600
PRUNE_MAX: Final = 100_000


class Expiry:
    """Looks every few seconds."""

    def __init__(self, store: Store, clock: Clock, period_s: float = 5.0) -> None:
        self._store = store
        self._clock = clock
        self._period_s = period_s

    async def run(self) -> None:
        """Work until cancelled."""
        pruned_s = 0
        while True:
            await self._store.run(self.expire)
            await self._store.run(office.expire, self._clock.now_ms())
            if self._clock.now_s() - pruned_s > PRUNE_PERIOD_S:
                pruned_s = self._clock.now_s()
                await self._store.run(outbox.prune, self._clock.now_ms() - TOLD_KEPT_MS, PRUNE_MAX)
                await self._store.run(empty_old_files, self._clock.now_ms())
            await asyncio.sleep(self._period_s)

    def expire(self, store: Store) -> int:
        """End what is past its time; returns how many."""
        now_s = self._clock.now_s()
        rows = transactions.get_many(store, self._late(store, now_s), lock=True)
        # Once more, now that nobody else moves them: dollars may have come in meanwhile.
        late = [rows[id_] for id_ in (self._late(store, now_s) if rows else ()) if id_ in rows]
        holding = [(row.ledger_account, row.held_units) for row in late if row.status in HOLDING and row.held_units]
        ledger.release_holds(store, holding)
        changes = [
            Change(row.id, Event.EXPIRE, code="expired_message", detail="The message's expires_at has passed.")
            for row in late
        ]
        transactions.move(store, changes, actor=ACTOR, at_ms=self._clock.now_ms())
        counted.follow(store, rows, changes, actor=ACTOR, at_ms=self._clock.now_ms())
        return len(late)

    def _late(self, store: Store, now_s: int) -> list[str]:
        return [id_ for status in WAITING for id_ in transactions.past_their_time(store, status, now_s, ROUND)]
