"""A queue at Amazon's that takes no more, or is not there: the API keeps what it took, and hands it over later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from api_platform import Holder, Platform, platform

from aws_rig import aws_settings, running
from failing_sqs import FailingSqs
from sdt.adapters.queue.sqs import SqsQueue
from sdt.api.services import Limits
from sdt.domain.errors import Unavailable
from sdt.ports.queue import Queue
from sdt.store import transactions

pytestmark = pytest.mark.slow


async def _accepted(api: Platform, count: int, payer: Holder, payee: Holder) -> list[str]:
    """Send transfers, each of which must be accepted, and return their ids."""
    signed = [await api.signed_transfer(payer, payee) for _ in range(count)]
    for id_, message in signed:
        assert (await api.put(id_, message))[0] == 202
    return [id_ for id_, _ in signed]


async def _taken(queue: Queue, wanted: set[str]) -> list[str]:
    """Take messages as the worker does, until all of these came; a queue that is not there yet is asked again."""
    seen: list[str] = []
    async with asyncio.timeout(60):
        while not wanted <= set(seen):
            try:
                batch = await queue.receive(100, 1, 60)
                await queue.delete([message.receipt for message in batch])
            except Unavailable:
                await asyncio.sleep(0.2)
            else:
                seen += [message.body for message in batch]
    return seen


async def test_what_a_throttling_queue_does_not_take_waits_and_is_bounded(ministack: str, tmp_path: Path) -> None:
    with FailingSqs(ministack) as front:
        queue = SqsQueue(aws_settings(front.url), f"test-{uuid4().hex}.fifo", max_receives=5)
        async with platform(tmp_path, Limits(backlog_max=12), queue=queue) as api:
            alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
            assert (await api.get("/readyz"))[0] == 200
            # given a queue that takes no more
            front.throttled = True
            # when messages come, then they are accepted, health says that they cannot be handed over
            ids = await _accepted(api, 12, alice, bob)
            assert (await api.get("/readyz"))[0] == 503
            # and at the limit of what may wait, the next is told to come again
            assert (await api.put(*await api.signed_transfer(alice, bob)))[0] == 429
            assert None not in [await api.store.read(transactions.get, id_) for id_ in ids]
            # when the queue takes again, then the sweeper hands over all, each once
            front.throttled = False
            api.clock.ahead_ms = 5_000
            assert sorted(await _taken(queue, set(ids))) == sorted(ids)
            assert (await api.get("/readyz"))[0] == 200


async def test_an_emulator_that_is_stopped_and_started_again_loses_nothing(
    aws_credentials: Mapping[str, str], tmp_path: Path
) -> None:
    with running("localstack") as emulator:
        queue = SqsQueue(aws_settings(emulator.url), "sdt-transactions.fifo", max_receives=5)
        async with platform(tmp_path, queue=queue) as api:
            alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
            before = await _accepted(api, 3, alice, bob)
            assert await _taken(queue, set(before)) == before
            # given nobody at the queue's address
            emulator.stop()
            during = await _accepted(api, 5, alice, bob)
            status, told = await api.get("/readyz")
            assert (status, told["queue"], told["database"]) == (503, False, True)
            # when somebody is there again, who has forgotten the queue, then it is made, and gets what it missed
            emulator.start()
            api.clock.ahead_ms = 5_000
            await _taken(queue, set(during))
            assert (await api.get("/readyz"))[0] == 200
