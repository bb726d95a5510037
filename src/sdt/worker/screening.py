"""The first half of the worker: takes ids from the queue, has each transaction checked, and holds the payer's funds.

Any number may run; none keeps anything in memory. A message leaves the queue once its verdict is committed, so a
payer waits for screening and not for settlement. Rules over history and sanctions screening belong here: signers
check the per-transaction rules again, and hold neither history nor names. What is decided stands in
`worker.screening_round`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sdt.domain.errors import SdtError, Unavailable
from sdt.domain.region import Region
from sdt.domain.transaction import Status
from sdt.observing import tracing
from sdt.ports.queue import Queue, Received
from sdt.store import Store, reviews, transactions
from sdt.store.transactions import TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.figures import ROUND_MESSAGES, SCREENING
from sdt.worker.pace import rest, stir
from sdt.worker.reading import Reading
from sdt.worker.sanctions import Sanctions
from sdt.worker.screening_round import ROUND_MAX, Named, ScreeningRound, decide_all
from sdt.worker.traces import of_round

__all__ = ["Screening"]

log = logging.getLogger(__name__)

FORGOTTEN_S = 180
"""After so long a message that is still `accepted` has died in the queue, or its vendor was away."""
DECIDED_S = 0.5


class Screening:
    """Pulls the queue and decides. `wake` is called after a commit that gives the lane something to do."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        region: Region,
        sanctions: Sanctions,
        clock: Clock,
        visibility_s: float,
        reading: Reading,
    ) -> None:
        self._store = store
        self._queue = queue
        self._sanctions = sanctions
        self._clock = clock
        self._visibility_s = visibility_s
        self._round = ScreeningRound(region, sanctions, clock, reading)
        self._outside: set[asyncio.Task[None]] = set()
        self.screened = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; a failure outside is logged and tried again, since the queue keeps the message."""
        while True:
            try:
                received = await self._queue.receive(ROUND_MAX, 1.0, self._visibility_s)
                if received:
                    stir(outside=False)
                    ROUND_MESSAGES.observe(len(received))
                    with SCREENING.timed():
                        await self.take(received)
            except Unavailable as error:
                log.warning("screening waits: %s", error.detail)
                await asyncio.sleep(0.5)

    async def sweep(self) -> None:
        """Take up, until cancelled, what the queue has given up on: nothing acknowledged stays `accepted` for good."""
        while True:
            await asyncio.sleep(FORGOTTEN_S / 3)
            await self.sweep_once()

    async def sweep_once(self) -> int:
        """Judge what was accepted long ago and is in no delivery; returns how many there were."""
        before_ms = self._clock.now_ms() - FORGOTTEN_S * 1000
        rows = await self._store.read(transactions.in_status, Status.ACCEPTED, ROUND_MAX)
        forgotten = [row.id for row in rows if row.updated_at_ms < before_ms]
        if forgotten:
            log.warning("%d transactions were forgotten by the queue and are screened now", len(forgotten))
            waiting, _ = await decide_all(self._store, self._round, forgotten)
            for row, message in waiting:
                await self._decide_outside(row, message, None)
            self.screened.set()
        return len(forgotten)

    async def take(self, received: Sequence[Received]) -> None:
        """Decide a round of messages, commit the verdicts, then delete the messages."""
        if not tracing.started():
            return await self._take(received)
        traced = await of_round(self._store, received, self._clock.now_ms())
        with tracing.span("screening", parent=traced.parent, links=traced.links, messages=len(received)):
            return await self._take(received)

    async def _take(self, received: Sequence[Received]) -> None:
        ids = [message.body for message in received]
        waiting, undone = await decide_all(self._store, self._round, ids)
        self.screened.set()
        if waiting:
            stir(outside=True)  # bank, vault or whoever knows names comes into it
        by_id = {message.body: message.receipt for message in received}
        later = {row.id for row, _ in waiting} | undone
        await self._queue.delete([receipt for id_, receipt in by_id.items() if id_ not in later])
        for row, message in waiting:
            task = asyncio.create_task(self._decide_outside(row, message, by_id[row.id]))
            self._outside.add(task)
            task.add_done_callback(self._outside.discard)

    async def _decide_outside(self, row: TransactionRow, message: Named, receipt: str | None) -> None:
        """Ask whoever knows names, then decide. A failure leaves the message in the queue, to be taken again."""
        try:
            finding = await self._sanctions.look(row.id, message.account, row.type)
            await self._store.run(self._round.decide_named, row, message, finding)
        except SdtError as error:
            log.warning("screening waits: %s", error.detail, extra={"transaction_id": row.id})
            return
        self.screened.set()
        if receipt is not None:
            await self._queue.delete([receipt])

    async def resume(self) -> None:
        """Take up, until cancelled, what officers have decided about."""
        while True:
            await self.resume_once()
            await rest(DECIDED_S)

    async def resume_once(self) -> int:
        """Let what is in review go on or end once every reason has its verdict; returns how many there were."""
        if not await self._store.read(reviews.decided, 1):
            return 0
        count = await self._store.run(self._round.decide_again)
        self.screened.set()
        return count
