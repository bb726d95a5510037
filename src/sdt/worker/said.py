"""What Settlement said in a block of the batches that are ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sdt.adapters.chain.answers import Block, Log
from sdt.adapters.chain.errors import ChainUnavailable
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.batch import BATCH_SETTLED_TOPIC, ITEM_SKIPPED_TOPIC, BatchSettled, ItemSkipped, SkipReason
from sdt.worker.flight import Flight

__all__ = ["Said", "what_was_said"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a block says of one flight: the words of Settlement, none if the contract refused it."""

    flight: Flight
    logs: Sequence[Log]

    def settled(self) -> BatchSettled | None:
        """Return what Settlement said of the batch as a whole, unless it refused it."""
        for entry in self.logs:
            if _is_of_the_whole(entry):
                return BatchSettled.from_log(entry.topics, entry.data)
        return None

    def skipped(self, settled: BatchSettled) -> dict[int, SkipReason]:
        """Return by position why items were skipped, as said of each and of all."""
        skipped = {}
        for entry in self.logs:
            if entry.topics and entry.topics[0] == ITEM_SKIPPED_TOPIC:
                item = ItemSkipped.from_log(entry.topics, entry.data)
                skipped[item.position] = item.reason
        bitmap = {i for i in range(settled.count) if not settled.settled(i)}
        if bitmap != set(skipped):
            raise ChainUnavailable("The chain node leaves out why items were skipped.", code="chain_silent")
        return skipped


def _is_of_the_whole(entry: Log) -> bool:
    """Tell whether this is what Settlement says last of a batch: without it the rest may have been cut off."""
    return bool(entry.topics) and entry.topics[0] == BATCH_SETTLED_TOPIC


async def what_was_said(reader: ChainReader, settlement: str, block: Block, mine: Sequence[Flight]) -> list[Said]:
    """Read what Settlement said in a block; whole receipts would bring a log of the token for each transfer too.

    Errors: ChainUnavailable when a batch is silent and its receipt does not say that it failed: a node that
    leaves words out must not void a batch.
    """
    logs: defaultdict[bytes, list[Log]] = defaultdict(list)
    for entry in await reader.logs(block.hash, addresses=[settlement]):
        logs[entry.tx_hash].append(entry)
    silent = [flight for flight in mine if not any(map(_is_of_the_whole, logs[flight.chain_tx_hash]))]
    if silent:
        for receipt in await reader.receipts_of([flight.chain_tx_hash for flight in silent]):
            if receipt is None or receipt.succeeded or receipt.block_hash != block.hash:
                raise ChainUnavailable("The chain node leaves out what Settlement said.", code="chain_silent")
    return [Said(flight, logs[flight.chain_tx_hash]) for flight in mine]
