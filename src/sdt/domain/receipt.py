"""A receipt: one file that proves, offline, that a signed message was settled in a block.

Here is its form; `domain.receipt_check` has what it proves. The file is JSON in one spelling: what was read is written
again and must be the same bytes, so that no bit of it can differ. docs/receipts.md explains it to whoever holds one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.batch_items import ITEMS_MAX
from sdt.domain.envelope import ENVELOPE_BYTES_MAX
from sdt.domain.errors import Invalid

__all__ = [
    "RECEIPT_BYTES_MAX",
    "Batch",
    "Block",
    "Proof",
    "Receipt",
    "encode_receipt",
    "file_name",
    "read_receipt",
]

RECEIPT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A batch of 500 gives some 250 KB; the rest is room for what contracts say of many tokens."""

_NODES_MAX: Final = 16

Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Nodes = Annotated[tuple[str, ...], Meta(min_length=1, max_length=_NODES_MAX)]
"""Hex of any length. Not by a pattern: over 200 KB that takes longer than all the rest."""


def _check_hex(texts: Iterable[str]) -> None:
    """Refuse what is not lower-case hex; `fromhex` alone would take blanks and capitals."""
    for text in texts:
        if not text or bytes.fromhex(text).hex() != text:
            raise ValueError("expected lower-case hexadecimal")


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the message stands in its batch, and the sibling hashes from there to the batch's root."""

    position: Annotated[int, Meta(ge=0, lt=ITEMS_MAX)]
    count: Annotated[int, Meta(ge=1, le=ITEMS_MAX)]
    path: Annotated[tuple[Hash, ...], Meta(max_length=_NODES_MAX)]


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    """The block's hash and its encoded header, seals and all."""

    hash: Hash
    header: str

    def __post_init__(self) -> None:
        _check_hex([self.header])


class Proof(Struct, frozen=True, forbid_unknown_fields=True):
    """The chain transaction's place in its block, and the trie nodes from both roots to it and to its receipt.

    Each way ends at the thing itself, so neither stands in the file a second time.
    """

    index: Annotated[int, Meta(ge=0, lt=2**16)]
    transaction: Nodes
    receipt: Nodes

    def __post_init__(self) -> None:
        _check_hex((*self.transaction, *self.receipt))


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. Shape: hex in lower case without 0x; message is the signed JWS, public_key what verifies it.

    `outcome` is `settled`, or the code of why the chain skipped the item.
    """

    format: Literal["sdt-receipt/1"]
    outcome: Annotated[str, Meta(pattern=r"^[a-z_]{4,32}\Z")]
    message: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+\Z", max_length=ENVELOPE_BYTES_MAX)]
    public_key: Hash
    batch: Batch
    block: Block
    proof: Proof


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the file: compact JSON, members in their order, nothing before or after."""
    return msgspec.json.encode(receipt)


def read_receipt(data: bytes) -> Receipt:
    """Read a receipt's file. Nothing in it is proven until `receipt_check.verify`.

    Errors: Invalid (receipt_malformed).
    """
    if len(data) > RECEIPT_BYTES_MAX:
        raise _malformed(f"it has more than {RECEIPT_BYTES_MAX} bytes")
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _malformed(str(error)) from None
    if encode_receipt(receipt) != data:
        raise _malformed("it is not in its one spelling; keep the file exactly as it was sent")
    return receipt


def file_name(transaction_id: str) -> str:
    """Return how the file of a transaction's receipt is called."""
    return f"sdt-receipt-{transaction_id}.json"


def _malformed(why: str) -> Invalid:
    return Invalid(f"This is not a receipt: {why}.", code="receipt_malformed")
