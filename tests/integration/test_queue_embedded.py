"""What the embedded queue promises beyond SQS; what it shares with SQS is in test_queue_conformance.py."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from queue_rig import bodies, entry
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.domain.errors import Invalid, Unavailable
from sdt.ports.queue import QueueEntry


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def queue(tmp_path: Path, clock: Clock) -> AsyncIterator[EmbeddedQueue]:
    queue = EmbeddedQueue(tmp_path / "queue.sqlite", max_receives=2, clock=clock)
    yield queue
    await queue.close()


async def test_an_id_may_be_sent_again_after_five_minutes(queue: EmbeddedQueue, clock: Clock) -> None:
    await queue.send([entry("alice", "1", "same")])
    clock.now += 299
    await queue.send([entry("alice", "2", "same")])
    clock.now += 1.001
    await queue.send([entry("alice", "3", "same")])

    assert bodies(await queue.receive(10, 0, 30)) == ["1", "3"]


async def test_a_receipt_is_refused_once_its_time_is_over(queue: EmbeddedQueue, clock: Clock) -> None:
    await queue.send([entry("alice", "1")])
    [taken] = await queue.receive(1, 0, 30)
    clock.now += 30

    assert await queue.delete([taken.receipt]) == [taken.receipt]
    assert await queue.extend([taken.receipt], 30) == [taken.receipt]
    assert (await queue.depth()).waiting == 1


@pytest.mark.parametrize("receipt", ["", "x", "1", "1.", "1.0", "-1.a", "9" * 40 + ".a", "١.a"])
async def test_a_made_up_receipt_is_refused(queue: EmbeddedQueue, receipt: str) -> None:
    await queue.send([entry("alice", "1")])
    await queue.receive(1, 0, 30)

    assert await queue.delete([receipt]) == [receipt]
    assert (await queue.depth()).in_flight == 1


async def test_one_bad_receipt_does_not_keep_the_others(queue: EmbeddedQueue) -> None:
    await queue.send([entry("alice", "1"), entry("bob", "2")])
    alice, bob = await queue.receive(10, 0, 30)

    assert await queue.delete([alice.receipt, "1.made-up", bob.receipt]) == ["1.made-up"]
    assert (await queue.depth()).oldest_age_s is None


async def test_the_oldest_age_is_that_of_the_first_not_deleted(queue: EmbeddedQueue, clock: Clock) -> None:
    await queue.send([entry("alice", "1")])
    clock.now += 7
    await queue.send([entry("bob", "2")])
    [alice] = await queue.receive(1, 0, 30)

    assert (await queue.depth()).oldest_age_s == 7
    await queue.delete([alice.receipt])
    assert (await queue.depth()).oldest_age_s == 0


async def test_it_survives_being_closed_and_opened(queue: EmbeddedQueue, tmp_path: Path) -> None:
    await queue.send([entry("alice", "1", "kept")])
    await queue.close()

    again = EmbeddedQueue(tmp_path / "queue.sqlite")
    await again.send([entry("alice", "1", "other")])
    assert bodies(await again.receive(10, 0, 30)) == ["1", "1"]
    await again.close()


async def test_a_closed_queue_says_so(queue: EmbeddedQueue) -> None:
    await queue.close()

    with pytest.raises(Unavailable):
        await queue.send([entry("alice", "1")])
    await queue.close()


async def test_a_second_object_on_the_file_wakes_a_waiting_receive(tmp_path: Path) -> None:
    consumer, producer = (EmbeddedQueue(tmp_path / "queue.sqlite") for _ in range(2))
    waiting = asyncio.create_task(consumer.receive(10, 10, 30))
    await asyncio.sleep(0.1)

    begun = time.monotonic()
    await producer.send([entry("alice", "1")])
    received = await waiting

    assert bodies(received) == ["1"]
    assert time.monotonic() - begun < 2
    await consumer.close()
    await producer.close()


async def test_many_small_sends_at_once_share_commits_and_all_arrive(queue: EmbeddedQueue) -> None:
    await asyncio.gather(*(queue.send([entry(f"group-{n}", str(n))]) for n in range(500)))

    received = await queue.receive(1000, 0, 30)

    assert sorted(int(body) for body in bodies(received)) == list(range(500))


async def test_a_file_held_by_another_writer_does_not_block_the_event_loop(tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "queue.sqlite")
    other = sqlite3.connect(tmp_path / "queue.sqlite", isolation_level=None)
    other.execute("begin immediate")

    sending = asyncio.create_task(queue.send([entry("alice", "1")]))
    done, _ = await asyncio.wait([sending], timeout=0.2)

    assert not done
    other.execute("rollback")
    assert len(await sending) == 1
    other.close()
    await queue.close()


@pytest.mark.parametrize(
    ("max_messages", "wait_s", "visibility_s"), [(0, 0, 30), (1, -1, 30), (1, 21, 30), (1, 0, 43_201)]
)
async def test_a_receive_out_of_range_is_refused(
    queue: EmbeddedQueue, max_messages: int, wait_s: float, visibility_s: float
) -> None:
    with pytest.raises(Invalid):
        await queue.receive(max_messages, wait_s, visibility_s)


@pytest.mark.parametrize(
    ("group", "dedup_id", "body"),
    [
        ("", "1", "x"),
        ("a b", "1", "x"),
        ("a" * 129, "1", "x"),
        ("a", "é", "x"),
        ("a", "1", ""),
        ("a", "1", "é" * 131_073),
        ("a", "1", "nothing\x00"),
        ("a", "1", "half \ud800"),
        ("a", "1", "\uffff"),
    ],
)
def test_what_sqs_would_refuse_cannot_be_built(group: str, dedup_id: str, body: str) -> None:
    with pytest.raises(Invalid):
        QueueEntry(group, dedup_id, body)
