"""ECDSA from a presignature: partials, their check against the certificate, and the verifier used before release.

Write κ for a share of 1/k and ξ for a share of x/k; A = κ·R and B = ξ·R are public.
Source: SEC 1, 4.1; Damgård, Jakobsen, Nielsen, Pagter, Østergaard, "Fast Threshold ECDSA with Honest Majority" (2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from sdt.signing.curve import ORDER, BadPoint, add, multiply_public

_ctx: Final = GLOBAL_CONTEXT.ctx


@dataclass(frozen=True, slots=True)
class Signature:
    """An ECDSA signature in low-s form with its recovery id."""

    r: int
    s: int
    recovery: int

    def compact(self) -> bytes:
        """Return r‖s, 64 bytes."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big")


def r_of(point: bytes) -> int:
    """Return r = x(R) mod q."""
    return int.from_bytes(point[:32], "big") % ORDER


def partial(digest: bytes, point: bytes, kappa: int, xi: int) -> int:
    """Return one location's part, h·κ + r·ξ."""
    return (int.from_bytes(digest, "big") * kappa + r_of(point) * xi) % ORDER


def partial_is_good(digest: bytes, point: bytes, a: bytes, b: bytes, part: int) -> bool:
    """Tell whether s·R = h·A + r·B, so that a bad part names its sender."""
    h = int.from_bytes(digest, "big") % ORDER
    if not 0 < part < ORDER:
        return False
    try:
        right = add(multiply_public(a, h), multiply_public(b, r_of(point))) if h else multiply_public(b, r_of(point))
        return multiply_public(point, part) == right
    except BadPoint:
        return False


def _lagrange_at_zero(party: int, partner: int) -> int:
    return partner * pow(partner - party, -1, ORDER) % ORDER


def combine(digest: bytes, point: bytes, public: bytes, parts: dict[int, int]) -> Signature | None:
    """Put two parts (by party number) together; return the signature only if it verifies under `public`."""
    (i, part_i), (j, part_j) = parts.items()
    s = (_lagrange_at_zero(i, j) * part_i + _lagrange_at_zero(j, i) * part_j) % ORDER
    recovery = point[63] & 1
    if s > ORDER // 2:
        s, recovery = ORDER - s, recovery ^ 1
    signature = Signature(r_of(point), s, recovery)
    return signature if verify(public, digest, signature.compact()) else None


def verify(public: bytes, digest: bytes, compact: bytes) -> bool:
    """Tell whether a 64-byte signature is valid and in low-s form, by libsecp256k1.

    Shape: `public` 64 bytes, `digest` 32, `compact` r‖s.
    """
    raw = ffi.new("secp256k1_ecdsa_signature *")
    if len(compact) != 64 or len(digest) != 32 or not lib.secp256k1_ecdsa_signature_parse_compact(_ctx, raw, compact):
        return False
    return _verify_parsed(public, digest, raw)


def verify_der(public: bytes, digest: bytes, der: bytes) -> bool:
    """Tell whether a DER signature is valid and in low-s form: what other tools hand us.

    Source: SEC 1, C.5; BIP 66 for strictness; BIP 62 rule 5 for low s.
    """
    raw = ffi.new("secp256k1_ecdsa_signature *")
    if len(digest) != 32 or not lib.secp256k1_ecdsa_signature_parse_der(_ctx, raw, der, len(der)):
        return False
    return _verify_parsed(public, digest, raw)


def _verify_parsed(public: bytes, digest: bytes, raw: Any) -> bool:
    key = ffi.new("secp256k1_pubkey *")
    if len(public) != 64 or not lib.secp256k1_ec_pubkey_parse(_ctx, key, b"\x04" + public, 65):
        return False
    return bool(lib.secp256k1_ecdsa_verify(_ctx, raw, digest, key))
