"""The ACH desk of the worker: a round reads what came, gathers, delivers, and only then follows the calendar."""

from __future__ import annotations

import logging
from datetime import date, time
from typing import Any, Final

from sdt.config.model import Ach
from sdt.domain.errors import SdtError
from sdt.domain.region import Region
from sdt.observing.figures import Sample, gauge
from sdt.ports.ach_files import AchFiles
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, ach, ach_files
from sdt.worker.ach.bank_time import BankTime, moment_text
from sdt.worker.ach.deliver import Deliverer
from sdt.worker.ach.facts import Facts
from sdt.worker.ach.follow import Follower
from sdt.worker.ach.gather import Gatherer
from sdt.worker.ach.rates import Rates
from sdt.worker.ach.receive import Receiver
from sdt.worker.ach.records import Records
from sdt.worker.clock import Clock
from sdt.worker.pace import rest
from sdt.workflows.ach_reversal import BANK_DAY
from sdt.workflows.people import People

__all__ = ["AchDesk", "ach_samples"]

log = logging.getLogger(__name__)

QUIET_LOOKS: Final = 50
"""One look in so many is made while nothing is under way."""


class AchDesk:
    """Everything of ACH that the worker does by itself."""

    def __init__(
        self,
        store: Store,
        region: Region,
        config: Ach,
        files: AchFiles,
        bank_time: BankTime,
        people: People,
        keys: Wrapping,
        clock: Clock,
    ) -> None:
        facts = Facts(region)
        self._store = store
        self._poll_s = config.poll_s
        self._bank_time = bank_time
        self.gatherer = Gatherer(store, facts, config, people, keys, clock)
        self.deliverer = Deliverer(store, facts, files, keys, clock)
        records = Records(facts, people)
        self.receiver = Receiver(store, facts, files, self.deliverer, records, keys, clock)
        missing_after = time.fromisoformat(config.returns_missing_after)
        self.follower = Follower(store, facts, missing_after, clock)
        self.rates = Rates(store, facts, clock)
        self._rated_on: date | None = None

    async def run(self) -> None:
        """Work until cancelled; what does not answer is asked again."""
        quiet = 0
        while True:
            # With nothing under way the bank is asked seldom: only a late return could be there.
            if quiet == 0 or await self._store.read(ach_files.under_way):
                try:
                    await self.round()
                except SdtError as error:
                    log.warning("ACH waits: %s", error.detail)
            quiet = (quiet + 1) % QUIET_LOOKS
            await rest(self._poll_s)

    async def health(self) -> dict[str, Any]:
        """Return what an operator must know: files, mornings without returns, how often debits come back."""
        files = await self._store.read(ach_files.counts)
        closed = self.gatherer.closed
        return {
            "closed": moment_text(closed) if closed else None,
            "files": files,
            "unanswered_files": files.get("unknown", 0),
            "returns_missing": list(self.follower.missing),
            "return_rates_ppm": {rate.name: rate.ppm for rate in self.rates.newest},
        }

    async def round(self) -> int:
        """Do everything once, in the order that matters; returns how much moved."""
        # The time is asked first: whatever the bank had for us by then is in the list that comes after.
        now = await self._bank_time.now()
        moved = await self.receiver.work(now)
        moved += await self.gatherer.work(now)
        moved += await self.deliverer.work(now)
        moved += await self.follower.work(now)
        if now.date() != self._rated_on:
            await self.rates.work(now.date())
            await self._store.run(ach.set_counter, BANK_DAY, now.date().toordinal())
            self._rated_on = now.date()
        return moved


def ach_samples(health: object) -> list[Sample]:
    """Return what `AchDesk.health` told as metrics; none where entries go to the bank one by one."""
    if not isinstance(health, dict) or not health:
        return []
    files = [({"status": status}, count) for status, count in health["files"].items()]
    rates = [({"rate": name}, ppm) for name, ppm in health["return_rates_ppm"].items()]
    return [
        gauge("sdt_ach_files", "Our ACH files by where they stand.", files),
        gauge(
            "sdt_ach_returns_missing",
            "Mornings whose file of returns has not come: nothing passes its window until it is read.",
            len(health["returns_missing"]),
        ),
        gauge("sdt_ach_return_rate_ppm", "How often debits came back of late, in parts per million.", rates),
    ]
