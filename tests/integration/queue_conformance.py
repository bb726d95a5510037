"""What every queue must do: only what Amazon documents for SQS FIFO queues, so that each adapter can pass.

Subclass it, give `open_queue`, and set `hidden_s` to what the queue's clock can resolve (SQS: whole seconds).
Source: Amazon SQS Developer Guide, "FIFO queue delivery logic", "Deduplication", "Dead-letter queues".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar
from uuid import uuid4

import pytest

from sdt.ports import Queue, QueueEntry, Received

MAX_RECEIVES = 2


def entry(group: str, body: str, dedup_id: str | None = None) -> QueueEntry:
    return QueueEntry(group, dedup_id or uuid4().hex, body)


def bodies(received: Sequence[Received]) -> list[str]:
    return [message.body for message in received]


class QueueConformance:
    """The suite. `open_queue` gives an empty queue whose messages die after `max_receives`."""

    hidden_s: ClassVar[float]
    long_s: ClassVar[float] = 60.0

    async def open_queue(self, max_receives: int) -> Queue:
        raise NotImplementedError

    @pytest.fixture
    async def queue(self) -> AsyncIterator[Queue]:
        queue = await self.open_queue(MAX_RECEIVES)
        yield queue
        await queue.close()

    async def drain(self, queue: Queue, count: int) -> list[Received]:
        """Receive until `count` messages came, deleting each batch, as a consumer does."""
        seen: list[Received] = []
        while len(seen) < count:
            batch = await queue.receive(500, wait_s=5, visibility_s=self.long_s)
            assert batch, f"nothing more came after {len(seen)} of {count}"
            assert not await queue.delete([message.receipt for message in batch])
            seen.extend(batch)
        return seen

    async def test_what_is_sent_is_received_with_all_its_parts(self, queue: Queue) -> None:
        sent = entry("alice", '{"id": "é\\u0000 1"}')

        [message_id] = await queue.send([sent])
        [message] = await queue.receive(10, wait_s=5, visibility_s=self.long_s)

        assert (message.message_id, message.group, message.dedup_id) == (message_id, "alice", sent.dedup_id)
        assert message.body == sent.body
        assert message.receive_count == 1
        assert message.sent_at > 1_600_000_000

    async def test_a_deleted_message_is_gone(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1")])
        [message] = await queue.receive(10, wait_s=5, visibility_s=self.hidden_s)

        assert not await queue.delete([message.receipt])

        assert not await queue.receive(10, wait_s=2 * self.hidden_s, visibility_s=self.hidden_s)

    async def test_order_within_a_group_over_batches_of_any_size(self, queue: Queue) -> None:
        entries = [entry(f"group-{n % 3}", str(n)) for n in range(60)]

        ids = await queue.send(entries)
        seen = await self.drain(queue, len(entries))

        assert len(set(ids)) == len(entries)
        assert sorted(int(message.body) for message in seen) == list(range(60))
        for group in range(3):
            mine = [int(message.body) for message in seen if message.group == f"group-{group}"]
            assert mine == sorted(mine)

    async def test_a_group_waits_while_one_of_its_messages_is_in_flight(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1"), entry("alice", "2")])

        [first] = await queue.receive(1, wait_s=5, visibility_s=self.long_s)
        blocked = await queue.receive(10, wait_s=0, visibility_s=self.long_s)
        await queue.delete([first.receipt])
        [second] = await queue.receive(10, wait_s=5, visibility_s=self.long_s)

        assert (first.body, bodies(blocked), second.body) == ("1", [], "2")

    async def test_other_groups_go_on_meanwhile(self, queue: Queue) -> None:
        await queue.send([entry("alice", "a1")])
        assert bodies(await queue.receive(1, wait_s=5, visibility_s=self.long_s)) == ["a1"]

        await queue.send([entry("alice", "a2"), entry("bob", "b1")])

        assert bodies(await queue.receive(10, wait_s=5, visibility_s=self.long_s)) == ["b1"]

    async def test_a_repeated_id_is_accepted_and_not_delivered_again(self, queue: Queue) -> None:
        again = uuid4().hex

        [first_id] = await queue.send([entry("alice", "1", again)])
        [second_id] = await queue.send([entry("alice", "1", again)])
        await self.drain(queue, 1)
        [third_id] = await queue.send([entry("alice", "1", again)])

        assert first_id == second_id == third_id
        assert not await queue.receive(10, wait_s=0.5, visibility_s=self.long_s)

    async def test_a_repeat_within_one_batch_is_delivered_once(self, queue: Queue) -> None:
        again = uuid4().hex

        await queue.send([entry("alice", "1", again), entry("alice", "1", again)])

        assert bodies(await queue.receive(10, wait_s=5, visibility_s=self.long_s)) == ["1"]

    async def test_a_message_not_deleted_comes_back_first_in_its_group(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1"), entry("alice", "2")])

        [taken] = await queue.receive(1, wait_s=5, visibility_s=self.hidden_s)
        back = await queue.receive(1, wait_s=5 * self.hidden_s, visibility_s=self.long_s)

        assert bodies(back) == ["1"]
        assert back[0].receive_count == 2
        assert back[0].receipt != taken.receipt
        assert back[0].message_id == taken.message_id

    async def test_an_old_receipt_deletes_nothing(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1")])
        [taken] = await queue.receive(1, wait_s=5, visibility_s=self.hidden_s)
        [again] = await queue.receive(1, wait_s=5 * self.hidden_s, visibility_s=self.long_s)

        await queue.delete([taken.receipt])  # May be refused or ignored; either way the message stays.

        assert not await queue.delete([again.receipt])

    async def test_extend_keeps_it_hidden(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1")])
        [taken] = await queue.receive(1, wait_s=5, visibility_s=self.hidden_s)

        assert not await queue.extend([taken.receipt], self.long_s)

        assert not await queue.receive(1, wait_s=2 * self.hidden_s, visibility_s=self.hidden_s)
        assert not await queue.delete([taken.receipt])

    async def test_extend_to_zero_gives_it_back_at_once(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1")])
        [taken] = await queue.receive(1, wait_s=5, visibility_s=self.long_s)

        await queue.extend([taken.receipt], 0)

        assert bodies(await queue.receive(1, wait_s=5, visibility_s=self.long_s)) == ["1"]

    async def test_a_waiting_receive_wakes_when_something_is_sent(self, queue: Queue) -> None:
        waiting = asyncio.create_task(queue.receive(10, wait_s=10, visibility_s=self.long_s))
        await asyncio.sleep(0.2)

        await queue.send([entry("alice", "1")])

        assert bodies(await asyncio.wait_for(waiting, 5)) == ["1"]

    async def test_too_many_receives_make_a_dead_letter_and_free_the_group(self, queue: Queue) -> None:
        await queue.send([entry("alice", "poison"), entry("alice", "next")])
        for _ in range(MAX_RECEIVES):
            [message] = await queue.receive(1, wait_s=5, visibility_s=self.long_s)
            assert message.body == "poison"
            await queue.extend([message.receipt], 0)

        after = await queue.receive(1, wait_s=5, visibility_s=self.long_s)

        assert bodies(after) == ["next"]
        [dead] = await queue.dead_letters(10)
        assert (dead.body, dead.group) == ("poison", "alice")

    async def test_redrive_brings_dead_letters_back(self, queue: Queue) -> None:
        await queue.send([entry("alice", "1")])
        for _ in range(MAX_RECEIVES):
            [message] = await queue.receive(1, wait_s=5, visibility_s=self.long_s)
            await queue.extend([message.receipt], 0)
        assert not await queue.receive(1, wait_s=0.5, visibility_s=self.long_s)

        assert await queue.redrive() == 1

        [back] = await queue.receive(1, wait_s=10, visibility_s=self.long_s)
        assert (back.body, back.receive_count) == ("1", 1)
        assert not await queue.dead_letters(10)

    async def test_depth_tells_what_waits_and_what_is_in_flight(self, queue: Queue) -> None:
        await queue.send([entry(f"group-{n}", str(n)) for n in range(5)])
        await queue.receive(2, wait_s=5, visibility_s=self.long_s)

        depth = await queue.depth()

        assert (depth.waiting, depth.in_flight, depth.dead) == (3, 2, 0)
