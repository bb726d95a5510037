"""A batch: many transactions in one chain transaction, named by a number and chained by a head.

Pure and fast, for it lies on the hot path of the worker and of every signer. `domain.batch_items` has the
items, docs/contracts.md the layouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from eth_hash.auto import keccak

from sdt.domain.batch_gas import admin_gas_limit, exchange_gas_limit, value_gas_limit
from sdt.domain.batch_items import (
    ADMIN_ITEM_BYTES,
    EVERY_TOKEN,
    ITEMS_MAX,
    VALUE_ITEM_BYTES,
    AdminItem,
    AdminKind,
    GateSide,
    ValueItem,
    ValueKind,
    pack_admin_items,
    pack_value_items,
    unpack_admin_items,
    unpack_value_items,
)
from sdt.domain.errors import Invalid
from sdt.domain.exchange_items import (
    EXCHANGE_ITEM_BYTES,
    ExchangeItem,
    pack_exchange_items,
    unpack_exchange_items,
)
from sdt.domain.merkle import merkle_proof, merkle_root, verify_proof

__all__ = [
    "BATCH_SETTLED_TOPIC",
    "EVERY_TOKEN",
    "GENESIS_HEAD",
    "ITEMS_MAX",
    "ITEM_SKIPPED_TOPIC",
    "AdminItem",
    "AdminKind",
    "BatchCall",
    "BatchSettled",
    "ExchangeItem",
    "GateSide",
    "ItemSkipped",
    "SkipReason",
    "ValueItem",
    "ValueKind",
    "admin_gas_limit",
    "administer_calldata",
    "exchange_calldata",
    "exchange_gas_limit",
    "leaf",
    "merkle_proof",
    "merkle_root",
    "next_head",
    "pack_admin_items",
    "pack_exchange_items",
    "pack_value_items",
    "read_calldata",
    "settle_calldata",
    "unpack_admin_items",
    "unpack_exchange_items",
    "unpack_value_items",
    "value_gas_limit",
    "verify_proof",
]

GENESIS_HEAD: Final = bytes(32)
"""The parent of batch number 1."""

BatchKind = Literal["value", "admin", "exchange"]
"""Which of Settlement's entries a batch goes through; all advance the same number and head."""

_SETTLE: Final = bytes(keccak(b"settle(uint256,bytes32,bytes32,uint256,bytes)")[:4])
_ADMINISTER: Final = bytes(keccak(b"administer(uint256,bytes32,bytes32,uint256,bytes)")[:4])
_EXCHANGE: Final = bytes(keccak(b"exchange(uint256,bytes32,bytes32,uint256,bytes)")[:4])
_KINDS: Final[dict[bytes, tuple[BatchKind, int]]] = {
    _SETTLE: ("value", VALUE_ITEM_BYTES),
    _ADMINISTER: ("admin", ADMIN_ITEM_BYTES),
    _EXCHANGE: ("exchange", EXCHANGE_ITEM_BYTES),
}
_ITEM_BYTES: Final = dict(_KINDS.values())
_ITEMS_AT: Final = (5 * 32).to_bytes(32, "big")
_HEAD_BYTES: Final = 4 + 6 * 32

BATCH_SETTLED_TOPIC: Final = bytes(keccak(b"BatchSettled(uint256,bytes32,bytes32,uint256,uint256[2])"))
ITEM_SKIPPED_TOPIC: Final = bytes(keccak(b"ItemSkipped(uint256,uint256,uint256)"))


class SkipReason(IntEnum):
    """Why the chain skipped an item."""

    INSUFFICIENT_FUNDS = 1
    PAYER_FROZEN = 2
    PAYEE_FROZEN = 3
    PAYER_NOT_ELIGIBLE = 4
    PAYEE_NOT_ELIGIBLE = 5
    OVER_RESERVE = 6
    ATTESTATION_STALE = 7
    MINT_ALLOWANCE_SPENT = 8
    PAUSED = 9
    BAD_ITEM = 10
    ALREADY_EXISTS = 11
    UNKNOWN_TOKEN = 12
    BAD_SEQUENCE = 13
    NOT_FROZEN = 14
    GATE_CLOSED = 15
    GATE_RATE = 16
    GATE_CAP_SPENT = 17
    POOL_UNAVAILABLE = 18
    EXCHANGE_FAILED = 19

    @property
    def code(self) -> str:
        """The reason for programs, such as `insufficient_funds`; it never changes."""
        return self.name.lower()

    @property
    def sentence(self) -> str:
        """The reason for the person whose transaction it was."""
        return _SENTENCES[self]


