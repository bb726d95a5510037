"""What every queue does, the embedded one and SQS alike: only what Amazon documents for FIFO queues.

Source: Amazon SQS Developer Guide, "FIFO queue delivery logic", "Exactly-once processing", "Dead-letter queues"; API
reference, SendMessageBatch, ReceiveMessage, ChangeMessageVisibility.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from queue_rig import BACKENDS, Backend, backend_of, bodies, entry
from sdt.ports.queue import Queue, Received

MAX_RECEIVES = 2
LONG_S = 60.0


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return backend_of(request.param, request, tmp_path)


@pytest.fixture
async def queue(backend: Backend) -> AsyncIterator[Queue]:
    queue = backend.open(MAX_RECEIVES)
    yield queue
    await queue.close()


async def drain(queue: Queue, count: int) -> list[Received]:
    """Receive until `count` messages came, deleting each batch, as a consumer does."""
    seen: list[Received] = []
    while len(seen) < count:
        batch = await queue.receive(500, wait_s=5, visibility_s=LONG_S)
        assert batch, f"nothing more came after {len(seen)} of {count}"
        assert not await queue.delete([message.receipt for message in batch])
        seen.extend(batch)
    return seen


async def test_what_is_sent_is_received_with_all_its_parts(queue: Queue) -> None:
    sent = entry("alice", '{"id": "é\\u0000 1"}')

    [message_id] = await queue.send([sent])
    [message] = await queue.receive(10, wait_s=5, visibility_s=LONG_S)

    assert (message.message_id, message.group, message.dedup_id) == (message_id, "alice", sent.dedup_id)
    assert message.body == sent.body
    assert message.receive_count == 1
    assert message.sent_at > 1_600_000_000


async def test_a_deleted_message_is_gone(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1")])
    [message] = await queue.receive(10, wait_s=5, visibility_s=backend.hidden_s)

    assert not await queue.delete([message.receipt])

    assert not await queue.receive(10, wait_s=2 * backend.hidden_s, visibility_s=backend.hidden_s)


async def test_order_within_a_group_over_batches_of_any_size(queue: Queue) -> None:
    entries = [entry(f"group-{n % 3}", str(n)) for n in range(60)]

    ids = await queue.send(entries)
    seen = await drain(queue, len(entries))

    assert len(set(ids)) == len(entries)
    assert sorted(int(message.body) for message in seen) == list(range(60))
    for group in range(3):
        mine = [int(message.body) for message in seen if message.group == f"group-{group}"]
        assert mine == sorted(mine)


async def test_a_group_waits_while_one_of_its_messages_is_in_flight(queue: Queue) -> None:
    await queue.send([entry("alice", "1"), entry("alice", "2")])

    [first] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)
    blocked = await queue.receive(10, wait_s=0, visibility_s=LONG_S)
    await queue.delete([first.receipt])
    [second] = await queue.receive(10, wait_s=5, visibility_s=LONG_S)

    assert (first.body, bodies(blocked), second.body) == ("1", [], "2")


async def test_other_groups_go_on_meanwhile(queue: Queue) -> None:
    await queue.send([entry("alice", "a1")])
    assert bodies(await queue.receive(1, wait_s=5, visibility_s=LONG_S)) == ["a1"]

    await queue.send([entry("alice", "a2"), entry("bob", "b1")])

    assert bodies(await queue.receive(10, wait_s=5, visibility_s=LONG_S)) == ["b1"]


async def test_a_repeated_id_is_accepted_and_not_delivered_again(queue: Queue) -> None:
    again = uuid4().hex

    [first_id] = await queue.send([entry("alice", "1", again)])
    [second_id] = await queue.send([entry("alice", "1", again)])
    await drain(queue, 1)
    [third_id] = await queue.send([entry("alice", "1", again)])

    assert first_id == second_id == third_id
    assert not await queue.receive(10, wait_s=0.5, visibility_s=LONG_S)


async def test_a_repeat_within_one_batch_is_delivered_once(queue: Queue) -> None:
    again = uuid4().hex

    await queue.send([entry("alice", "1", again), entry("alice", "1", again)])

    assert bodies(await queue.receive(10, wait_s=5, visibility_s=LONG_S)) == ["1"]


async def test_a_message_not_deleted_comes_back_first_in_its_group(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1"), entry("alice", "2")])

    [taken] = await queue.receive(1, wait_s=5, visibility_s=backend.hidden_s)
    back = await queue.receive(1, wait_s=5 * backend.hidden_s, visibility_s=LONG_S)

    assert bodies(back) == ["1"]
    assert back[0].receive_count == 2
    assert back[0].receipt != taken.receipt
    assert back[0].message_id == taken.message_id


async def test_an_old_receipt_deletes_nothing(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1")])
    [taken] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)
    await queue.extend([taken.receipt], 0)
    [again] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)

    await queue.delete([taken.receipt])  # May be refused or passed over; either way the message stays.

    assert ((await queue.depth()).in_flight == 0) is backend.deviates("old_receipt_works")
    assert not await queue.delete([again.receipt])


async def test_a_receipt_whose_time_is_over_deletes_nothing(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1")])
    [taken] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)
    await queue.extend([taken.receipt], 0)

    await queue.delete([taken.receipt])

    assert ((await queue.depth()).waiting == 0) is backend.deviates("ended_receipt_works")


async def test_one_that_is_given_back_waits_for_the_others_of_its_group(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1"), entry("alice", "2")])
    first, second = await queue.receive(2, wait_s=5, visibility_s=LONG_S)

    await queue.extend([first.receipt], 0)
    blocked = await queue.receive(1, wait_s=0, visibility_s=LONG_S)
    await queue.delete([second.receipt])

    assert bodies(blocked) == (["1"] if backend.deviates("one_back_frees_group") else [])
    if not blocked:
        assert bodies(await queue.receive(1, wait_s=5, visibility_s=LONG_S)) == ["1"]


async def test_what_expires_does_not_wait_for_other_groups(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1")])
    await queue.receive(1, wait_s=5, visibility_s=LONG_S)
    await queue.send([entry("bob", "2")])
    await queue.receive(1, wait_s=5, visibility_s=backend.hidden_s)

    back = await queue.receive(1, wait_s=3 * backend.hidden_s, visibility_s=LONG_S)

    assert bodies(back) == ([] if backend.deviates("expiry_waits_for_older") else ["2"])


async def test_extend_keeps_it_hidden(queue: Queue, backend: Backend) -> None:
    await queue.send([entry("alice", "1")])
    [taken] = await queue.receive(1, wait_s=5, visibility_s=backend.hidden_s)

    assert not await queue.extend([taken.receipt], LONG_S)

    assert not await queue.receive(1, wait_s=2 * backend.hidden_s, visibility_s=backend.hidden_s)
    assert not await queue.delete([taken.receipt])


async def test_extend_to_zero_gives_it_back_at_once(queue: Queue) -> None:
    await queue.send([entry("alice", "1")])
    [taken] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)

    await queue.extend([taken.receipt], 0)

    assert bodies(await queue.receive(1, wait_s=5, visibility_s=LONG_S)) == ["1"]


async def test_a_waiting_receive_wakes_when_something_is_sent(queue: Queue) -> None:
    waiting = asyncio.create_task(queue.receive(10, wait_s=10, visibility_s=LONG_S))
    await asyncio.sleep(0.2)

    await queue.send([entry("alice", "1")])

    assert bodies(await asyncio.wait_for(waiting, 5)) == ["1"]


async def test_too_many_receives_make_a_dead_letter_and_free_the_group(queue: Queue) -> None:
    await queue.send([entry("alice", "poison"), entry("alice", "next")])
    for _ in range(MAX_RECEIVES):
        [message] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)
        assert message.body == "poison"
        await queue.extend([message.receipt], 0)

    after = await queue.receive(1, wait_s=5, visibility_s=LONG_S)

    assert bodies(after) == ["next"]
    [dead] = await queue.dead_letters(10)
    assert (dead.body, dead.group) == ("poison", "alice")


async def test_redrive_brings_dead_letters_back(queue: Queue) -> None:
    await queue.send([entry("alice", "1")])
    for _ in range(MAX_RECEIVES):
        [message] = await queue.receive(1, wait_s=5, visibility_s=LONG_S)
        await queue.extend([message.receipt], 0)
    assert not await queue.receive(1, wait_s=0.5, visibility_s=LONG_S)

    assert await queue.redrive() == 1

    [back] = await queue.receive(1, wait_s=10, visibility_s=LONG_S)
    assert (back.body, back.receive_count) == ("1", 1)
    assert not await queue.dead_letters(10)


async def test_depth_tells_what_waits_and_what_is_in_flight(queue: Queue) -> None:
    await queue.send([entry(f"group-{n}", str(n)) for n in range(5)])
    await queue.receive(2, wait_s=5, visibility_s=LONG_S)

    depth = await queue.depth()

    assert (depth.waiting, depth.in_flight, depth.dead) == (3, 2, 0)


async def test_nothing_is_sent_deleted_and_extended_without_complaint(queue: Queue) -> None:
    assert list(await queue.send([])) == list(await queue.delete([])) == list(await queue.extend([], 1)) == []


async def test_large_bodies_are_sent_in_one_go(queue: Queue) -> None:
    large = ["x" * 262_144, "é" * 100_000, "y" * 200_000]

    await queue.send([entry("alice", body) for body in large])

    assert bodies(await drain(queue, 3)) == large


async def test_a_made_up_receipt_does_not_keep_the_others(queue: Queue) -> None:
    await queue.send([entry("alice", "1"), entry("bob", "2")])
    taken = await queue.receive(10, wait_s=5, visibility_s=LONG_S)
    assert len(taken) == 2

    refused = await queue.delete([taken[0].receipt, "made-up", taken[1].receipt])

    assert list(refused) in ([], ["made-up"])
    depth = await queue.depth()
    assert (depth.waiting, depth.in_flight) == (0, 0)


async def test_a_receive_that_is_given_up_keeps_nothing_hidden(queue: Queue) -> None:
    waiting = asyncio.create_task(queue.receive(10, wait_s=3, visibility_s=LONG_S))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await queue.send([entry("alice", "1")])

    assert bodies(await queue.receive(10, wait_s=10, visibility_s=LONG_S)) == ["1"]


async def test_dead_letters_of_many_groups_come_back_in_their_order(queue: Queue) -> None:
    await queue.send([entry(f"group-{n % 6}", str(n)) for n in range(24)])
    async with asyncio.timeout(20):
        while (await queue.depth()).dead < 24:
            taken = await queue.receive(100, wait_s=0, visibility_s=LONG_S)
            await queue.extend([message.receipt for message in taken], 0)

    shown = await queue.dead_letters(100)
    assert (await queue.depth()).dead == 24
    assert await queue.redrive() == 24

    seen = await drain(queue, 24)
    for group in range(6):
        mine = list(range(group, 24, 6))
        assert [int(one.body) for one in seen if one.group == f"group-{group}"] == mine
        # A group shows what one delivery brings: the first of it, and perhaps no more.
        looked = [int(one.body) for one in shown if one.group == f"group-{group}"]
        assert looked and looked == mine[: len(looked)]
