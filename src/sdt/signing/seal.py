"""Sealing of what a signer keeps at rest: shares, presignatures, its own signing key.

The label is sealed in with the secret, so that one sealed value cannot be put in another's place.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from sdt.domain.errors import Unavailable

_LABEL_BYTES: Final = 16


class SealBroken(Unavailable):
    """A sealed value does not open: another key, another label, or changed bytes."""

    code = "seal_broken"


class Sealer(Protocol):
    """Seals secrets at rest; a file's key here, a hardware or KMS key elsewhere."""

    def seal(self, label: bytes, secret: bytes) -> bytes:
        """Return the secret sealed under its label."""

    def unseal(self, label: bytes, sealed: bytes) -> bytes:
        """Return the secret. Errors: SealBroken."""


class BoxSealer:
    """Seals with libsodium's secretbox (XSalsa20-Poly1305) under one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._box = SecretBox(key)

    def __repr__(self) -> str:
        return "BoxSealer()"

    @classmethod
    def from_file(cls, path: Path) -> BoxSealer:
        """Read the key from a file that only its owner may read.

        Errors: SealBroken when others may, or it is not a key.
        """
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SealBroken(f"{path.name} may be read by others; it must have mode 0600.", code="seal_key_mode")
        key = path.read_bytes()
        if len(key) != SecretBox.KEY_SIZE:
            raise SealBroken(f"{path.name} does not hold a sealing key.", code="seal_key")
        return cls(key)

    def seal(self, label: bytes, secret: bytes) -> bytes:
        """Return the secret sealed under its label."""
        return bytes(self._box.encrypt(_tag(label) + secret))

    def unseal(self, label: bytes, sealed: bytes) -> bytes:
        """Return the secret.

        Errors: SealBroken.
        """
        try:
            opened = self._box.decrypt(sealed)
        except CryptoError:
            raise SealBroken("A sealed value does not open with this location's key.") from None
        if opened[:_LABEL_BYTES] != _tag(label):
            raise SealBroken("A sealed value was put in another's place.")
        return opened[_LABEL_BYTES:]


def new_seal_key() -> bytes:
    """Return a fresh sealing key."""
    return os.urandom(SecretBox.KEY_SIZE)


def _tag(label: bytes) -> bytes:
    return hashlib.sha256(label).digest()[:_LABEL_BYTES]
