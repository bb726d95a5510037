"""What locations sign with Ed25519, as bytes: one unambiguous encoding, one digest for each purpose.

Fields are length-prefixed, so that no two different statements have the same bytes; the purpose comes first, so that
a signature for one never serves another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from sdt.domain.errors import Forbidden

SIGNATURE_BYTES: Final = 64


class BadCertificate(Forbidden):
    """A statement that not all three locations signed."""

    code = "bad_certificate"


def digest(purpose: str, *fields: bytes | int | str) -> bytes:
    """Return SHA-256 over the purpose and length-prefixed fields."""
    hasher = hashlib.sha256()
    for field in (f"sdt/signing/1/{purpose}", *fields):
        if isinstance(field, int):
            field = field.to_bytes(32, "big")
        elif isinstance(field, str):
            field = field.encode()
        hasher.update(len(field).to_bytes(8, "big"))
        hasher.update(field)
    return hasher.digest()


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """What key generation made: the three say the same, or there is no key."""

    network: str
    epoch: int
    job: bytes
    public: bytes
    shares: tuple[bytes, bytes, bytes]

    def digest(self) -> bytes:
        """Return what each location signs."""
        return digest("key", self.network, self.epoch, self.job, self.public, *self.shares)


@dataclass(frozen=True, slots=True)
class PublicPresignature:
    """The part of a presignature that anybody may know: R, the opened w, and A, B of all three locations.

    Shape: points of 64 bytes; `a` and `b` indexed by party − 1.
    """

    index: int
    point: bytes
    opened: bytes
    a: tuple[bytes, bytes, bytes]
    b: tuple[bytes, bytes, bytes]

    def digest(self) -> bytes:
        """Return the digest under which a batch's certificate names this row."""
        return digest("presignature", self.index, self.point, self.opened, *self.a, *self.b)


@dataclass(frozen=True, slots=True)
class StockStatement:
    """What one presigning job made, and for which pair only."""

    network: str
    epoch: int
    job: bytes
    public: bytes
    shares: tuple[bytes, bytes, bytes]
    pair: tuple[int, int]
    rows: bytes
    """The row digests, 32 bytes each, one after another."""

    def digest(self) -> bytes:
        """Return what each location signs."""
        low, high = self.pair
        return digest("stock", self.network, self.epoch, self.job, self.public, *self.shares, low, high, self.rows)


@dataclass(frozen=True, slots=True)
class Intent:
    """One signer's promise to its partner: this presignature will serve this chain transaction and no other."""

    network: str
    chain_id: int
    public: bytes
    epoch: int
    number: int
    job: bytes
    index: int
    point: bytes
    pair: tuple[int, int]
    tx_hash: bytes
    nonce: int

    def digest(self) -> bytes:
        """Return what the signer signs."""
        low, high = self.pair
        return digest(
            "intent",
            self.network,
            self.chain_id,
            self.public,
            self.epoch,
            self.number,
            self.job,
            self.index,
            self.point,
            low,
            high,
            self.tx_hash,
            self.nonce,
        )


def sign(key: SigningKey, statement: bytes) -> bytes:
    """Return the Ed25519 signature of a statement's digest."""
    return key.sign(statement).signature


def is_signed(key: VerifyKey, statement: bytes, signature: bytes) -> bool:
    """Tell whether the holder of `key` signed a statement's digest."""
    try:
        key.verify(statement, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def check_certificate(
    keys: dict[int, VerifyKey],
    statement: bytes,
    signatures: tuple[bytes, ...],
    former: dict[int, VerifyKey] | None = None,
) -> None:
    """Demand the signatures of parties 1, 2 and 3, in that order.

    With `former`, the signature of a location that was lost counts like that of the one in its place.
    Errors: BadCertificate, naming the parties whose signature is missing.
    """
    if len(signatures) != 3:
        raise BadCertificate("A certificate carries three signatures.")
    missing = [
        party
        for party, mine in enumerate(signatures, 1)
        if not is_signed(keys[party], statement, mine) and not (former and is_signed(former[party], statement, mine))
    ]
    if missing:
        raise BadCertificate(f"The certificate lacks a valid signature of location {missing}.", parties=missing)