_SENTENCES: Final = {
    SkipReason.INSUFFICIENT_FUNDS: "The payer's balance is less than the amount and the fee.",
    SkipReason.PAYER_FROZEN: "The payer's account is frozen.",
    SkipReason.PAYEE_FROZEN: "The payee's account is frozen.",
    SkipReason.PAYER_NOT_ELIGIBLE: "The payer has no valid identity for this token's domain.",
    SkipReason.PAYEE_NOT_ELIGIBLE: "The payee has no valid identity for this token's domain.",
    SkipReason.OVER_RESERVE: "More would be in circulation than the depository attests it holds.",
    SkipReason.ATTESTATION_STALE: "The depository's last attestation is no longer valid.",
    SkipReason.MINT_ALLOWANCE_SPENT: "The allowance for issuing this token is spent for now.",
    SkipReason.PAUSED: "This token is paused.",
    SkipReason.BAD_ITEM: "The item is malformed, or names what is not there.",
    SkipReason.ALREADY_EXISTS: "The account, key or handle is already taken.",
    SkipReason.UNKNOWN_TOKEN: "The region has no such token.",
    SkipReason.BAD_SEQUENCE: "The number does not follow the last fund, release or attestation.",
    SkipReason.NOT_FROZEN: "No freeze is in force on the account that the order would seize from.",
    SkipReason.GATE_CLOSED: "The exchange between these two tokens is not open in both regions.",
    SkipReason.GATE_RATE: "The amounts are not at the rate of this exchange.",
    SkipReason.GATE_CAP_SPENT: "The exchange's cap for the day is spent.",
    SkipReason.POOL_UNAVAILABLE: "The exchange's pool cannot take or pay this amount.",
    SkipReason.EXCHANGE_FAILED: "The other region did not carry out its half of the exchange.",
}


@dataclass(frozen=True, slots=True)
class BatchCall:
    """What a chain transaction to Settlement asks for, read back from its calldata."""

    kind: BatchKind
    number: int
    parent: bytes
    root: bytes
    deadline_s: int
    packed: bytes

    @property
    def count(self) -> int:
        """How many items it carries."""
        return len(self.packed) // _ITEM_BYTES[self.kind]


@dataclass(frozen=True, slots=True)
class BatchSettled:
    """The chain's word that a batch is settled, and which of its items were skipped.

    Shape: skipped is a bitmap, bit i for position i.
    """

    number: int
    root: bytes
    head: bytes
    count: int
    skipped: int

    def settled(self, position: int) -> bool:
        """Tell whether the item at this position took effect."""
        assert 0 <= position < self.count, f"position {position} of {self.count}"
        return not self.skipped >> position & 1

    @classmethod
    def from_log(cls, topics: Sequence[bytes | str], data: bytes | str) -> BatchSettled:
        """Read one log of Settlement, as bytes or as 0x hex.

        Errors: Invalid for any other log.
        """
        number, words = _log_words(topics, data, BATCH_SETTLED_TOPIC, 5)
        count, low, high = (int.from_bytes(word, "big") for word in words[2:])
        return cls(number, words[0], words[1], count, low | high << 256)


@dataclass(frozen=True, slots=True)
class ItemSkipped:
    """One item that a batch skipped, and why."""

    number: int
    position: int
    reason: SkipReason

    @classmethod
    def from_log(cls, topics: Sequence[bytes | str], data: bytes | str) -> ItemSkipped:
        """Read one log of Settlement, as bytes or as 0x hex.

        Errors: Invalid for any other log.
        """
        number, words = _log_words(topics, data, ITEM_SKIPPED_TOPIC, 2)
        position, reason = (int.from_bytes(word, "big") for word in words)
        if not SkipReason.INSUFFICIENT_FUNDS <= reason <= SkipReason.EXCHANGE_FAILED:
            raise Invalid("The chain gave a reason that this version does not know.", code="chain_log")
        return cls(number, position, SkipReason(reason))


