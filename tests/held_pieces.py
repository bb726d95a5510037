"""A location's end of a joint job's connection, fed piece by piece: `python tests/held_pieces.py WHAT`.

A program of its own, since MPyC changes the process that imports it.
"""

from __future__ import annotations

import asyncio
import random
import struct
import sys
from types import SimpleNamespace

from sdt.signing import mpyc_runtime as ours

MIB = 2**20


class Connection:
    """A peer's connection, and whether it was given up."""

    def __init__(self) -> None:
        self.aborted = False
        runtime = SimpleNamespace(_loop=asyncio.get_running_loop())
        self.end = ours._Exchanger(runtime, 1)
        self.end.transport = SimpleNamespace(abort=self._abort)

    def _abort(self) -> None:
        self.aborted = True

    def added_up(self) -> int:
        kept = self.end.buffers.values()
        return len(self.end.bytes) + sum(len(each) for each in kept if isinstance(each, bytes))


def frame(at: int, size: int) -> bytes:
    return struct.pack(f"<qI{size}s", at, size, b"")


def total() -> None:
    """What is counted is what adds up, whatever comes, is waited for, is taken, or comes in parts."""
    chosen = random.Random(7)
    to, sent, asked, held, most = Connection(), 0, set(), set(), 0
    for _ in range(5_000):
        if chosen.random() < 0.5:
            stream = frame(sent, chosen.randrange(3_000))
            cut = chosen.randrange(len(stream) + 1)
            for piece in (stream[:cut], stream[cut:]):
                to.end.data_received(piece)
                assert to.end._held_bytes() == to.added_up()
            held |= {sent} - asked
            sent += 1
        elif held and chosen.random() < 0.6:
            held.remove(at := chosen.choice(sorted(held)))
            assert isinstance(to.end.receive(at), bytes)
        else:
            at = sent + chosen.randrange(20)
            if at not in asked:
                asked.add(at)
                assert isinstance(to.end.receive(at), asyncio.Future)
        assert to.end._held_bytes() == to.added_up()
        most = max(most, to.end._held_bytes())
    assert sent > 2_000 and most > 20_000 and not to.aborted
    for at in sorted(held):
        to.end.receive(at)
    assert to.end._held_bytes() == 0


def limit() -> None:
    """A connection is given up with the byte that is too much, be it of a whole message or of one begun."""
    to = Connection()
    for at in range(8):
        to.end.data_received(frame(at, 4 * MIB))
    assert to.end._held_bytes() == ours.HELD_BYTES_MAX and not to.aborted
    to.end.data_received(b"\0")
    assert to.aborted
    to = Connection()
    for at in range(40):  # five times as much, of which nothing stays
        to.end.data_received(frame(at, 4 * MIB))
        to.end.receive(at)
    for at in range(40, 80):  # and what is waited for is not held
        to.end.receive(at)
        to.end.data_received(frame(at, 4 * MIB))
    assert not to.aborted and to.end._held_bytes() == 0


def cost() -> None:
    """A piece costs the same whatever is held already."""

    def steps(piece: bytes) -> int:
        count = 0

        def step(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(step)
        to.end.data_received(piece)
        sys.setprofile(None)
        return count

    to = Connection()
    first = steps(frame(0, 1))
    assert first > 5, "nothing was counted"
    assert {steps(frame(at, 1)) for at in range(1, 3_000)} == {first}


async def main() -> None:
    {"total": total, "limit": limit, "cost": cost}[sys.argv[1]]()


asyncio.run(main())
