"""A batch is formed while the one before it is signed: shown to nobody before its time, lost and doubled by nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from domain_messages import texas
from lane_rig import ITEMS, Rig, two_formed
from sdt.domain.assembly import Assembled, Frame
from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.errors import Unavailable
from sdt.domain.region import Region
from sdt.signing.coordinator import Outcome
from sdt.signing.wire import BatchProposal, MessageRefusal
from sdt.store import Store, batches
from sdt.store.transactions import TransactionRow
from sdt.worker import forming as forming_module
from sdt.worker import lane as lane_module
from sdt.worker.forming import Forming
from store_rig import accepted, screened, transaction_id


class Reading:
    """Messages are their rows here: what a batch says is not what these tests are about."""

    def read(self, row: TransactionRow) -> TransactionRow:
        return row


def _build_item(row: TransactionRow, region: Region) -> str:
    return row.id


def _assemble(frame: Frame, built: Sequence[tuple[TransactionRow, str]], region: Region) -> Assembled:
    root = hashlib.sha256("".join(item for _, item in built).encode()).digest()
    head = hashlib.sha256(frame.parent + root).digest()
    transaction = ChainTransaction(frame.chain_id, frame.nonce, frame.settlement, root, 1_000)
    return Assembled(False, [], root, head, transaction)


@pytest.fixture
def rig(store: Store, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(forming_module, "build_item", _build_item)
    monkeypatch.setattr(forming_module, "assemble_built", _assemble)
    monkeypatch.setattr(lane_module, "RETRY_S", 0.01)
    return Rig(store, texas(), reading=Reading())


def _all_signed(store: Store) -> bool:
    waits = store.row("SELECT count(*) FROM transactions WHERE status = 'screened'")
    return waits == (0,) and not batches.formed_after(store, 0)


def _pay(rig: Rig, count: int) -> list[str]:
    return screened(rig.store, *(accepted(n) for n in range(1, count + 1)))


async def test_the_next_is_formed_while_one_is_signed_and_shown_once_that_is_stored(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS + 1)
    async with rig.lane():
        await rig.until(two_formed)
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
        await rig.until(two_formed)
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
        await rig.until(two_formed)
        rig.locations.open.set()
        await rig.until(_all_signed)
        await rig.until(lambda _: len(rig.client.sent) == 1)
    rig.check(ids, rejected=ids[:ITEMS])
    assert rig.locations.shown[-1][0].parent == GENESIS_HEAD


async def test_killed_withtwo_formed_the_first_is_proposed_unchanged_and_the_second_formed_anew(rig: Rig) -> None:
    ids = _pay(rig, 2 * ITEMS)
    async with rig.lane():
        await rig.until(two_formed)
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
        await rig.until(two_formed)
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
