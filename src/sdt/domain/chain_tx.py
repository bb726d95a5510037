"""A chain transaction: the exact bytes whose hash the signers sign, and the bytes that go to the chain.

Legacy form with the chain id in the hash, which every Quorum node takes. Written here rather than with web3,
so that a signer rebuilds and hashes it with nothing but keccak.
Source: Ethereum Yellow Paper, appendix B (RLP) and section 4.3; EIP-155; EIP-2 (low s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coincurve import PublicKey
from eth_hash.auto import keccak

from sdt.domain import rlp
from sdt.domain.errors import Invalid
from sdt.domain.registry import account_bytes

__all__ = ["CURVE_ORDER", "ChainTransaction", "contract_address", "read_signed", "transaction_hash"]

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


def read_signed(raw: bytes) -> tuple[ChainTransaction, str]:
    """Return a signed chain transaction, and the address whose key signed it.

    Shape: legacy form with the chain id, low s: what `raw` makes, and nothing else.
    Errors: Invalid.
    """
    items = rlp.decode(raw)
    if not isinstance(items, list) or len(items) != 9 or not all(isinstance(item, bytes) for item in items):
        raise _malformed()
    to, data = items[3], items[5]
    numbers = [int.from_bytes(item, "big") for at, item in enumerate(items) if at not in (3, 5)]
    nonce, gas_price_wei, gas, value_wei, v, r, s = numbers
    if len(to) not in (0, 20) or any(len(items[at]) > 32 for at in (0, 1, 2, 4, 6, 7, 8)):
        raise _malformed()
    if not (v >= 35 and 0 < r < CURVE_ORDER and 0 < s <= CURVE_ORDER // 2):
        raise Invalid("The chain transaction is not signed for one chain, in low-s form.", code="chain_transaction")
    chain_id, y_parity = divmod(v - 35, 2)
    address = "0x" + to.hex() if to else None
    unsigned = ChainTransaction(chain_id, nonce, address, data, gas, gas_price_wei, value_wei)
    if unsigned.raw(r, s, y_parity) != raw:
        raise _malformed()
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        public = PublicKey.from_signature_and_message(signature, unsigned.signing_hash(), hasher=None)
    except ValueError:
        raise Invalid("The chain transaction's signature is none.", code="chain_transaction") from None
    return unsigned, "0x" + bytes(keccak(public.format(compressed=False)[1:])[12:]).hex()


def _malformed() -> Invalid:
    return Invalid("That is not a chain transaction as the platform sends them.", code="chain_transaction")


def transaction_hash(raw: bytes) -> bytes:
    """Return the hash by which the chain knows a signed transaction."""
    return bytes(keccak(raw))


def contract_address(creator: str, nonce: int) -> str:
    """Return where a contract that `creator` makes with this nonce will live.

    Source: Yellow Paper, section 7.
    """
    return "0x" + bytes(keccak(rlp.encode([account_bytes(creator), nonce])))[12:].hex()
