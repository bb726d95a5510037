"""Block headers: their fields, encoding, hash and bloom filter. Source: yellow paper, sections 4.3 and 4.3.1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sdt.adapters.chain.embedded import rlp
from sdt.adapters.chain.embedded.keccak import keccak
from sdt.adapters.chain.embedded.store import Log

__all__ = ["EXTRA_DATA", "Header", "bloom_of", "decode_header"]

EXTRA_DATA = b"sdt embedded chain".ljust(32, b"\0")
NO_UNCLES = keccak(rlp.encode([]))
DIFFICULTY = 1
NONCE = bytes(8)
MIX_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Header:
    """The header's own facts; what every block of this chain has alike is added when it is encoded."""

    number: int
    parent: bytes
    timestamp: int
    gas_limit: int
    gas_used: int
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: bytes

    def encode(self) -> bytes:
        return rlp.encode(
            [
                self.parent,
                NO_UNCLES,
                bytes(20),
                self.state_root,
                self.transactions_root,
                self.receipts_root,
                self.bloom,
                rlp.int_bytes(DIFFICULTY),
                rlp.int_bytes(self.number),
                rlp.int_bytes(self.gas_limit),
                rlp.int_bytes(self.gas_used),
                rlp.int_bytes(self.timestamp),
                EXTRA_DATA,
                MIX_HASH,
                NONCE,
            ]
        )


def decode_header(encoded: bytes) -> Header:
    """Return the header that was encoded."""
    fields: list[bytes] = rlp.decode(encoded)  # type: ignore[assignment]
    parent, _, _, state, transactions, receipts, bloom, _, number, limit, used, timestamp = fields[:12]
    return Header(
        number=int.from_bytes(number, "big"),
        parent=parent,
        timestamp=int.from_bytes(timestamp, "big"),
        gas_limit=int.from_bytes(limit, "big"),
        gas_used=int.from_bytes(used, "big"),
        state_root=state,
        transactions_root=transactions,
        receipts_root=receipts,
        bloom=bloom,
    )


@lru_cache(maxsize=16_384)
def _bits(value: bytes) -> int:
    digest = keccak(value)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits


def bloom_of(logs: Iterable[Log]) -> int:
    """Return the filter over addresses and topics, as an integer of 2048 bits."""
    bloom = 0
    for log in logs:
        bloom |= _bits(log.address)
        for topic in log.topics:
            bloom |= _bits(topic)
    return bloom