def leaf(position: int, transaction_id: bytes, digest: bytes) -> bytes:
    """Return the Merkle leaf of one message: where it stood, its id, and the digest of its signed bytes.

    Shape: 2 + 16 + 32 bytes.
    """
    assert (len(transaction_id), len(digest)) == (16, 32), "an id has 16 bytes, a digest 32"
    return position.to_bytes(2, "big") + transaction_id + digest


def next_head(head: bytes, number: int, root: bytes) -> bytes:
    """Return the head after a batch, which the next one must name as its parent."""
    assert len(head) == len(root) == 32, "a head and a root have 32 bytes"
    return bytes(keccak(head + number.to_bytes(32, "big") + root))


def settle_calldata(number: int, parent: bytes, root: bytes, deadline_s: int, items: Sequence[ValueItem]) -> bytes:
    """Return the calldata of a value batch.

    Units: deadline_s in unix seconds, the last at which the chain may take it.
    """
    return _calldata(_SETTLE, number, parent, root, deadline_s, len(items), pack_value_items(items))


def administer_calldata(number: int, parent: bytes, root: bytes, deadline_s: int, items: Sequence[AdminItem]) -> bytes:
    """Return the calldata of an admin batch: keys, identities, freezes, seizures, rules, reserves, allowances, gates.

    Units: deadline_s in unix seconds, the last at which the chain may take it.
    """
    return _calldata(_ADMINISTER, number, parent, root, deadline_s, len(items), pack_admin_items(items))


def exchange_calldata(number: int, parent: bytes, root: bytes, deadline_s: int, items: Sequence[ExchangeItem]) -> bytes:
    """Return the calldata of a batch of exchanges with other regions.

    Units: deadline_s in unix seconds, the last at which the chain may take it.
    """
    return _calldata(_EXCHANGE, number, parent, root, deadline_s, len(items), pack_exchange_items(items))


def read_calldata(data: bytes) -> BatchCall:
    """Read a batch back from a chain transaction.

    Errors: Invalid for calldata that this module would not have packed.
    """
    words = [data[at : at + 32] for at in range(4, _HEAD_BYTES, 32)]
    packed = data[_HEAD_BYTES:]
    if data[:4] not in _KINDS or len(data) < _HEAD_BYTES or words[4] != _ITEMS_AT:
        raise Invalid("This is not the calldata of a batch.", code="batch_calldata")
    kind, item_bytes = _KINDS[data[:4]]
    if int.from_bytes(words[5], "big") != len(packed) or len(packed) % item_bytes:
        raise Invalid("The items of this batch are of the wrong length.", code="batch_calldata")
    number, deadline_s = int.from_bytes(words[0], "big"), int.from_bytes(words[3], "big")
    return BatchCall(kind, number, words[1], words[2], deadline_s, packed)


def _calldata(
    selector: bytes, number: int, parent: bytes, root: bytes, deadline_s: int, count: int, packed: bytes
) -> bytes:
    """Encode by hand what an ABI encoder would; the items' length needs no padding."""
    assert 0 < count <= ITEMS_MAX, f"{count} items in a batch"
    assert len(parent) == len(root) == 32, "a parent and a root have 32 bytes"
    return b"".join(
        (
            selector,
            number.to_bytes(32, "big"),
            parent,
            root,
            deadline_s.to_bytes(32, "big"),
            _ITEMS_AT,
            len(packed).to_bytes(32, "big"),
            packed,
        )
    )


def _log_words(topics: Sequence[bytes | str], data: bytes | str, topic: bytes, count: int) -> tuple[int, list[bytes]]:
    """Return the indexed batch number and the data words of a log of this kind."""
    body = _bytes(data)
    if len(topics) != 2 or _bytes(topics[0]) != topic or len(body) != 32 * count:
        raise Invalid("This is not the log that was looked for.", code="chain_log")
    return int.from_bytes(_bytes(topics[1]), "big"), [body[at : at + 32] for at in range(0, len(body), 32)]


def _bytes(value: bytes | str) -> bytes:
    if not isinstance(value, str):
        return bytes(value)
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        raise Invalid("A log is not hexadecimal.", code="chain_log") from None
