"""Following a chain by hash and parent, so that a block which left it is noticed and told of.

A height is not an identity: at the same height another block may stand a moment later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from sdt.adapters.chain.answers import Block
from sdt.adapters.chain.errors import BlockMissing, ChainUnavailable
from sdt.adapters.chain.reader import ChainReader

__all__ = ["BlockEvent", "ChainForked", "Happening", "follow"]


class Happening(Enum):
    """What happened to a block."""

    ARRIVED = "arrived"
    """It is on the chain, for now."""
    LEFT = "left"
    """It is on the chain no more; what it held must be looked for again."""
    FINAL = "final"
    """So many blocks stand on it that it counts as final."""


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """One block and what happened to it."""

    happening: Happening
    block: Block


class ChainForked(ChainUnavailable):
    """A block that counted as final is not on the chain: nothing here may go on by itself."""

    code = "chain_forked"


async def follow(
    reader: ChainReader,
    after: tuple[int, bytes],
    *,
    depth: int = 1,
    pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0.05),
) -> AsyncIterator[BlockEvent]:
    """Tell of every block after the given final one (number, hash), for as long as one listens.

    A block is FINAL when `depth` blocks stand at or above it: 1 means at once, as under QBFT. Blocks that leave are
    told of newest first. A node that does not answer is asked again. `pause` is waited for when nothing is new.
    Errors: ChainForked.
    """
    final = after
    open_blocks: deque[Block] = deque()
    while True:
        try:
            events = await _look(reader, final, open_blocks)
        except ChainForked:
            raise
        except ChainUnavailable:
            events = []
        for event in events:
            yield event
        while len(open_blocks) >= depth:
            block = open_blocks.popleft()
            final = (block.number, block.hash)
            yield BlockEvent(Happening.FINAL, block)
        if not events:
            await pause()


async def _look(reader: ChainReader, final: tuple[int, bytes], open_blocks: deque[Block]) -> list[BlockEvent]:
    """Take in the next block, or take back the newest if the chain went on from another."""
    number, tip_hash = (open_blocks[-1].number, open_blocks[-1].hash) if open_blocks else final
    try:
        block = await reader.block(number + 1)
    except BlockMissing:
        # Nothing follows yet; or the chain became shorter, and ours is not the block that stands there.
        block = await reader.block(number)
        if block.hash == tip_hash:
            return []
        return [_take_back(open_blocks)]
    if block.parent_hash != tip_hash:
        return [_take_back(open_blocks)]
    open_blocks.append(block)
    return [BlockEvent(Happening.ARRIVED, block)]


def _take_back(open_blocks: deque[Block]) -> BlockEvent:
    if not open_blocks:
        raise ChainForked("A block that counted as final has left the chain.")
    return BlockEvent(Happening.LEFT, open_blocks.pop())
