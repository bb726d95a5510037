"""Sealing: bytes under a key, bound to what they are; and a person's key wrapped by the master key.

Everything about one person is sealed with that person's own key. Without the wrapped key nothing of it opens again,
in whatever copy of the database it stands: to delete those few bytes is to erase the person.
Source: libsodium secretbox (XSalsa20-Poly1305) through PyNaCl; NIST SP 800-57 part 1, "Key-wrapping keys";
NIST SP 800-88, "Cryptographic Erase".
"""

from __future__ import annotations

from typing import Final

import nacl.exceptions
import nacl.secret

__all__ = ["KEY_BYTES", "NONCE_BYTES", "seal", "unseal", "unwrap", "wrap"]

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
_WRAPPED_BY_SECRETBOX: Final = b"\x01"
"""The first byte of a wrapped key says how it is wrapped: another service's wrapping gets a byte of its own."""


def seal(plain: bytes, label: str, key: bytes, nonce: bytes) -> bytes:
    """Return bytes sealed as `label`: they open under the same label alone. Shape: key 32 bytes; nonce 24, fresh."""
    assert "\0" not in label
    return bytes(nacl.secret.SecretBox(key).encrypt(label.encode() + b"\0" + plain, nonce))


def unseal(sealed: bytes, label: str, key: bytes) -> bytes:
    """Return what was sealed. Another key, another label or a changed byte: an AssertionError."""
    try:
        name, _, plain = nacl.secret.SecretBox(key).decrypt(sealed).partition(b"\0")
    except nacl.exceptions.CryptoError:
        raise AssertionError("a sealed record does not open with this key") from None
    assert name == label.encode(), "a sealed record is another one than it should be"
    return plain


def wrap(data_key: bytes, owner: str, master_key: bytes, nonce: bytes) -> bytes:
    """Return a person's key as it is stored: the wrapping's version, and the key sealed for its owner."""
    return _WRAPPED_BY_SECRETBOX + seal(data_key, owner, master_key, nonce)


def unwrap(wrapped: bytes, owner: str, master_key: bytes) -> bytes:
    """Return a person's key. Another owner, another master key or an unknown wrapping: an AssertionError."""
    assert wrapped[:1] == _WRAPPED_BY_SECRETBOX, "a person's key is wrapped in a way this version does not know"
    return unseal(wrapped[1:], owner, master_key)
