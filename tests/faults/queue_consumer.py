"""A consumer process for the kill test: take messages, write each to a log that is synced, then delete them.

Usage: queue_consumer.py PLACE LOG_FILE VISIBILITY_S
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from queue_rig import open_place


async def consume(place: str, log_file: str, visibility_s: float) -> None:
    queue = open_place(place, max_receives=1000)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        batch = await queue.receive(50, wait_s=20, visibility_s=visibility_s)
        for message in batch:
            os.write(log, f"{message.group} {message.body} {message.receive_count}\n".encode())
            await asyncio.sleep(0.0005)  # Work takes time: so a kill falls into the middle of a batch.
        os.fsync(log)
        await queue.delete([message.receipt for message in batch])


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2], float(sys.argv[3])))
