"""The receipt of a chain transaction as it lies in a block's trie: whether it succeeded, and what contracts said.

Source: Ethereum Yellow Paper, section 4.3.1; EIP-658 for the status.
"""

from __future__ import annotations

from dataclasses import dataclass

from sdt.domain import rlp
from sdt.domain.errors import Invalid

__all__ = ["ChainLog", "ChainReceipt", "read_chain_receipt"]


@dataclass(frozen=True, slots=True)
class ChainLog:
    """What a contract said. Shape: address as lower-case 0x hex; topics 32 bytes each."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class ChainReceipt:
    """The outcome of one chain transaction."""

    succeeded: bool
    logs: tuple[ChainLog, ...]


def read_chain_receipt(encoded: bytes) -> ChainReceipt:
    """Read the receipt of a chain transaction in legacy form, the one the platform sends.

    Errors: Invalid.
    """
    found = rlp.decode(encoded)
    if not isinstance(found, list) or len(found) != 4:
        raise _malformed()
    status, gas_used, bloom, logs = found
    if status not in (b"", b"\x01") or not isinstance(gas_used, bytes) or not isinstance(logs, list):
        raise _malformed()
    if not isinstance(bloom, bytes) or len(bloom) != 256:
        raise _malformed()
    return ChainReceipt(status == b"\x01", tuple([_log(entry) for entry in logs]))


def _log(entry: rlp.Item) -> ChainLog:
    if not isinstance(entry, list) or len(entry) != 3:
        raise _malformed()
    address, topics, data = entry
    if not isinstance(address, bytes) or len(address) != 20 or not isinstance(data, bytes):
        raise _malformed()
    if not isinstance(topics, list) or not all(isinstance(topic, bytes) and len(topic) == 32 for topic in topics):
        raise _malformed()
    return ChainLog("0x" + address.hex(), tuple(topics), data)


def _malformed() -> Invalid:
    return Invalid("That is not the receipt of a chain transaction.", code="chain_receipt")
