"""A node that leaves words out must not void a batch: only a receipt that says `failed` does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sdt.adapters.chain.answers import Block, Log, Receipt
from sdt.adapters.chain.errors import ChainUnavailable
from sdt.domain.batch import BATCH_SETTLED_TOPIC, ITEM_SKIPPED_TOPIC, BatchSettled
from sdt.worker.flight import Flight
from sdt.worker.said import Said, what_was_said

SETTLEMENT = "0x" + "5e" * 20
BLOCK = Block(7, b"\7" * 32, b"\6" * 32, 0, 0, 0, b"", b"", b"", (b"\1" * 32, b"\2" * 32))
LOG = Log(SETTLEMENT, (BATCH_SETTLED_TOPIC,), b"", 7, BLOCK.hash, b"\1" * 32, 0)
SKIPPED = Log(SETTLEMENT, (ITEM_SKIPPED_TOPIC,), b"", 7, BLOCK.hash, b"\2" * 32, 0)
FAILED = Receipt(b"\2" * 32, 7, BLOCK.hash, 1, False, 21_000, None, ())


@dataclass
class Node:
    """A node that shows these logs of Settlement and these receipts."""

    logs_shown: list[Log]
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)

    async def logs(self, first: bytes, **_: Any) -> list[Log]:
        return self.logs_shown if first == BLOCK.hash else []

    async def receipts_of(self, hashes: list[bytes]) -> list[Receipt | None]:
        self.asked += hashes
        return [self.receipts.get(tx_hash) for tx_hash in hashes]


def flight(tx_hash: bytes) -> Flight:
    return Flight(1, "value", b"", (), (), tx_hash, b"", 0, 0)


async def said(node: Node, *flights: Flight) -> list[Said]:
    return await what_was_said(node, SETTLEMENT, BLOCK, flights)  # type: ignore[arg-type]


async def test_a_batch_that_speaks_is_believed_without_its_receipt() -> None:
    # given a node that shows what Settlement said of a batch
    node = Node([LOG])
    # when its block is read
    (found,) = await said(node, flight(b"\1" * 32))
    # then the words are there and no receipt was asked for
    assert found.logs == [LOG]
    assert node.asked == []


async def test_a_silent_batch_is_void_only_if_its_receipt_says_that_it_failed() -> None:
    # given one batch that speaks and one that the contract refused
    node = Node([LOG], {FAILED.tx_hash: FAILED})
    # when the block is read
    found = await said(node, flight(b"\1" * 32), flight(b"\2" * 32))
    # then the second has no words, and its receipt was looked at
    assert [list(one.logs) for one in found] == [[LOG], []]
    assert node.asked == [b"\2" * 32]


@pytest.mark.parametrize(
    "receipt",
    [None, replace(FAILED, succeeded=True), replace(FAILED, block_hash=b"\x08" * 32)],
    ids=["no receipt", "it succeeded", "another block's"],
)
async def test_a_node_that_leaves_words_out_voids_nothing(receipt: Receipt | None) -> None:
    node = Node([], {FAILED.tx_hash: receipt} if receipt else {})
    with pytest.raises(ChainUnavailable):
        await said(node, flight(b"\2" * 32))


@pytest.mark.parametrize("receipt", [None, replace(FAILED, succeeded=True)], ids=["no receipt", "it succeeded"])
async def test_a_batch_whose_last_word_was_cut_off_is_not_void(receipt: Receipt | None) -> None:
    # given a node whose answer ends after a skipped item, before what Settlement says of the whole
    node = Node([SKIPPED], {FAILED.tx_hash: receipt} if receipt else {})
    with pytest.raises(ChainUnavailable):
        await said(node, flight(b"\2" * 32))
    assert node.asked == [b"\2" * 32]


def test_a_node_that_leaves_out_why_an_item_was_skipped_is_passed_over() -> None:
    settled = BatchSettled(1, bytes(32), bytes(32), 2, 0b10)
    with pytest.raises(ChainUnavailable):
        Said(flight(b"\1" * 32), [LOG]).skipped(settled)
