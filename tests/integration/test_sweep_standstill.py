"""The sweep says when payments stand still, and keeps quiet about those that wait for people and banks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.domain.transaction import Event
from sdt.functions.sweep import STANDS_STILL_S, SweepFunction
from sdt.store import Store, batches, transactions
from sdt.store.intake import insert_accepted
from sdt.store.transactions import Change
from sdt.worker.clock import Clock
from store_rig import NOW_MS, accepted, formed

LONG_MS = (STANDS_STILL_S + 1) * 1000
DAY_MS = 86_400_000
PAYMENT = accepted(1)._replace(accepted_at_ms=NOW_MS)


class Later(Clock):
    """A clock that a test moves."""

    ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms


class Soon:
    """An invocation with time enough."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def sweep(store: Store, tmp_path: Path, clock: Later) -> Iterator[SweepFunction]:
    queue = EmbeddedQueue(tmp_path / "queue.db")
    yield SweepFunction(store, queue, clock)
    asyncio.run(queue.close())


def told(sweep: SweepFunction, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Sweep; return the errors in its log."""
    caplog.clear()
    sweep.handler({}, Soon())
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def move(store: Store, event: Event, at_ms: int) -> None:
    transactions.move(store, [Change(PAYMENT.id, event)], actor="test", at_ms=at_ms)


def test_a_payment_that_nothing_moves_is_an_error_until_it_is_final(
    store: Store, sweep: SweepFunction, clock: Later, caplog: pytest.LogCaptureFixture
) -> None:
    insert_accepted(store, [PAYMENT])
    clock.ms = NOW_MS + STANDS_STILL_S * 1000
    assert told(sweep, caplog) == []
    # accepted, or screened, or in a batch that no pair of locations signs, or on a chain that makes no block
    clock.ms = NOW_MS + LONG_MS
    moved = clock.ms
    assert told(sweep, caplog) == [
        f"payments stand still: one has waited {STANDS_STILL_S + 1} s for nobody but the platform"
    ]
    move(store, Event.SCREEN, moved)
    assert len(told(sweep, caplog)) == 1
    batches.form(store, replace(formed(1, bytes(32), count=1, nonce=1), formed_at_ms=moved))
    transactions.place_in_batch(store, [PAYMENT.id], 1, actor="lane", at_ms=moved)
    assert len(told(sweep, caplog)) == 1
    head = b"\1" * 32
    batches.mark_signed(store, 1, root=head, head=head, gas=1, chain_tx_hash=head, raw_tx=b"raw", signed_at_ms=moved)
    assert len(told(sweep, caplog)) == 1
    batches.mark_final(store, 1, block_number=1, block_hash=head, skipped_count=0, final_at_ms=moved)
    assert told(sweep, caplog) == []


@pytest.mark.parametrize("event", [Event.HOLD, Event.REVIEW, Event.AWAIT_FUNDS])
def test_what_waits_for_people_or_a_bank_is_none(
    store: Store, sweep: SweepFunction, clock: Later, caplog: pytest.LogCaptureFixture, event: Event
) -> None:
    insert_accepted(store, [PAYMENT])
    move(store, event, NOW_MS)
    clock.ms = NOW_MS + DAY_MS
    assert told(sweep, caplog) == []
    if event is Event.AWAIT_FUNDS:
        return
    # and what they took does not count once they have said their word
    move(store, Event.SCREEN, NOW_MS + DAY_MS)
    assert told(sweep, caplog) == []
    clock.ms += LONG_MS
    assert len(told(sweep, caplog)) == 1


def test_a_payment_that_is_taken_out_of_one_batch_after_another_has_waited_all_the_time(
    store: Store, sweep: SweepFunction, clock: Later, caplog: pytest.LogCaptureFixture
) -> None:
    # given a settlement process that starts, forms a batch and ends, again and again
    insert_accepted(store, [PAYMENT])
    move(store, Event.SCREEN, NOW_MS)
    for again in range(1, 5):
        clock.ms = NOW_MS + again * 40_000
        move(store, Event.BATCH, clock.ms)
        move(store, Event.UNBATCH, clock.ms)
        assert len(told(sweep, caplog)) == (1 if again * 40 > STANDS_STILL_S else 0)


def test_nothing_there_is_no_standstill(sweep: SweepFunction, clock: Later, caplog: pytest.LogCaptureFixture) -> None:
    clock.ms += DAY_MS
    assert told(sweep, caplog) == []
