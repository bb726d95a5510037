"""What the chain settled and a restored database does not know, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.backends import open_database
from sdt.config import Settings
from sdt.domain.batch import BATCH_SETTLED_TOPIC, BatchSettled
from sdt.store import Store, batches

__all__ = ["MissingBatch", "missing_batches"]

_BLOCKS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class MissingBatch:
    """A batch that is on chain and not signed in the database. `items` are the messages that it settled or skipped."""

    number: int
    block: int
    items: int
    chain_transaction: str


async def missing_batches(settings: Settings) -> list[MissingBatch]:
    """Return the batches of the chain, in order, that the database does not have under the same head.

    Errors: ChainUnavailable; Unavailable.
    """
    deployment = load_deployment(settings.home)
    assert deployment is not None, "the region is open"
    store = open_database(settings)
    try:
        known = _heads(store)
    finally:
        store.close()
    found: list[MissingBatch] = []
    async with ChainReader(settings.chain.urls) as reader:
        last = await reader.block_number()
        for first in range(deployment.block_number, last + 1, _BLOCKS_AT_ONCE):
            until = min(last, first + _BLOCKS_AT_ONCE - 1)
            for log in await reader.logs(first, until, addresses=[deployment.settlement], topics=[BATCH_SETTLED_TOPIC]):
                settled = BatchSettled.from_log(log.topics, log.data)
                if known.get(settled.number) != settled.head:
                    found.append(
                        MissingBatch(settled.number, log.block_number, settled.count, "0x" + log.tx_hash.hex())
                    )
    return found


def _heads(store: Store) -> dict[int, bytes]:
    return {number: bytes(head) for number, head in batches.heads(store)}
