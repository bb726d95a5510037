"""Chain transactions: read from their signed bytes, or made up for a call.

Source: EIP-155 (legacy with chain id), EIP-2718 and EIP-2930 (type 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import rlp as strict_rlp
from coincurve import PublicKey

from sdt.adapters.chain.embedded import rlp
from sdt.adapters.chain.embedded.errors import RpcError, server_error
from sdt.adapters.chain.embedded.keccak import keccak

__all__ = ["AccessList", "Transaction", "decode_transaction"]

AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]

_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
_SIZE_MAX = 128 * 1024  # as in geth's pool, and the most that GoQuorum can be told
_UINT64 = 1 << 64
_UINT256 = 1 << 256


@dataclass(frozen=True, slots=True)
class Transaction:
    """One chain transaction; the attribute names are those that py-evm's executor reads."""

    nonce: int
    gas_price: int
    gas: int
    to: bytes  # b"" creates a contract
    value: int
    data: bytes
    sender: bytes
    access_list: AccessList = ()
    type: int = 0
    v: int = 0
    r: int = 0
    s: int = 0
    hash: bytes = b""
    raw: bytes = b""
    intrinsic_gas: int = 0

    @property
    def y_parity(self) -> int:
        return self.v if self.type else 1 - self.v % 2

    def copy(self, **changes: Any) -> Transaction:
        return replace(self, **changes)


def intrinsic_gas(to: bytes, data: bytes, access_list: AccessList) -> int:
    """Return the gas charged before the first instruction. Source: EIP-2028, EIP-2930."""
    zeros = data.count(0)
    slots = sum(len(keys) for _, keys in access_list)
    create = 0 if to else 32_000
    return 21_000 + create + zeros * 4 + (len(data) - zeros) * 16 + 2_400 * len(access_list) + 1_900 * slots


def decode_transaction(raw: bytes, chain_id: int) -> Transaction:
    """Read a signed chain transaction and recover its sender.

    Errors: RpcError with geth's words for what is too large, unreadable, unprotected or signed for another chain.
    """
    if len(raw) > _SIZE_MAX:
        raise server_error("oversized data")
    if not raw:
        raise server_error("typed transaction too short")
    try:
        if raw[0] == 1:
            return _access_list(raw, strict_rlp.decode(raw[1:]), chain_id)
        if raw[0] < 0xC0:
            raise server_error("transaction type not supported")
        return _legacy(raw, strict_rlp.decode(raw), chain_id)
    except RpcError:
        raise
    except Exception as error:
        raise server_error(f"rlp: cannot decode transaction ({type(error).__name__})") from error


def _integer(item: bytes, limit: int = _UINT256) -> int:
    if item[:1] == b"\0":
        raise ValueError("leading zero")
    value = int.from_bytes(item, "big")
    if value >= limit:
        raise ValueError("integer too large")
    return value


def _address(item: bytes) -> bytes:
    if len(item) not in (0, 20):
        raise ValueError("address length")
    return item


def _legacy(raw: bytes, fields: Any, chain_id: int) -> Transaction:
    nonce, price, gas, to, value, data, v, r, s = fields
    v_number = _integer(v)
    if v_number in (27, 28):
        raise server_error("only replay-protected (EIP-155) transactions allowed over RPC")
    if v_number not in (35 + 2 * chain_id, 36 + 2 * chain_id):
        raise server_error("invalid sender")
    signing = keccak(rlp.encode([nonce, price, gas, to, value, data, rlp.int_bytes(chain_id), b"", b""]))
    sender = _recover(signing, (v_number - 35) % 2, _integer(r), _integer(s))
    return Transaction(
        nonce=_integer(nonce, _UINT64),
        gas_price=_integer(price),
        gas=_integer(gas, _UINT64),
        to=_address(to),
        value=_integer(value),
        data=data,
        sender=sender,
        v=v_number,
        r=_integer(r),
        s=_integer(s),
        hash=keccak(raw),
        raw=raw,
        intrinsic_gas=intrinsic_gas(to, data, ()),
    )


def _access_list(raw: bytes, fields: Any, chain_id: int) -> Transaction:
    chain, nonce, price, gas, to, value, data, accesses, v, r, s = fields
    if _integer(chain) != chain_id:
        raise server_error("invalid sender")
    listed = tuple((_full_address(a), tuple(_slot_key(k) for k in keys)) for a, keys in accesses)
    sender = _recover(keccak(b"\x01" + rlp.encode(fields[:8])), _integer(v, 2), _integer(r), _integer(s))
    return Transaction(
        nonce=_integer(nonce, _UINT64),
        gas_price=_integer(price),
        gas=_integer(gas, _UINT64),
        to=_address(to),
        value=_integer(value),
        data=data,
        sender=sender,
        access_list=listed,
        type=1,
        v=_integer(v, 2),
        r=_integer(r),
        s=_integer(s),
        hash=keccak(raw),
        raw=raw,
        intrinsic_gas=intrinsic_gas(to, data, listed),
    )


def _full_address(item: bytes) -> bytes:
    if len(item) != 20:
        raise ValueError("address length")
    return item


def _slot_key(item: bytes) -> int:
    if len(item) != 32:
        raise ValueError("storage key length")
    return int.from_bytes(item, "big")


def _recover(digest: bytes, parity: int, r: int, s: int) -> bytes:
    if s > _HALF_ORDER:
        raise server_error("invalid sender")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((parity,))
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception as error:
        raise server_error("invalid sender") from error
    return keccak(key.format(compressed=False)[1:])[12:]
