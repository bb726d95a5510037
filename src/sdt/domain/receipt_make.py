"""Making receipts: what is the same for every message of a batch is worked out once.

Nothing is checked here: whoever makes a receipt verifies it before it leaves (`receipt_check.verify`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sdt.domain.batch import ITEM_SKIPPED_TOPIC, ItemSkipped, merkle_proof
from sdt.domain.chain_receipt import read_chain_receipt
from sdt.domain.mpt import IndexTrie
from sdt.domain.qbft import Header
from sdt.domain.receipt import Batch, Block, Proof, Receipt
from sdt.domain.receipt_check import SETTLED

__all__ = ["BatchProof", "prove_batch"]


@dataclass(frozen=True, slots=True)
class BatchProof:
    """What the receipts of one batch share. Shape: leaves by position; skipped from position to the reason's code."""

    leaves: tuple[bytes, ...]
    skipped: dict[int, str]
    block: Block
    proof: Proof

    def receipt(self, position: int, message: bytes, public_key: bytes) -> Receipt:
        """Return the receipt of the message at a position."""
        path = tuple(step.hex() for step in merkle_proof(self.leaves, position))
        return Receipt(
            format="sdt-receipt/1",
            outcome=self.skipped.get(position, SETTLED),
            message=message.decode("ascii"),
            public_key=public_key.hex(),
            batch=Batch(position, len(self.leaves), path),
            block=self.block,
            proof=self.proof,
        )


def prove_batch(
    leaves: Sequence[bytes],
    settlement: str,
    header: Header,
    transactions: Sequence[bytes],
    receipts: Sequence[bytes],
    index: int,
) -> BatchProof:
    """Return the proof of a batch whose chain transaction stands at `index` of a block.

    Shape: leaves by position; transactions and receipts of the whole block, encoded as they lie in its tries.
    Errors: Invalid for what cannot be read.
    """
    found = [log for log in read_chain_receipt(receipts[index]).logs if log.address == settlement]
    skips = [
        ItemSkipped.from_log(log.topics, log.data)
        for log in found
        if log.topics and log.topics[0] == ITEM_SKIPPED_TOPIC
    ]
    return BatchProof(
        tuple(leaves),
        {skip.position: skip.reason.code for skip in skips},
        Block(header.stated_hash.hex(), header.encode().hex()),
        Proof(index, _hex(IndexTrie(transactions).prove(index)), _hex(IndexTrie(receipts).prove(index))),
    )


def _hex(nodes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(node.hex() for node in nodes)
