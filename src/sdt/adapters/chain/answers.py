"""What a node tells, with types: hashes, topics and data as bytes, addresses as lower-case 0x hex.

A member that is missing or malformed raises ValueError, KeyError or TypeError; the reader makes that
`ChainUnavailable`, for a node that answers nonsense is no node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Block", "Log", "Receipt", "bytes_of", "integer_of"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header facts and the hashes of its transactions.

    Units: timestamp_s in unix seconds.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp_s: int
    gas_limit: int
    gas_used: int
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    transactions: tuple[bytes, ...]

    @classmethod
    def read(cls, found: dict[str, Any]) -> Block:
        return cls(
            number=integer_of(found["number"]),
            hash=bytes_of(found["hash"], 32),
            parent_hash=bytes_of(found["parentHash"], 32),
            timestamp_s=integer_of(found["timestamp"]),
            gas_limit=integer_of(found["gasLimit"]),
            gas_used=integer_of(found["gasUsed"]),
            state_root=bytes_of(found["stateRoot"], 32),
            transactions_root=bytes_of(found["transactionsRoot"], 32),
            receipts_root=bytes_of(found["receiptsRoot"], 32),
            transactions=tuple([bytes_of(h, 32) for h in found["transactions"]]),
        )


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract reported in a transaction; `index` counts within the block."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    index: int

    @classmethod
    def read(cls, found: dict[str, Any]) -> Log:
        return cls(
            address=address_of(found["address"]),
            topics=tuple([bytes_of(topic, 32) for topic in found["topics"]]),
            data=bytes_of(found["data"]),
            block_number=integer_of(found["blockNumber"]),
            block_hash=bytes_of(found["blockHash"], 32),
            tx_hash=bytes_of(found["transactionHash"], 32),
            index=integer_of(found["logIndex"]),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a mined chain transaction; `contract` is the address that it created."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    position: int
    succeeded: bool
    gas_used: int
    contract: str | None
    logs: tuple[Log, ...]

    @classmethod
    def read(cls, found: dict[str, Any]) -> Receipt:
        contract = found.get("contractAddress")
        return cls(
            tx_hash=bytes_of(found["transactionHash"], 32),
            block_number=integer_of(found["blockNumber"]),
            block_hash=bytes_of(found["blockHash"], 32),
            position=integer_of(found["transactionIndex"]),
            succeeded=integer_of(found["status"]) == 1,
            gas_used=integer_of(found["gasUsed"]),
            contract=None if contract is None else address_of(contract),
            logs=tuple([Log.read(entry) for entry in found["logs"]]),
        )


def bytes_of(value: str, size: int | None = None) -> bytes:
    """Return 0x hex as bytes, of the given size if any."""
    if not value.startswith("0x"):
        raise ValueError("not hex")
    found = bytes.fromhex(value[2:])
    if size is not None and len(found) != size:
        raise ValueError("wrong length")
    return found


def integer_of(value: str) -> int:
    """Return a 0x quantity as an integer."""
    if not value.startswith("0x") or not (value.isalnum() and value.isascii()):
        raise ValueError("not a quantity")
    return int(value, 16)


def address_of(value: str) -> str:
    """Return an address in the platform's form: lower-case."""
    if len(value) != 42:
        raise ValueError("not an address")
    bytes_of(value)
    return value.lower()
