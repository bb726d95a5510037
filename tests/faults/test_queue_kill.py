"""Consumers killed at random: no message is lost, and no group is seen out of order."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.ports import QueueEntry

SEED = 20260721
GROUPS = 7
KILLS = 10
BURST = 84
MESSAGES = KILLS * BURST


@pytest.mark.slow
async def test_killed_consumers_lose_nothing_and_keep_each_groups_order(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    queue_file, log_file = tmp_path / "queue.sqlite", tmp_path / "seen.log"
    queue = EmbeddedQueue(queue_file, max_receives=1000)
    consumers = [_start(queue_file, log_file) for _ in range(2)]
    try:
        for first in range(0, MESSAGES, BURST):
            numbers = range(first, first + BURST)
            await queue.send([QueueEntry(f"group-{n % GROUPS}", f"id-{n}", str(n)) for n in numbers])
            await _grown(log_file, first)
            await asyncio.sleep(chance.uniform(0, 0.1))
            victim = chance.randrange(len(consumers))
            consumers[victim].kill()
            consumers[victim].wait()
            consumers[victim] = _start(queue_file, log_file)
        await _emptied(queue)
    finally:
        for consumer in consumers:
            consumer.kill()
            consumer.wait()
        await queue.close()

    seen = _lines(log_file)
    assert {int(body) for _, body, _ in seen} == set(range(MESSAGES))
    assert any(int(count) > 1 for _, _, count in seen), "no kill fell between receive and delete"
    for group in range(GROUPS):
        firsts = list(dict.fromkeys(int(body) for name, body, _ in seen if name == f"group-{group}"))
        assert firsts == sorted(firsts), f"group {group} was first seen out of order"


async def _grown(log_file: Path, lines: int) -> None:
    async with asyncio.timeout(20):
        while len(_lines(log_file)) <= lines:
            await asyncio.sleep(0.02)


async def _emptied(queue: EmbeddedQueue) -> None:
    async with asyncio.timeout(30):
        while (depth := await queue.depth()).waiting + depth.in_flight:
            await asyncio.sleep(0.1)


def _lines(log_file: Path) -> list[list[str]]:
    return [line.split() for line in log_file.read_text().splitlines()] if log_file.exists() else []


def _start(queue_file: Path, log_file: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("queue_consumer.py")
    return subprocess.Popen([sys.executable, str(script), str(queue_file), str(log_file)])
