"""Blocks of a QBFT chain: what their hash is, and that two thirds of the validators sealed them.

Whoever knows the validators can check a block from its header alone, with no node and no trust in one.
Source: EIP-650 and "QBFT Blockchain Consensus Protocol", for what a seal is over; GoQuorum 24.4.1's blocks agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from coincurve import PublicKey
from eth_hash.auto import keccak

from sdt.domain import rlp
from sdt.domain.chain_tx import CURVE_ORDER
from sdt.domain.errors import Invalid, Unprocessable

__all__ = ["QBFT_MIX_HASH", "Extra", "Header", "NotSealed", "address_behind", "quorum_of", "verify_header"]

EXTRA_BYTES_MAX: Final = 32_768
VANITY_BYTES: Final = 32
SEAL_BYTES: Final = 65

QBFT_MIX_HASH: Final = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""The `mixHash` of every QBFT block: how its hash must be made. Source: EIP-650."""

_VOTES: Final = (b"\xff", b"\0", b"")
"""To take a validator in, and to let one go, which RLP may write as the byte or as the number nothing."""

_FIELDS: Final = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", 0),
    ("number", 0),
    ("gasLimit", 0),
    ("gasUsed", 0),
    ("timestamp", 0),
    ("extraData", -1),
    ("mixHash", 32),
    ("nonce", 8),
)
"""The 15 fields of a header before London, in order. Shape: bytes; 0 for an integer, -1 for any length."""
_EXTRA_PLACE: Final = 12
_PLACES: Final = {name: place for place, (name, _) in enumerate(_FIELDS)}
_QUANTITY: Final = re.compile("0x(0|[1-9a-f][0-9a-f]{0,63})")


class NotSealed(Unprocessable):
    """A block that its validators did not seal."""

    code = "not_sealed"


@dataclass(frozen=True, slots=True)
class Extra:
    """What QBFT keeps in a header. Shape: addresses 20 bytes; vote empty or [address, ff or 00]; seals 65 bytes."""

    vanity: bytes
    validators: tuple[bytes, ...]
    vote: tuple[bytes, ...]
    round: int
    seals: tuple[bytes, ...]

    @classmethod
    def decode(cls, data: bytes) -> Extra:
        """Read `extraData`.

        Errors: Invalid.
        """
        if len(data) > EXTRA_BYTES_MAX:
            raise _malformed()
        found = rlp.decode(data)
        if not isinstance(found, list) or len(found) != 5:
            raise _malformed()
        vanity, validators, vote, round_, seals = found
        if not isinstance(vanity, bytes) or len(vanity) != VANITY_BYTES:
            raise _malformed()
        if not isinstance(round_, bytes) or len(round_) > 4 or round_[:1] == b"\0":
            raise _malformed()
        extra = cls(
            vanity,
            _all_bytes(validators, 20),
            _all_bytes(vote, None),
            int.from_bytes(round_, "big"),
            _all_bytes(seals, SEAL_BYTES),
        )
        if extra.vote and not (len(extra.vote) == 2 and len(extra.vote[0]) == 20 and extra.vote[1] in _VOTES):
            raise _malformed()
        return extra

    def encode(self, *, round_: int, seals: tuple[bytes, ...] = ()) -> bytes:
        """Return `extraData` with another round and other seals, as hashes are made of it."""
        return rlp.encode([self.vanity, self.validators, self.vote, round_, seals])


def _all_bytes(items: rlp.Item, size: int | None) -> tuple[bytes, ...]:
    if not isinstance(items, list):
        raise _malformed()
    found = tuple(item for item in items if isinstance(item, bytes) and size in (None, len(item)))
    if len(found) != len(items):
        raise _malformed()
    return found


def _malformed() -> Invalid:
    return Invalid("The header is not one of a QBFT block.", code="bad_header")


