"""Sealing: bytes under a key, bound to what they are; and a person's key wrapped by another.

Everything about one person is sealed with that person's own key. Without the wrapped key nothing of it opens again,
in whatever copy of the database it stands: to delete those few bytes is to erase the person.
Source: libsodium secretbox (XSalsa20-Poly1305) through PyNaCl; NIST SP 800-57 part 1, "Key-wrapping keys";
NIST SP 800-88, "Cryptographic Erase".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import nacl.exceptions
import nacl.secret

from sdt.domain.errors import Unavailable

__all__ = ["KEY_BYTES", "NONCE_BYTES", "SealBroken", "key_mark", "seal", "unseal", "unseal_by_any", "unwrap", "wrap"]

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
_MARK_BYTES: Final = 8
_UNMARKED: Final = b"\x01"
_MARKED: Final = b"\x02"
"""The first byte of a wrapped key says how it is wrapped: another service's wrapping gets a byte of its own."""


class SealBroken(Unavailable):
    """Something sealed does not open: it was altered or moved, or the key it is sealed with is not there any more.

    Trying again helps once somebody has put back what is missing; whoever works through many goes on with the next.
    """

    code = "seal_broken"


def seal(plain: bytes, label: str, key: bytes, nonce: bytes) -> bytes:
    """Return bytes sealed as `label`: they open under the same label alone. Shape: key 32 bytes; nonce 24, fresh."""
    assert "\0" not in label
    return bytes(nacl.secret.SecretBox(key).encrypt(label.encode() + b"\0" + plain, nonce))


def unseal(sealed: bytes, label: str, key: bytes) -> bytes:
    """Return what was sealed. Errors: SealBroken for another key, another label or a changed byte."""
    try:
        name, _, plain = nacl.secret.SecretBox(key).decrypt(sealed).partition(b"\0")
    except (nacl.exceptions.CryptoError, ValueError):
        raise SealBroken("A sealed record does not open with this key.") from None
    if name != label.encode():
        raise SealBroken("A sealed record is another one than it should be.")
    return plain


def key_mark(key: bytes) -> bytes:
    """Return how everything begins that is wrapped with this key: it tells keys apart and says nothing of them."""
    return _MARKED + hashlib.blake2b(b"sdt mark of a wrapping key", key=key, digest_size=_MARK_BYTES).digest()


def wrap(data_key: bytes, owner: str, key: bytes, nonce: bytes) -> bytes:
    """Return a key as it is stored: the mark of the key that wraps it, and the key sealed for its owner."""
    return key_mark(key) + seal(data_key, owner, key, nonce)


def unwrap(wrapped: bytes, owner: str, keys: Iterable[bytes]) -> bytes:
    """Return a wrapped key, by that of `keys` which wrapped it.

    Errors: SealBroken for another owner, an unknown wrapping, or a key that is not among them.
    """
    if wrapped[:1] == _MARKED:
        for key in keys:
            if wrapped.startswith(mark := key_mark(key)):
                return unseal(wrapped[len(mark) :], owner, key)
        raise SealBroken("A key is wrapped with a key that the vault does not have any more.")
    if wrapped[:1] != _UNMARKED:
        raise SealBroken("A key is wrapped in a way that nothing here knows.")
    # The first version did not say with which.
    return unseal_by_any(wrapped[1:], owner, keys)


def unseal_by_any(sealed: bytes, label: str, keys: Iterable[bytes]) -> bytes:
    """Return what one of `keys` sealed. Errors: SealBroken."""
    for key in keys:
        try:
            return unseal(sealed, label, key)
        except SealBroken:
            continue
    raise SealBroken("A sealed record does not open with any key that the vault has.")
