"""The signed envelope: a compact JWS with one header, one algorithm and one spelling.

The transmitted bytes are verified first and parsed afterwards; the bytes are the evidence and are never rewritten.
Verification is libsodium's through PyNaCl, which refuses small-order keys, identity points and high S.
Source: RFC 7515 (JWS), RFC 8032 (Ed25519), RFC 8037 and RFC 9864 (the algorithm's names), RFC 7638 (thumbprint).
"""

from __future__ import annotations

import hashlib
import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import nacl.bindings
import nacl.exceptions
import nacl.signing
from msgspec import Struct

from sdt.domain.errors import Invalid, Unauthenticated

__all__ = [
    "ENVELOPE_BYTES_MAX",
    "Envelope",
    "b64url",
    "check_public_key",
    "kid_of",
    "message_digest",
    "open_envelope",
    "seal_envelope",
    "unb64url",
    "verify_signature",
]

ENVELOPE_BYTES_MAX: Final = 8192

_HEADER: Final = re.compile(
    rb'\{"alg":"(?:Ed25519|EdDSA)","kid":"([A-Za-z0-9_-]{43})","typ":"sdt-([a-z_]{2,32})\+jws"\}\Z'
)
_TO_STD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


def b64url(data: bytes) -> bytes:
    """Return base64url without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def unb64url(text: bytes) -> bytes:
    """Return what base64url `text` stands for, if it is spelt the one way it can be.

    The standard decoder skips foreign characters and ignores spare bits: one signature, many spellings.
    Errors: Invalid.
    """
    try:
        data = a2b_base64(text.translate(_TO_STD) + b"=" * (-len(text) % 4))
    except Base64Error:
        raise Invalid("A part of the message is not base64url.", code="base64") from None
    if b64url(data) != text:
        raise Invalid("A part of the message is not canonical base64url without padding.", code="base64")
    return data


class Envelope(Struct, frozen=True, gc=False):
    """A message taken apart and not yet believed: `verify` it with the key that `kid` names."""

    raw: bytes
    kid: str
    type: str
    payload: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """The message digest by which everything refers to it."""
        return message_digest(self.raw)

    def verify(self, public_key: bytes) -> None:
        """Check the signature. Errors: Unauthenticated."""
        verify_signature(public_key, self.raw[: self.raw.rindex(b".")], self.signature)


def message_digest(raw: bytes) -> bytes:
    """Return SHA-256 of the exact bytes received."""
    return hashlib.sha256(raw).digest()


@lru_cache(maxsize=65536)
def _header(encoded: bytes) -> tuple[str, str]:
    match = _HEADER.match(unb64url(encoded))
    if match is None:
        raise Invalid(
            'The header is not exactly {"alg":"Ed25519","kid":"<thumbprint>","typ":"sdt-<type>+jws"}.',
            code="header",
        )
    return match[1].decode(), match[2].decode()


def open_envelope(raw: bytes) -> Envelope:
    """Take a compact JWS apart. Nothing in it is proven until `verify`.

    Errors: Invalid (message_size, message_parts, header, base64).
    """
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise Invalid(f"A message has at most {ENVELOPE_BYTES_MAX} bytes.", code="message_size")
    parts = raw.split(b".")
    if len(parts) != 3:
        raise Invalid("A message is a compact JWS: three base64url parts joined by dots.", code="message_parts")
    kid, kind = _header(parts[0])
    signature = unb64url(parts[2])
    if len(signature) != 64:
        raise Invalid("An Ed25519 signature has 64 bytes.", code="signature_size")
    return Envelope(raw, kid, kind, unb64url(parts[1]), signature)


def verify_signature(public_key: bytes, data: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature over `data`. Errors: Unauthenticated."""
    if len(public_key) != 32 or len(signature) != 64:
        raise Unauthenticated("The signature does not fit the key.", code="bad_signature")
    try:
        nacl.bindings.crypto_sign_open(signature + data, public_key)
    except nacl.exceptions.BadSignatureError:
        raise Unauthenticated("The signature does not fit the key and the message.", code="bad_signature") from None


def check_public_key(public_key: bytes) -> None:
    """Refuse keys under which a signature proves nothing: off the curve, small order, non-canonical.

    Errors: Invalid.
    """
    if len(public_key) != 32 or not nacl.bindings.crypto_core_ed25519_is_valid_point(public_key):
        raise Invalid(
            "The public key is not a canonical Ed25519 point of the prime-order group.",
            code="weak_public_key",
        )


def kid_of(public_key: bytes) -> str:
    """Return the key id: the JWK thumbprint of an Ed25519 public key. Source: RFC 7638, RFC 8037 appendix A.3."""
    jwk = b'{"crv":"Ed25519","kty":"OKP","x":"' + b64url(public_key) + b'"}'
    return b64url(hashlib.sha256(jwk).digest()).decode()


def seal_envelope(kind: str, claims: Mapping[str, object], key: nacl.signing.SigningKey) -> bytes:
    """Sign claims: what a client does. Returns the compact JWS."""
    header = {"alg": "Ed25519", "kid": kid_of(bytes(key.verify_key)), "typ": f"sdt-{kind}+jws"}
    data = b".".join(
        b64url(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()) for part in (header, claims)
    )
    return data + b"." + b64url(key.sign(data).signature)
