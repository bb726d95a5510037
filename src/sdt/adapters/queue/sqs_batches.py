"""How a list of any length becomes calls that SQS takes, so that a group's order survives a call that fails in part.

Source: Amazon SQS API reference, SendMessageBatch ("multiple messages within a single batch are enqueued in the order
they are sent"; "check for batch errors even when the call returns an HTTP status code of 200").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import count
from typing import Final

from sdt.ports.queue import BODY_BYTES_MAX, QueueEntry

CALL_MAX: Final = 10
"""Entries that one call takes."""
CALL_BYTES_MAX: Final = BODY_BYTES_MAX
"""Bytes of all bodies of one call together: SQS takes 1 MiB since 2025, and took 256 KiB before, as emulators do."""


def lanes(entries: Sequence[QueueEntry], at_once: int) -> list[list[int]]:
    """Deal positions out to at most `at_once` lanes: a group's positions all in one lane, in the order given.

    Lanes can be sent side by side; the calls of one lane must follow each other.
    """
    room = min(at_once, -(-len(entries) // CALL_MAX))
    load = [0] * room
    lane_of: dict[str, int] = {}
    for group, size in Counter(entry.group for entry in entries).most_common():
        lane_of[group] = load.index(min(load))
        load[lane_of[group]] += size
    dealt: list[list[int]] = [[] for _ in load]
    for position, entry in enumerate(entries):
        dealt[lane_of[entry.group]].append(position)
    return [lane for lane in dealt if lane]


def next_call(entries: Sequence[QueueEntry], positions: Sequence[int]) -> list[int]:
    """Return the first of these positions that one call takes: at least one."""
    taken: list[int] = []
    size = 0
    for position in positions[:CALL_MAX]:
        size += len(entries[position].body.encode())
        if taken and size > CALL_BYTES_MAX:
            break
        taken.append(position)
    return taken


def overtaken(entries: Sequence[QueueEntry], called: Sequence[int], sent: Collection[int]) -> bool:
    """Tell whether a message was sent while an earlier one of its group was not: sent now, that would come after it."""
    behind = set()
    for position in called:
        if position not in sent:
            behind.add(entries[position].group)
        elif entries[position].group in behind:
            return True
    return False


def by_number(receipts: Sequence[str]) -> list[dict[str, str]]:
    """Return receipts as the entries of calls, each under the number that its answer will name."""
    return [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in zip(count(), receipts, strict=False)]
