"""A batch is formed while the one before it is signed: shown to nobody before its time, lost and doubled by nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sdt.domain.assembly import Assembled, Frame
from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.errors import Unavailable
from sdt.domain.region import Region, load_region
from sdt.domain.transaction import Status
from sdt.signing.coordinator import Outcome
from sdt.signing.ecdsa import Signature
from sdt.signing.wire import BatchProposal, MessageRefusal
from sdt.store import Store, batches, transactions
from sdt.store.transactions import TransactionRow
from sdt.worker import lane as lane_module
from sdt.worker.follower import Follower
from sdt.worker.forming import Forming, LaneLimits
from sdt.worker.lane import Lane
from store_rig import NOW_MS, accepted, screened, transaction_id

ITEMS = 3
SETTLEMENT = "0x" + "5e" * 20
WITHIN_S = 10.0


@dataclass
class Clock:
    s: int = NOW_MS // 1000

    def now_s(self) -> int:
        return self.s

    def now_ms(self) -> int:
        return self.s * 1000


class Reading:
    """Messages are their rows here: what a batch says is not what these tests are about."""

    def read(self, row: TransactionRow) -> TransactionRow:
        return row


def _assemble(frame: Frame, rows: Sequence[TransactionRow], region: Region) -> Assembled:
    root = hashlib.sha256("".join(row.id for row in rows).encode()).digest()
    head = hashlib.sha256(frame.parent + root).digest()
    transaction = ChainTransaction(frame.chain_id, frame.nonce, frame.settlement, root, 1_000)
    return Assembled(False, [], root, head, transaction)


@dataclass
class Locations:
    """Stands where the coordinator stands. `answers` come first, one for each call; then all is signed."""

    answers: list[Callable[[BatchProposal], Outcome]] = field(default_factory=list)
    shown: list[tuple[BatchProposal, tuple[bytes, ...]]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def sign(self, batch: BatchProposal, tx_hash: bytes, chain_id: int) -> Outcome:
        self.shown.append((batch, tuple(entry.jws for entry in batch.entries)))
        await self.open.wait()
        if self.answers:
            return self.answers.pop(0)(batch)
        return Outcome(Signature(5, 7, 0))


@dataclass
class Client:
    sent: list[bytes] = field(default_factory=list)

    async def send(self, raw: bytes) -> None:
        self.sent.append(raw)


@dataclass
class Rig:
    store: Store
    region: Region
    locations: Locations = field(default_factory=Locations)
    client: Client = field(default_factory=Client)
    clock: Clock = field(default_factory=Clock)

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        """Run a lane, as a process that starts and is killed."""
        follower = Follower(
            self.store,
            self.region,
            None,  # type: ignore[arg-type]
            self.client,  # type: ignore[arg-type]
            chain_id=1,
            settlement=SETTLEMENT,
            gas_price_wei=0,
            depth=1,
            poll_s=1,
            clock=self.clock,  # type: ignore[arg-type]
            demand=lambda: None,
        )
        follower.stands.set()
        limits = LaneLimits(ITEMS, 0.0, 9, 10**9, deadline_s=60, look_s=0.05)
        parts: Any = (self.locations, follower, asyncio.Event(), limits, self.clock, Reading(), lambda: None)
        running = asyncio.create_task(Lane(self.store, self.region, *parts).run())
        try:
            yield running
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended

    async def until(self, condition: Callable[[Store], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not await self.store.read(condition):
                await asyncio.sleep(0.01)

    def batches(self) -> list[tuple[int, str]]:
        return list(self.store.rows("SELECT number, status FROM batches ORDER BY number, formed_at_ms, status"))

    def check(self, ids: Sequence[str], rejected: Sequence[str] = ()) -> None:
        """Everything is in one batch that stands, and each of these names the one before it."""
        assert all(status != "formed" for _, status in self.batches())
        parent, seen = GENESIS_HEAD, []
        for row in batches.unfinished(self.store):
            rows = transactions.in_batch(self.store, row.number)
            assert (row.parent, row.nonce, row.count) == (parent, row.number - 1, len(rows))
            assert {one.status for one in rows} == {Status.SUBMITTED}
            seen += [one.id for one in rows]
            assert row.head is not None
            parent = row.head
        assert seen == [id_ for id_ in ids if id_ not in rejected]
        found = transactions.get_many(self.store, list(rejected)).values()
        assert {row.status for row in found} <= {Status.REJECTED}
        assert len(self.client.sent) == len(batches.unfinished(self.store))


@pytest.fixture
def rig(store: Store, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(lane_module, "assemble", _assemble)
    monkeypatch.setattr(lane_module, "RETRY_S", 0.01)
    region = load_region((Path(__file__).parents[2] / "regions" / "texas.toml").read_bytes())
    return Rig(store, region)


def _two_formed(store: Store) -> bool:
    return store.row("SELECT count(*) FROM batches WHERE status = 'formed'") == (2,)


def _all_signed(store: Store) -> bool:
    waits = store.row("SELECT count(*) FROM transactions WHERE status = 'screened'")
    return waits == (0,) and not batches.formed_after(store, 0)


def _pay(rig: Rig, count: int) -> list[str]:
    return screened(rig.store, *(accepted(n) for n in range(1, count + 1)))


async def test_the_next_is_formed_while_one_is_signed_and_shown_once_that_is_stored(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS + 1)
    async with rig.lane():
        await rig.until(_two_formed)
        # Then the locations were asked for the first alone, and only full batches are formed ahead.
        assert [batch.number for batch, _ in rig.locations.shown] == [1]
        rig.locations.open.set()
        await rig.until(_all_signed)
        await rig.until(lambda _: len(rig.client.sent) == 3)
    assert [(batch.number, len(said)) for batch, said in rig.locations.shown] == [(1, ITEMS), (2, ITEMS), (3, 1)]
    rig.check(ids)


async def test_a_refusal_takes_apart_what_was_formed_behind(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS)
    rig.locations.answers = [lambda batch: Outcome(None, (MessageRefusal(1, "frozen", "It is frozen."),))]
    async with rig.lane():
        await rig.until(_two_formed)
        rig.locations.open.set()
        await rig.until(_all_signed)
        await rig.until(lambda _: len(rig.client.sent) == 2)
    rig.check(ids, rejected=[transaction_id(2)])
    # The same number, with what was left; what had been formed behind it was never shown.
    assert [(batch.number, len(said)) for batch, said in rig.locations.shown] == [
        (1, ITEMS),
        (1, ITEMS - 1),
        (2, ITEMS),
    ]
    assert (2, "void") in rig.batches()


async def test_all_refused_leaves_the_number_to_what_comes_behind(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS)
    refusals = tuple(MessageRefusal(n, "frozen", "It is frozen.") for n in range(ITEMS))
    rig.locations.answers = [lambda batch: Outcome(None, refusals)]
    async with rig.lane():
        await rig.until(_two_formed)
        rig.locations.open.set()
        await rig.until(_all_signed)
        await rig.until(lambda _: len(rig.client.sent) == 1)
    rig.check(ids, rejected=ids[:ITEMS])
    assert rig.locations.shown[-1][0].parent == GENESIS_HEAD


async def test_killed_with_two_formed_the_first_is_proposed_unchanged_and_the_second_formed_anew(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS)
    async with rig.lane():
        await rig.until(_two_formed)
    before = rig.locations.shown[0]
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(_all_signed)
        await rig.until(lambda _: len(rig.client.sent) == 2)
    assert rig.locations.shown[1] == before
    rig.check(ids)


async def test_what_nobody_can_sign_now_keeps_what_was_formed_behind_it(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS)

    def away(batch: BatchProposal) -> Outcome:
        raise Unavailable("Nobody can sign now.", code="no_signing_pair")

    rig.locations.answers = [away, away]
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(_all_signed)
        await rig.until(lambda _: len(rig.client.sent) == 2)
    assert [batch.number for batch, _ in rig.locations.shown] == [1, 1, 1, 2]
    assert [number for number, _ in rig.batches()] == [1, 2]
    rig.check(ids)


async def test_past_its_deadline_both_are_taken_apart(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS)

    def too_late(batch: BatchProposal) -> Outcome:
        rig.clock.s += 61
        raise Unavailable("Nobody can sign now.", code="no_signing_pair")

    rig.locations.answers = [too_late]
    async with rig.lane():
        await rig.until(_two_formed)
        rig.locations.open.set()
        await rig.until(lambda _: len(rig.client.sent) == 2)
        await rig.until(_all_signed)
    assert [number for number, status in rig.batches() if status == "void"] == [1, 2]
    rig.check(ids)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_answer_forms_nothing_twice(rig: Rig, monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    ids, run, lost = _pay(rig, 3 * ITEMS), rig.store.run, 0

    async def lossy(fn: Callable[..., Any], *args: Any) -> Any:
        nonlocal lost
        ahead = getattr(fn, "__func__", None) is Forming.full_after and not lost
        if not ahead or committed:
            found = await run(fn, *args)
        if ahead:
            lost += 1
            raise Unavailable("The database does not answer.")
        return found

    monkeypatch.setattr(rig.store, "run", lossy)
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(lambda _: len(rig.client.sent) == 3)
        await rig.until(_all_signed)
    assert lost == 1
    assert [number for number, status in rig.batches() if status == "void"] == ([2] if committed else [])
    rig.check(ids)
