"""What the worker finds when somebody asks how it is: read fresh, at most once a second, beside the payments' way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdt.adapters.chain.client import ChainClient, ChainHealth
from sdt.adapters.vendor.mapped import VendorHealth
from sdt.domain.errors import SdtError
from sdt.domain.region import Region
from sdt.domain.transaction import Status
from sdt.ports.queue import Queue, QueueDepth
from sdt.signing.alarms import Alarm
from sdt.signing.coordinator import Coordinator
from sdt.signing.wire import Pair
from sdt.store import Store, ledger, outbox, reserves, sanctions, transactions
from sdt.store.database import OwnerOnly
from sdt.store.outbox import Waiting
from sdt.vendors import Vendors
from sdt.worker.ach.service import AchDesk
from sdt.worker.follower import Follower
from sdt.worker.money_figures import money_figures
from sdt.worker.monitor import Monitor
from sdt.worker.tenancy import Tenancy
from sdt.workflows import erasure

__all__ = ["Looked", "Looks", "Reserve"]

FRESH_S: Final = 1.0
CERTIFICATE_LOW_S: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Reserve:
    """How a token's reserve stands in the books. Units: the token's smallest; age and left in seconds.

    Both are None before anything was attested.
    """

    token: str
    supply: int
    backing: int
    age_s: int | None
    left_s: int | None


@dataclass(frozen=True, slots=True)
class Books:
    """What one look at the database told."""

    transactions: Mapping[Status, int]
    instructions_dead: int
    outbox: Waiting
    erasures_waiting: int
    screened: dict[str, str | int]
    list_age_s: int | None
    money: dict[str, dict[str, int]]
    reserves: tuple[Reserve, ...]
    oldest_live_s: float


@dataclass(frozen=True, slots=True)
class Looked:
    """Everything that health and metrics tell, as of one moment. `books` is None when the database did not answer.

    A location is usable when it can be asked to sign; `usable_stock` has the pairs of which both are.
    """

    books: Books | None
    queue: QueueDepth | None
    chain: ChainHealth
    head_block: int
    head_seen_s: float
    batch_waiting_s: float
    flights: int
    gas_in_flight: int
    flights_max: int
    backlog_max: int
    answering: tuple[int, ...]
    usable: tuple[int, ...]
    caught: dict[int, str]
    alarms: tuple[Alarm, ...]
    refused: dict[str, int]
    certificates_ending: tuple[str, ...]
    stock: dict[str, int]
    usable_stock: dict[str, int]
    vendors: tuple[VendorHealth, ...]
    lane: dict[str, object]
    lease_left_s: float
    monitoring: dict[str, Any]
    ach: dict[str, Any]


@dataclass(slots=True)
class Looks:
    """Where to look. `store` is one that no payment waits for."""

    store: Store
    queue: Queue
    follower: Follower
    coordinator: Coordinator
    client: ChainClient
    monitor: Monitor
    vendors: Vendors
    region: Region
    tenancy: Tenancy
    desk: AchDesk | None
    flights_max: int
    backlog_max: int
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    _last: tuple[float, Looked] | None = None
    _looking: asyncio.Lock | None = None

    async def look(self) -> Looked:
        """Return how everything is; whoever asks within a second of another gets the same."""
        if self._looking is None:
            self._looking = asyncio.Lock()
        async with self._looking:
            now_s = time.monotonic()
            if self._last is None or now_s - self._last[0] > FRESH_S:
                self._last = (now_s, await self._look())
            return self._last[1]

    async def _look(self) -> Looked:
        follower, coordinator = self.follower, self.coordinator
        locations = coordinator.status()
        return Looked(
            books=await _or_none(self.store.read(self._books)),
            queue=await _or_none(self.queue.depth()),
            chain=await self.client.health(),
            head_block=follower.head_block,
            head_seen_s=asyncio.get_running_loop().time() - follower.head_seen_s,
            batch_waiting_s=follower.oldest_wait_s(),
            flights=len(follower.flights),
            gas_in_flight=follower.flights.gas,
            flights_max=self.flights_max,
            backlog_max=self.backlog_max,
            answering=tuple(party for party, status in locations.items() if status is not None),
            usable=coordinator.usable(),
            caught=coordinator.culprits(),
            alarms=tuple(coordinator.alarms()),
            refused=coordinator.refused(),
            certificates_ending=tuple(coordinator.certificates_ending(CERTIFICATE_LOW_S)),
            stock=_by_name(coordinator.stock()),
            usable_stock=_by_name(coordinator.usable_stock()),
            vendors=tuple(self.vendors.health()),
            lane=await _or_none(self.tenancy.status()) or {},
            lease_left_s=self.tenancy.left_s(),
            monitoring=await _or_none(self.monitor.health()) or {},
            ach=(await _or_none(self.desk.health()) or {}) if self.desk else {},
        )

    def _books(self, store: Store) -> Books:
        now_ms = self.now_ms()
        listed = sanctions.in_force(store)
        return Books(
            transactions=transactions.counts_by_status(store),
            instructions_dead=outbox.dead_count(store),
            outbox=outbox.waiting(store, now_ms),
            erasures_waiting=len(outbox.failing(store, erasure.TOPIC, OwnerOnly.code)),
            screened=_screened(store),
            list_age_s=None if listed is None else max(0, now_ms - listed.loaded_at_ms) // 1000,
            money=money_figures(store, self.region, now_ms),
            reserves=tuple(_reserve(store, token.symbol, now_ms // 1000) for token in self.region.tokens),
            oldest_live_s=transactions.oldest_live_age_ms(store, now_ms) / 1000,
        )


def _by_name(stock: Mapping[Pair, int]) -> dict[str, int]:
    return {f"{low}{high}": left for (low, high), left in stock.items()}


def _reserve(store: Store, token: str, now_s: int) -> Reserve:
    row = reserves.get(store, token)
    known = row.as_of_s > 0
    return Reserve(
        token,
        ledger.supply(store, token),
        row.backing,
        now_s - row.as_of_s if known else None,
        row.valid_until_s - now_s if known else None,
    )


def _screened(store: Store) -> dict[str, str | int]:
    """Return the day of the list in force and how many people are not yet screened against it; nobody's standing."""
    row = sanctions.in_force(store)
    if row is None:
        return {}
    progress = sanctions.progress(store, row.digest)
    return {
        "list_date": row.list_date,
        "list_entries": row.entries,
        "people": progress.people,
        "people_left": max(0, progress.people - progress.screened),
    }


async def _or_none(asked: Any) -> Any:
    """Return the answer, or None from whoever does not answer: then that is what health tells."""
    try:
        return await asked
    except SdtError:
        return None
