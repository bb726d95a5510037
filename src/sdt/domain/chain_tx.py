"""A chain transaction: the exact bytes whose hash the signers sign, and the bytes that go to the chain.

Legacy form with the chain id in the hash, which every Quorum node takes. Written here rather than with web3,
so that a signer rebuilds and hashes it with nothing but keccak.
Source: Ethereum Yellow Paper, appendix B (RLP) and section 4.3; EIP-155; EIP-2 (low s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from sdt.domain import rlp
from sdt.domain.registry import account_bytes

__all__ = ["CURVE_ORDER", "ChainTransaction", "contract_address", "transaction_hash"]

CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of secp256k1."""


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """One unsigned chain transaction; `to` is None for one that creates a contract.

    Units: gas_price_wei and value_wei in wei (both 0 on a Quorum network).
    """

    chain_id: int
    nonce: int
    to: str | None
    data: bytes
    gas: int
    gas_price_wei: int = 0
    value_wei: int = 0

    def signing_hash(self) -> bytes:
        """Return the 32 bytes that the chain key signs. Source: EIP-155."""
        return bytes(keccak(rlp.encode([*self._fields(), self.chain_id, 0, 0])))

    def raw(self, r: int, s: int, y_parity: int) -> bytes:
        """Return the signed bytes for `eth_sendRawTransaction`.

        Shape: y_parity is 0 or 1, the low bit of the recovery id; s is the low one.
        """
        assert 0 < r < CURVE_ORDER, "r is out of range"
        assert 0 < s <= CURVE_ORDER // 2, "s is not low"
        assert y_parity in (0, 1), "recovery id is out of range"
        return rlp.encode([*self._fields(), self.chain_id * 2 + 35 + y_parity, r, s])

    def _fields(self) -> list[int | bytes]:
        to = b"" if self.to is None else account_bytes(self.to)
        return [self.nonce, self.gas_price_wei, self.gas, to, self.value_wei, self.data]


def transaction_hash(raw: bytes) -> bytes:
    """Return the hash by which the chain knows a signed transaction."""
    return bytes(keccak(raw))


def contract_address(creator: str, nonce: int) -> str:
    """Return where a contract that `creator` makes with this nonce will live.

    Source: Yellow Paper, section 7.
    """
    return "0x" + bytes(keccak(rlp.encode([account_bytes(creator), nonce])))[12:].hex()