@dataclass(frozen=True)
class Header:
    """A block's header as JSON-RPC shows it. Shape: `values` has the 15 fields in their order."""

    values: tuple[int | bytes, ...]
    stated_hash: bytes

    @classmethod
    def from_rpc(cls, block: Mapping[str, object]) -> Header:
        """Read a block's header from `eth_getBlockByNumber`.

        Errors: Invalid.
        """
        return cls(tuple(_field(block, name, size) for name, size in _FIELDS), bytes(_hex(block.get("hash"), 32)))

    @classmethod
    def from_rlp(cls, encoded: bytes, stated_hash: bytes) -> Header:
        """Read an encoded header, as a receipt carries it.

        Errors: Invalid.
        """
        found = rlp.decode(encoded)
        if not isinstance(found, list) or len(found) != len(_FIELDS) or len(stated_hash) != 32:
            raise _malformed()
        return cls(tuple(_value(item, size) for item, (_, size) in zip(found, _FIELDS, strict=True)), stated_hash)

    def encode(self) -> bytes:
        """Return the header as `from_rlp` reads it, seals and all."""
        return rlp.encode(self.values)

    def field(self, name: str) -> bytes:
        """Return one of the fields that are bytes, by its name in JSON-RPC."""
        value = self.values[_PLACES[name]]
        assert isinstance(value, bytes), f"{name} is a number"
        return value

    @cached_property
    def extra(self) -> Extra:
        """What QBFT keeps in it. Errors: Invalid."""
        data = self.values[_EXTRA_PLACE]
        assert isinstance(data, bytes), "read as bytes"
        return Extra.decode(data)

    @property
    def number(self) -> int:
        """The block's number."""
        number = self.values[8]
        assert isinstance(number, int), "read as an integer"
        return number

    @property
    def timestamp_s(self) -> int:
        """When the block was made. Units: unix seconds."""
        timestamp_s = self.values[_PLACES["timestamp"]]
        assert isinstance(timestamp_s, int), "read as an integer"
        return timestamp_s

    def hash(self) -> bytes:
        """Return the block's hash: round and seals do not count."""
        return self.hash_with(self.extra.encode(round_=0))

    def sealed_hash(self) -> bytes:
        """Return what the validators signed: the round counts."""
        return self.hash_with(self.extra.encode(round_=self.extra.round))

    def hash_with(self, extra: bytes) -> bytes:
        """Return the hash of the header with another `extraData`: seals are over one that does not hold them."""
        values = (*self.values[:_EXTRA_PLACE], extra, *self.values[_EXTRA_PLACE + 1 :])
        return bytes(keccak(rlp.encode(values)))

    def sealers(self) -> list[bytes]:
        """Return the address behind each seal.

        Errors: NotSealed for a seal that is no signature in low-s form.
        """
        digest = self.sealed_hash()
        return [address_behind(seal, digest) for seal in self.extra.seals]


def _field(block: Mapping[str, object], name: str, size: int) -> int | bytes:
    value = block.get(name)
    if size > 0:
        return _hex(value, size)
    if size < 0:
        return _hex(value, None)
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _malformed()
    return int(value, 16)


def _value(item: rlp.Item, size: int) -> int | bytes:
    """Return one field of an encoded header. Numbers have no leading zero, and at most 32 bytes."""
    if not isinstance(item, bytes) or len(item) > EXTRA_BYTES_MAX or (size > 0 and len(item) != size):
        raise _malformed()
    if size:
        return item
    if item[:1] == b"\0" or len(item) > 32:
        raise _malformed()
    return int.from_bytes(item, "big")


def _hex(value: object, size: int | None) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 2 + 2 * EXTRA_BYTES_MAX:
        raise _malformed()
    try:
        found = bytes.fromhex(value[2:])
    except ValueError:
        raise _malformed() from None
    if len(value) != 2 + 2 * len(found) or (size is not None and len(found) != size):
        raise _malformed()
    return found


def address_behind(seal: bytes, digest: bytes) -> bytes:
    """Return the address of the key that sealed `digest`.

    Errors: NotSealed for a seal that is no signature in low-s form.
    """
    if int.from_bytes(seal[32:64], "big") > CURVE_ORDER // 2:
        raise NotSealed("A seal is not in low-s form.")
    try:
        public = PublicKey.from_signature_and_message(seal, digest, hasher=None)
    except ValueError:
        raise NotSealed("A seal is no signature.") from None
    return bytes(keccak(public.format(compressed=False)[1:])[12:])


def quorum_of(validators: int) -> int:
    """Return how many of so many validators must seal a block: two thirds, rounded up."""
    return -(-2 * validators // 3)


def verify_header(header: Header, validators: Set[bytes]) -> None:
    """Check that a block's hash is its own and that enough of `validators`, those in force before it, sealed it.

    The list of validators in the header is not looked at: it lags behind a vote by a block.
    Errors: Invalid for what is no header; NotSealed.
    """
    if header.hash() != header.stated_hash:
        raise NotSealed("The block's hash is not the one stated.")
    sealers = header.sealers()
    if len(set(sealers)) != len(sealers) or not validators >= set(sealers):
        raise NotSealed("Somebody sealed twice, or is no validator.")
    if len(sealers) < quorum_of(len(validators)):
        raise NotSealed(f"{len(sealers)} of {len(validators)} validators sealed it; {quorum_of(len(validators))} must.")
