"""Consumers killed at random during 10,000 messages: none is lost, and no group is seen out of order."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from queue_rig import Backend, backend_of
from sdt.ports.queue import Queue, QueueEntry

SEED = 20260721
MESSAGES = 10_000
GROUPS = 97
KILLS = 10
CONSUMERS = 3
SENT_AT_ONCE = 500


@pytest.mark.slow
@pytest.mark.parametrize("name", ["embedded", "localstack"])
async def test_killed_consumers_lose_nothing_and_keep_each_groups_order(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    chance = random.Random(SEED)
    backend = backend_of(name, request, tmp_path)
    log_file = tmp_path / "seen.log"
    log_file.touch()
    queue = backend.open(1000)
    await queue.depth()  # The queue is there before anybody else opens it.
    consumers = [_start(backend, log_file) for _ in range(CONSUMERS)]
    sending = asyncio.create_task(_send(queue))
    try:
        for kill in range(KILLS):
            await _grown(log_file, (kill + 1) * MESSAGES // (KILLS + 1))
            victim = chance.randrange(CONSUMERS)
            consumers[victim].kill()
            consumers[victim].wait()
            consumers[victim] = _start(backend, log_file)
        await sending
        await _emptied(queue)
    finally:
        sending.cancel()
        for consumer in consumers:
            consumer.kill()
            consumer.wait()
        await queue.close()

    seen = [line.split() for line in log_file.read_text().splitlines()]
    assert {int(body) for _, body, _ in seen} == set(range(MESSAGES))
    assert any(int(count) > 1 for _, _, count in seen), "no kill fell between receive and delete"
    firsts: dict[str, dict[int, None]] = {}
    for group, body, _ in seen:
        firsts.setdefault(group, {}).setdefault(int(body))
    for group, numbers in firsts.items():
        assert list(numbers) == sorted(numbers), f"{group} was first seen out of order"


async def _send(queue: Queue) -> None:
    for first in range(0, MESSAGES, SENT_AT_ONCE):
        numbers = range(first, first + SENT_AT_ONCE)
        await queue.send([QueueEntry(f"group-{n % GROUPS}", f"id-{n}", str(n)) for n in numbers])


async def _grown(log_file: Path, lines: int) -> None:
    async with asyncio.timeout(120):
        while log_file.read_bytes().count(b"\n") < lines:
            await asyncio.sleep(0.05)


async def _emptied(queue: Queue) -> None:
    async with asyncio.timeout(120):
        while (depth := await queue.depth()).waiting + depth.in_flight:
            await asyncio.sleep(0.2)


def _start(backend: Backend, log_file: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("queue_consumer.py")
    # Long enough for a batch on a busy machine, or it comes again and again; what a killed consumer had waits for it.
    visibility_s = 2 if backend.name == "embedded" else 8
    return subprocess.Popen([sys.executable, str(script), backend.place, str(log_file), str(visibility_s)])
