"""A block as its hash covers it: header, chain transactions and receipts, encoded as they lie in its tries.

A node shows them as JSON; what is made of that here is proven or disproven by the roots in the header.
Source: Ethereum Yellow Paper, section 4.3; EIP-2718, EIP-2930, EIP-1559 for transactions with a type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sdt.adapters.chain.answers import bytes_of, integer_of
from sdt.domain import rlp
from sdt.domain.qbft import Header

__all__ = ["WholeBlock", "transaction_hashes"]

_LEGACY: Final = ("nonce", "gasPrice", "gas", "to", "value", "input", "v", "r", "s")
_FIELDS: Final = {
    0: _LEGACY,
    1: ("chainId", "nonce", "gasPrice", "gas", "to", "value", "input", "accessList", "v", "r", "s"),
    2: (
        *("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value", "input"),
        *("accessList", "v", "r", "s"),
    ),
}


@dataclass(frozen=True, slots=True)
class WholeBlock:
    """A block's header, and its transactions and receipts in their order."""

    header: Header
    transactions: tuple[bytes, ...]
    receipts: tuple[bytes, ...]

    @classmethod
    def read(cls, found: dict[str, Any]) -> WholeBlock:
        """Read `{"block": …, "receipts": […]}` as a node answered them."""
        return cls(
            Header.from_rpc(found["block"]),
            tuple([_transaction(one) for one in found["block"]["transactions"]]),
            tuple([_receipt(one) for one in found["receipts"]]),
        )


def transaction_hashes(block: dict[str, Any]) -> list[bytes]:
    """Return the hashes of a block's transactions."""
    return [bytes_of(one["hash"], 32) for one in block["transactions"]]


def _transaction(found: dict[str, Any]) -> bytes:
    kind = integer_of(found.get("type", "0x0"))
    if kind not in _FIELDS:
        raise ValueError("a chain transaction of an unknown type")
    return _typed(kind, [_field(found, name) for name in _FIELDS[kind]])


def _field(found: dict[str, Any], name: str) -> rlp.Item:
    if name == "accessList":
        return [
            [bytes_of(one["address"], 20), [bytes_of(key, 32) for key in one["storageKeys"]]] for one in found[name]
        ]
    if name == "to":
        return b"" if found[name] is None else bytes_of(found[name], 20)
    return bytes_of(found[name]) if name == "input" else integer_of(found[name])


def _receipt(found: dict[str, Any]) -> bytes:
    logs: list[rlp.Item] = [
        [bytes_of(log["address"], 20), [bytes_of(topic, 32) for topic in log["topics"]], bytes_of(log["data"])]
        for log in found["logs"]
    ]
    status, gas_used = integer_of(found["status"]), integer_of(found["cumulativeGasUsed"])
    return _typed(integer_of(found.get("type", "0x0")), [status, gas_used, bytes_of(found["logsBloom"], 256), logs])


def _typed(kind: int, values: list[rlp.Item]) -> bytes:
    return (bytes([kind]) if kind else b"") + rlp.encode(values)
