"""Proof of possession for reads: who asks, shown by a signature over this one request.

A compact JWS like every other, with `typ` sdt-proof+jws; short-lived, for one method and address, used once.
Source: RFC 9449 (DPoP), section 4, for the claims `htm`, `htu`, `iat` and `jti`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
import nacl.signing
from msgspec import Meta, Struct

from sdt.domain import strict_json
from sdt.domain.envelope import Envelope, open_envelope, seal_envelope
from sdt.domain.errors import Unauthenticated

__all__ = ["PROOF_AGE_S_MAX", "PROOF_HEADER", "Proof", "check_proof", "make_proof", "open_proof"]

PROOF_HEADER: Final = "SDT-Proof"
PROOF_AGE_S_MAX: Final = 60
CLOCK_SKEW_S: Final = 5
"""How far ahead the caller's clock may be."""


class _Claims(Struct, frozen=True, forbid_unknown_fields=True):
    htm: Annotated[str, Meta(max_length=10)]
    htu: Annotated[str, Meta(max_length=2048)]
    iat: Annotated[int, Meta(ge=0, le=2**40)]
    jti: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}\Z")]
    network: Annotated[str, Meta(max_length=40)]


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof taken apart; nothing in it is believed before `check_proof`."""

    envelope: Envelope

    @property
    def kid(self) -> str:
        """The key that is said to have signed."""
        return self.envelope.kid


def make_proof(
    key: nacl.signing.SigningKey, method: str, url: str, now_s: int, network: str, *, jti: str | None = None
) -> str:
    """Return the value of the SDT-Proof header for one request: what a client does.

    Units: now_s in unix seconds. `jti` is random where the caller does not bring one.
    """
    claims = {
        "htm": method.upper(),
        "htu": target(url),
        "iat": now_s,
        "jti": jti or secrets.token_urlsafe(18),
        "network": network,
    }
    return seal_envelope("proof", claims, key).decode()


def target(url: str) -> str:
    """Return an address without query and fragment, as `htu` names it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", "", ""))


def open_proof(header: str) -> Proof:
    """Take a proof apart. Errors: Unauthenticated (proof_malformed); Invalid as for every envelope."""
    try:
        envelope = open_envelope(header.encode("ascii"))
    except UnicodeEncodeError:
        raise Unauthenticated("The proof is not a compact JWS.", code="proof_malformed") from None
    if envelope.type != "proof":
        raise Unauthenticated("The proof's typ is not sdt-proof+jws.", code="proof_malformed")
    return Proof(envelope)


def check_proof(
    proof: Proof,
    public_key: bytes,
    *,
    method: str,
    url: str,
    now_s: int,
    network: str,
    age_s_max: float = PROOF_AGE_S_MAX,
) -> str:
    """Return the proof's `jti` when it was signed by this key, for this very request, just now.

    The caller must still refuse a `jti` that this key has used before.
    Errors: Unauthenticated (bad_signature, proof_malformed, proof_target, proof_stale, proof_network).
    """
    proof.envelope.verify(public_key)
    try:
        claims = msgspec.convert(strict_json.parse_object(proof.envelope.payload), _Claims)
    except msgspec.ValidationError as error:
        raise Unauthenticated(f"The proof is not well formed: {error}.", code="proof_malformed") from None
    if claims.network != network:
        raise Unauthenticated(f"The proof is for network {claims.network!r}.", code="proof_network")
    if claims.htm != method or claims.htu != target(url):
        raise Unauthenticated(
            f"The proof is for another request; it must name {method} {target(url)}.", code="proof_target"
        )
    if not now_s - age_s_max <= claims.iat <= now_s + CLOCK_SKEW_S:
        raise Unauthenticated(
            f"The proof is not from the last {age_s_max:.0f} seconds by the server's clock.",
            code="proof_stale",
        )
    return claims.jti
