"""Blocks of a Clique chain (stock geth): what their hash is, and who of the signers sealed them.

One signer seals a block, and signers may seal different blocks in one place: a seal is one signer's word, and a block
is as final as what has been built on it. Whoever needs more runs QBFT.
Source: EIP-225.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from eth_hash.auto import keccak

from sdt.domain.errors import Invalid
from sdt.domain.qbft import SEAL_BYTES, VANITY_BYTES, Header, NotSealed, address_behind

__all__ = ["genesis_signers", "header_hash", "verify_header"]

_ADDRESS_BYTES: Final = 20


def header_hash(header: Header) -> bytes:
    """Return the hash of a block of any chain that hashes its whole header: Clique's, and the embedded one."""
    return bytes(keccak(header.encode()))


def verify_header(header: Header, signers: Set[bytes]) -> bytes:
    """Check that a block's hash is its own and that one of `signers` sealed it; return the address of that one.

    Errors: Invalid for what is no header of Clique; NotSealed.
    """
    if header_hash(header) != header.stated_hash:
        raise NotSealed("The block's hash is not the one stated.")
    extra = header.field("extraData")
    if len(extra) < VANITY_BYTES + SEAL_BYTES or (len(extra) - VANITY_BYTES - SEAL_BYTES) % _ADDRESS_BYTES:
        raise Invalid("The header is not one of a Clique block.", code="bad_header")
    sealer = address_behind(extra[-SEAL_BYTES:], header.hash_with(extra[:-SEAL_BYTES]))
    if sealer not in signers:
        raise NotSealed(f"The block is sealed by 0x{sealer.hex()}, who is none of the trusted signers.")
    return sealer


def genesis_signers(extra: bytes) -> frozenset[bytes]:
    """Return the signers that a Clique genesis names in its `extraData`.

    Errors: Invalid.
    """
    listed = extra[VANITY_BYTES:-SEAL_BYTES]
    if len(extra) < VANITY_BYTES + SEAL_BYTES or len(listed) % _ADDRESS_BYTES or not listed:
        raise Invalid("The genesis names no Clique signers in its extraData.", code="bad_header")
    return frozenset(listed[at : at + _ADDRESS_BYTES] for at in range(0, len(listed), _ADDRESS_BYTES))
