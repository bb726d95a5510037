"""How often our debits come back, computed each banking day; above a level it is an officer's case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from sdt.domain.ach.return_rate import LEVELS_PPM, Rate
from sdt.store import Store
from sdt.worker.ach.facts import Facts
from sdt.worker.clock import Clock
from sdt.workflows.ach_rates import rates_of

__all__ = ["Rates"]


SPEAKS_FROM: Final = 50
"""Debits in the watched days from which a rate opens a case: one return of two says nothing."""


class Rates:
    """Keeps the newest rates for whoever asks, and opens a case for each one above its level."""

    def __init__(self, store: Store, facts: Facts, clock: Clock) -> None:
        self._store = store
        self._facts = facts
        self._clock = clock
        self.newest: Sequence[Rate] = ()

    async def work(self, today: date) -> None:
        """Compute the rates of a day."""
        self.newest = await self._store.read(rates_of, today)
        for rate in self.newest:
            if rate.above and rate.originated >= SPEAKS_FROM:
                await self._store.run(self._case, rate, today)

    def _case(self, store: Store, rate: Rate, today: date) -> None:
        # One case a month and rate: it says that somebody must look, not how long it has been so.
        self._facts.case(
            store,
            f"{rate.name}:{today:%Y-%m}",
            kind="return_rate",
            on=today,
            at_ms=self._clock.now_ms(),
            rate=rate.name,
            returned=rate.returned,
            originated=rate.originated,
            ppm=rate.ppm,
            level_ppm=LEVELS_PPM[rate.name],
        )
