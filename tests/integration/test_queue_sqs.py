"""What the SQS adapter makes of failures: a batch taken in part, throttling, a lost answer, nobody there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aws_rig import aws_settings
from failing_sqs import FailingSqs
from ports import free_port
from queue_rig import bodies, entry
from sdt.adapters import aws
from sdt.adapters.queue import sqs
from sdt.adapters.queue.sqs import SqsQueue
from sdt.backends import open_queue
from sdt.config import load_settings
from sdt.domain.errors import Unavailable
from sdt.ports.queue import QueueEntry

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "ATTEMPTS", 2)
    monkeypatch.setattr(sqs, "_PAUSE_S", 0.01)


@pytest.fixture
def front(ministack: str) -> Iterator[FailingSqs]:
    with FailingSqs(ministack) as front:
        yield front


@pytest.fixture
async def queue(front: FailingSqs) -> AsyncIterator[SqsQueue]:
    queue = SqsQueue(aws_settings(front.url), f"test-{uuid4().hex}.fifo", max_receives=5)
    yield queue
    await queue.close()


class Once:
    """Fail at what has one of these bodies, the first `times` it comes."""

    def __init__(self, *failing: str, times: int = 1) -> None:
        self.left = dict.fromkeys(failing, times)

    def __call__(self, operation: str, entry: dict[str, Any]) -> bool:
        body = entry.get("MessageBody", operation)
        if self.left.get(body, 0) <= 0:
            return False
        self.left[body] -= 1
        return True


async def _all_of(queue: SqsQueue) -> list[str]:
    seen: list[str] = []
    while batch := await queue.receive(10, 0, 60):
        assert not await queue.delete([message.receipt for message in batch])
        seen += bodies(batch)
    return seen


async def test_what_failed_goes_out_again_before_what_follows_it(queue: SqsQueue, front: FailingSqs) -> None:
    # given a group of twenty, of which SQS fails at the end of the first call
    front.fails = Once("7", "8", "9")

    ids = await queue.send([entry("alice", str(n)) for n in range(20)])

    assert len(set(ids)) == 20
    assert await _all_of(queue) == [str(n) for n in range(20)]


async def test_a_message_that_was_overtaken_is_not_slipped_in_behind(queue: SqsQueue, front: FailingSqs) -> None:
    # given that SQS takes a later message of a group and not an earlier one, and others of another group
    sent = [entry("alice", "1"), entry("alice", "2"), entry("alice", "3"), entry("bob", "b")]
    front.fails = Once("2")

    with pytest.raises(Unavailable) as refused:
        await queue.send(sent)
    again = await queue.send(sent)

    # then nobody is told that it is in order; sent again under the same ids, each is there once
    assert refused.value.code == "queue_overtaken"
    assert len(set(again)) == 4
    assert sorted(await _all_of(queue)) == ["1", "2", "3", "b"]


async def test_a_batch_that_goes_on_failing_is_given_up(queue: SqsQueue, front: FailingSqs) -> None:
    front.fails = Once("2", times=100)

    with pytest.raises(Unavailable) as refused:
        await queue.send([entry("alice", "1"), entry("alice", "2")])

    assert refused.value.code == "queue_partial"
    assert await _all_of(queue) == ["1"]


@pytest.mark.parametrize("operation", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
async def test_deletes_and_extensions_that_failed_are_repeated(
    queue: SqsQueue, front: FailingSqs, operation: str
) -> None:
    await queue.send([entry(f"group-{n}", str(n)) for n in range(3)])
    receipts = [message.receipt for message in await queue.receive(10, 5, 60)]
    front.fails = Once(operation, times=2)

    if operation == "DeleteMessageBatch":
        assert not await queue.delete(receipts)
    else:
        assert not await queue.extend(receipts, 0)

    depth = await queue.depth()
    assert (depth.waiting, depth.in_flight) == ((0, 0) if operation == "DeleteMessageBatch" else (3, 0))


async def test_a_lost_answer_to_a_send_makes_no_second_message(queue: SqsQueue, front: FailingSqs) -> None:
    await queue.depth()
    front.lost_answers["SendMessageBatch"] = 1

    [message_id] = await queue.send([entry("alice", "1")])

    assert front.calls["SendMessageBatch"] == 2
    [message] = await queue.receive(10, 5, 60)
    assert message.message_id == message_id
    assert not await queue.receive(10, 0, 60)


async def test_who_is_cancelled_gives_back_what_calls_beside_have_brought(
    queue: SqsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more messages than one call brings, and of the calls after it one that is through and one that is not
    await queue.send([entry(f"group-{n}", str(n)) for n in range(30)])
    call, calls, through = queue._calls.call, 0, asyncio.Event()

    async def held(operation: str, **arguments: Any) -> dict[str, Any]:
        nonlocal calls
        calls += operation == "receive_message"
        last = operation == "receive_message" and calls == 3
        answer = await call(operation, **arguments)
        if last:
            await through.wait()
        return answer

    monkeypatch.setattr(queue._calls, "call", held)
    receiving = asyncio.create_task(queue.receive(30, 5, 600))
    while calls < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)

    # When the receiver goes
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    through.set()
    await asyncio.gather(*queue._returning)

    # Then all of it is there for the next one
    monkeypatch.setattr(queue._calls, "call", call)
    assert sorted(await _all_of(queue), key=int) == [str(n) for n in range(30)]


async def test_throttling_is_told_and_costs_nothing(queue: SqsQueue, front: FailingSqs) -> None:
    await queue.depth()
    sent = [entry(f"group-{n % 3}", str(n)) for n in range(30)]
    front.throttled = True
    with pytest.raises(Unavailable) as refused:
        await queue.send(sent)
    assert refused.value.code == "queue_throttled"

    front.throttled = False
    await queue.send(sent)
    assert sorted(map(int, await _all_of(queue))) == list(range(30))


async def test_nobody_there_is_told_without_an_address(
    monkeypatch: pytest.MonkeyPatch, aws_credentials: object
) -> None:
    queue = SqsQueue(aws_settings(f"http://127.0.0.1:{free_port()}"), "sdt.fifo")

    with pytest.raises(Unavailable) as refused:
        await queue.send([QueueEntry("alice", "1", "1")])

    assert refused.value.code == "queue_unavailable"
    assert "127.0.0.1" not in str(refused.value)
    await queue.close()


async def test_a_queue_that_is_not_there_is_named(ministack: str) -> None:
    queue = SqsQueue(aws_settings(ministack), "never-made.fifo")

    with pytest.raises(Unavailable) as refused:
        await queue.depth()

    assert refused.value.code == "queue_missing"
    await queue.close()
    with pytest.raises(Unavailable):
        await queue.depth()


async def test_a_queue_made_by_somebody_else_is_found_with_its_dead_letters(ministack: str) -> None:
    name = f"test-{uuid4().hex}.fifo"
    made, found = SqsQueue(aws_settings(ministack), name, max_receives=1), SqsQueue(aws_settings(ministack), name)
    await made.send([entry("alice", "1")])
    [taken] = await found.receive(1, 5, 60)
    await found.extend([taken.receipt], 0)
    await found.receive(1, 0, 60)

    assert (await found.depth()).dead == 1
    assert [letter.body for letter in await found.dead_letters(10)] == ["1"]
    await made.close()
    await found.close()


def test_an_embedded_platform_does_not_import_amazons_library(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from sdt.backends import open_queue
from sdt.config import load_settings
open_queue(load_settings(home=Path({str(tmp_path)!r}), ports={{}}))
assert not [name for name in sys.modules if name.startswith("boto")]
"""
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_settings_choose_the_queue(ministack: str, tmp_path: Path) -> None:
    chosen = {"aws.endpoint_url": ministack, "queue.name": f"test-{uuid4().hex}.fifo"}
    queue = open_queue(load_settings("localstack", chosen, home=tmp_path, ports={}))

    await queue.send([entry("alice", "1")])

    assert isinstance(queue, SqsQueue)
    assert bodies(await queue.receive(1, 5, 60)) == ["1"]
    await queue.close()
