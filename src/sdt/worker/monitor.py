"""Monitoring in the worker: reads what settled, in pages, on connections of its own, never in the payment lane's way.

It remembers nothing that is not committed: killed at any moment it goes on where it was. What it finds is a case of
the compliance role and shows nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec

from sdt.domain.errors import NotFound, SdtError
from sdt.domain.monitoring.movements import Pattern
from sdt.domain.monitoring.persons import persons_in
from sdt.domain.monitoring.value import Prices
from sdt.domain.personal import Party, PersonAddress
from sdt.domain.region import Region
from sdt.store import Store, cases, movements, people_behind, travel
from sdt.store.movements import Horizon
from sdt.store.travel import TravelRow
from sdt.worker.clock import Clock
from sdt.workflows.monitoring import (
    CURSOR,
    look_at_days,
    look_at_page,
    unlinked,
    write_days,
    write_page,
)
from sdt.workflows.people import People

__all__ = ["Monitor", "TravelParty"]

log = logging.getLogger(__name__)

PAGE: Final = 500
ACCOUNTS_OF_A_DAY: Final = 300
PEOPLE_PAGE: Final = 100
IDLE_S: Final = 1.0
BETWEEN_PAGES_S: Final = 0.05
PEOPLE_EVERY_S: Final = 6 * 3_600


class TravelParty(msgspec.Struct, frozen=True):
    """One side of a recorded payment, as it was known when it was recorded."""

    name: str
    address: PersonAddress
    account: str

    def __repr__(self) -> str:
        return "TravelParty(…)"


@dataclass
class _Progress:
    """What health is told of: how far behind the reading is, and what is missing. Numbers and assets, nobody."""

    behind: int = 0
    stale_prices: tuple[str, ...] = ()


class Monitor:
    """One region's monitoring. `store` is for it alone."""

    def __init__(
        self,
        store: Store,
        region: Region,
        people: People,
        persons_key: Callable[[], bytes],
        prices: Prices,
        clock: Clock,
    ) -> None:
        self._store = store
        self._region = region
        self._people = people
        self._persons_key = persons_key
        self._prices = prices
        self._clock = clock
        self._horizon: Horizon | None = None
        self._progress = _Progress()

    async def run(self) -> None:
        """Read on until cancelled; what fails is logged by its code and tried again."""
        while True:
            try:
                full = await self.round()
            except SdtError as error:
                log.warning("monitoring waits: %s", error.code)
                full = False
            await asyncio.sleep(BETWEEN_PAGES_S if full else IDLE_S)

    async def run_people(self) -> None:
        """Go through everybody, slowly, again and again: who stands behind which account changes."""
        while True:
            try:
                await self.link_everybody()
                await self.forget_travel()
            except SdtError as error:
                log.warning("linking people to accounts waits: %s", error.code)
            await asyncio.sleep(PEOPLE_EVERY_S)

    async def forget_travel(self) -> int:
        """Delete the records whose time of keeping is over, a page in each commit; return how many there were."""
        forgotten = 0
        while removed := await self._store.run(travel.forget, self._today().isoformat()):
            forgotten += removed
            await asyncio.sleep(BETWEEN_PAGES_S)
        return forgotten

    async def round(self) -> bool:
        """Do one page of everything that waits; return whether more waits."""
        read = await self.read_page()
        judged = await self.judge_day()
        sealed = await self.seal_travel()
        return read or judged or sealed

    async def read_page(self) -> bool:
        """Read one page of postings; return whether it was a full one."""
        to = await self._reached()
        if to is None:
            return False
        now_s = self._clock.now_s()
        look = await self._store.read(look_at_page, self._region, self._prices, to, PAGE, now_s)
        self._measure(to, look.upto if look else to.last_id)
        if look is None:
            return False
        strangers = await self._store.read(unlinked, look)
        if strangers:
            await self._link(strangers)
            look = await self._store.read(look_at_page, self._region, self._prices, to, PAGE, now_s)
            assert look is not None, "what was read a moment ago is there"
        await self._store.run(write_page, self._region, look, self._today(), self._clock.now_ms())
        return look.full

    async def judge_day(self) -> bool:
        """Look at some accounts of a business day that is over; return whether there was one."""
        look = await self._store.read(look_at_days, self._region, ACCOUNTS_OF_A_DAY, self._clock.now_s())
        if look is None:
            return False
        await self._store.run(write_days, self._region, look, self._today(), self._clock.now_ms())
        return True

    async def seal_travel(self) -> bool:
        """Add the parties to recorded payments; return whether a page was full."""
        waiting = await self._store.read(travel.unsealed, PEOPLE_PAGE)
        known = [
            (row, [(account, await self._people.identified(account)) for account in (row.payer, row.payee)])
            for row in waiting
        ]
        if known:
            await self._store.run(self._seal_all, known)
        return len(waiting) == PEOPLE_PAGE

    def _seal_all(self, store: Store, known: Sequence[tuple[TravelRow, list[tuple[str, Party | None]]]]) -> None:
        """In one commit: each costs the payments' writer a turn."""
        for row, parties in known:
            self._seal(store, row, parties)

    def _seal(self, store: Store, row: TravelRow, parties: list[tuple[str, Party | None]]) -> None:
        sealed: list[bytes | None] = []
        for account, party in parties:
            if party is None:
                sealed.append(None)
                continue
            record = msgspec.json.encode(TravelParty(party.name, party.address, account))
            try:
                sealed.append(self._people.seal_note(store, account, travel.NOTE, record, self._clock.now_ms()))
            except NotFound:
                sealed.append(None)
        travel.seal(store, row.transaction_id, sealed[0], sealed[1])

    async def link_everybody(self) -> int:
        """Go once through everybody; return how many there are."""
        after: str | None = None
        seen = 0
        while True:
            page, next_after = await self._people.parties(after, PEOPLE_PAGE)
            if next_after is None:
                return seen
            key = self._persons_key()
            for account, party in page:
                await self._store.run(people_behind.link, account, persons_in(party, key))
            after, seen = next_after, seen + len(page)
            await asyncio.sleep(BETWEEN_PAGES_S)

    async def _link(self, accounts: list[str]) -> None:
        key = self._persons_key()
        for account in accounts:
            party = await self._people.identified(account)
            if party is not None:
                await self._store.run(people_behind.link, account, persons_in(party, key))

    async def _reached(self) -> Horizon | None:
        """Return how far postings can be read; the horizon of the round before, once nothing can appear below it."""
        now = await self._store.read(movements.horizon)
        if self._horizon is None or await self._store.read(movements.is_reached, self._horizon):
            reached, self._horizon = self._horizon, now
            if not self._store.postgres:
                return now
            return reached
        return None

    def _today(self) -> date:
        return self._region.business_day.date_of(self._clock.now_s())

    def _measure(self, to: Horizon, read: int) -> None:
        today = self._today()
        assets = {token.asset_code for token in self._region.tokens} - {"USD"}
        stale = tuple(sorted(asset for asset in assets if self._prices.is_stale(asset, today)))
        self._progress = _Progress(max(0, to.last_id - read), stale)

    async def health(self) -> dict[str, Any]:
        """Return numbers for the worker's health: what waits, what is late. Nobody is in them."""
        today = self._today()
        missing = {pattern.value for pattern in Pattern} - {
            rule.pattern.value for rule in self._region.monitors if rule.in_force(today)
        }
        load = await self._store.read(cases.load, today)
        return {
            "postings_behind": self._progress.behind,
            "prices_missing": list(self._progress.stale_prices),
            "patterns_not_in_force": sorted(missing),
            "cases_open": {one.kind: one.open for one in load},
            "cases_overdue": {one.kind: one.overdue for one in load},
            "reports_to_renew": sum(one.renewals_due for one in load),
            "cursor": (await self._store.read(movements.cursor, CURSOR))[0],
        }
