"""A consumer process for the kill test: take messages, write each to a log that is synced, then delete them.

Usage: queue_consumer.py QUEUE_FILE LOG_FILE
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sdt.adapters.queue.embedded import EmbeddedQueue


async def consume(queue_file: Path, log_file: Path) -> None:
    queue = EmbeddedQueue(queue_file, max_receives=1000)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        batch = await queue.receive(20, wait_s=20, visibility_s=0.4)
        for message in batch:
            os.write(log, f"{message.group} {message.body} {message.receive_count}\n".encode())
            await asyncio.sleep(0.002)  # Work takes time: so a kill falls into the middle of a batch.
        os.fsync(log)
        await queue.delete([message.receipt for message in batch])


if __name__ == "__main__":
    asyncio.run(consume(Path(sys.argv[1]), Path(sys.argv[2])))
