"""The SQS adapter beside bare boto3, on LocalStack: `python -m bench.sqs`. It says nothing of Amazon's own speed.

Both move the same messages through queues of the same make, in turns; the median of three. LocalStack comes from
`make emulators`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from aws_rig import CREDENTIALS, aws_settings, running
from sdt.adapters.aws import client
from sdt.adapters.queue.sqs import SqsQueue
from sdt.ports.queue import QueueEntry

MESSAGES = 1_000
GROUPS = 100
THREADS = 8
TIMES = 3
BODY = "0198c0de-0000-7000-8000-"


def main() -> None:
    """Print messages per second, sent and then received and deleted."""
    os.environ.update(CREDENTIALS)
    with running("localstack") as emulator:
        ways: dict[str, Callable[[str, int], tuple[float, float]]] = {
            "boto3, one thread": lambda url, n: _bare(url, n, 1),
            f"boto3, {THREADS} threads": lambda url, n: _bare(url, n, THREADS),
            "the adapter": lambda url, n: asyncio.run(_adapter(url, n)),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for turn in range(TIMES):
            for at, (name, way) in enumerate(ways.items()):
                taken[name].append(way(emulator.url, turn * len(ways) + at))
    print(f"{'':20}{'sent/s':>10}{'received and deleted/s':>26}")
    for name, figures in taken.items():
        sent, received = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:20}{MESSAGES / sent:>10.0f}{MESSAGES / received:>26.0f}")


async def _adapter(url: str, number: int) -> tuple[float, float]:
    queue = SqsQueue(aws_settings(url), f"adapter-{number}.fifo", max_receives=5)
    await queue.depth()
    begun = time.perf_counter()
    for first in range(0, MESSAGES, 500):
        await queue.send([QueueEntry(f"g{n % GROUPS}", f"{n}", f"{BODY}{n:012}") for n in range(first, first + 500)])
    sent = time.perf_counter()
    seen = 0
    while seen < MESSAGES:
        batch = await queue.receive(500, 1, 60)
        await queue.delete([message.receipt for message in batch])
        seen += len(batch)
    done = time.perf_counter()
    await queue.close()
    return sent - begun, done - sent


def _bare(url: str, number: int, threads: int) -> tuple[float, float]:
    sqs = client("sqs", aws_settings(url), connections=threads)
    queue = sqs.create_queue(QueueName=f"bare-{number}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    calls = [list(range(first, first + 10)) for first in range(0, MESSAGES, 10)]
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda numbers: _send(sqs, queue, numbers), calls))
        sent = time.perf_counter()
        list(pool.map(lambda share: _take(sqs, queue, share), [MESSAGES // threads] * threads))
        return sent - begun, time.perf_counter() - sent


def _send(sqs: Any, queue: str, numbers: list[int]) -> None:
    sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {
                "Id": str(n),
                "MessageBody": f"{BODY}{n:012}",
                "MessageGroupId": f"g{n % GROUPS}",
                "MessageDeduplicationId": str(n),
            }
            for n in numbers
        ],
    )


def _take(sqs: Any, queue: str, count: int) -> None:
    """Receive and delete until so many are done, or nothing more comes: another thread has had them."""
    while count > 0:
        taken = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not taken:
            return
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(taken)]
        sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
        count -= len(taken)


if __name__ == "__main__":
    main()
