"""Who vouches for an attestation document: its signature, and the certificates from it up to the root.

Needs no network and nothing of the platform but the domain: whoever has a document, its nonce and a policy can check.
Revocation lists are not asked: a leaf lives for three hours.
Source: AWS Nitro Enclaves, "Verifying the root of trust", 3.2; RFC 5280, 6.1; RFC 9053, 2.1.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from sdt.domain.attestation import AttestationRefused, Document, ImagePolicy, check_document, read_document

_HALF: Final = 48


def verify_attestation(raw: bytes, policy: ImagePolicy, nonce: bytes, now_ms: int) -> Document:
    """Return what a document says once everything about it is right.

    Units: now_ms in unix milliseconds.
    Errors: Invalid when it cannot be read; AttestationRefused, naming the check that it failed.
    """
    document = read_document(raw)
    check_origin(document, policy.root_sha256, now_ms)
    check_document(document, policy, nonce, now_ms)
    return document


def check_origin(document: Document, root_sha256: bytes, now_ms: int) -> None:
    """Refuse a document that the root does not vouch for at this time.

    Errors: AttestationRefused, whose `check` is root, chain, validity, constraints, curve or signature.
    """
    if hashlib.sha256(document.cabundle[0]).digest() != root_sha256:
        raise AttestationRefused("root", "The attestation document hangs on another root.")
    path = [_load(der) for der in (*document.cabundle, document.certificate)]
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    for depth, certificate in enumerate(path):
        _check_certificate(certificate, below=len(path) - 2 - depth, now=now)
    for issuer, issued in pairwise([path[0], *path]):
        _check_issued(issued, issuer)
    _check_signature(document, _key(path[-1]))


def _load(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions  # noqa: B018  (parsed when first asked for)
    except Exception:  # the library says in a dozen ways, some its own, that bytes are no certificate
        raise AttestationRefused("chain", "A certificate of the attestation document cannot be read.") from None
    return certificate


def _check_certificate(certificate: x509.Certificate, below: int, now: datetime) -> None:
    """Check a certificate by itself; `below` counts the authorities under it, −1 for the enclave's own."""
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise AttestationRefused("validity", "A certificate of the attestation document is not valid at this time.")
    _key(certificate)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise AttestationRefused("constraints", "A certificate does not say what it is for.") from None
    authority, length = constraints.value.ca, constraints.value.path_length
    if any(each.critical and not isinstance(each.value, _UNDERSTOOD) for each in certificate.extensions):
        raise AttestationRefused("constraints", "A certificate demands something that is not understood.")
    if below < 0:
        right = not authority and usage.digital_signature and not usage.key_cert_sign
    else:
        right = authority and constraints.critical and usage.key_cert_sign and (length is None or length >= below)
    if not right:
        raise AttestationRefused("constraints", "A certificate is used for what it is not for.")


_UNDERSTOOD: Final = (x509.BasicConstraints, x509.KeyUsage)


def _key(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except Exception:  # as above
        raise AttestationRefused("curve", "A certificate's key cannot be read.") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise AttestationRefused("curve", "A certificate's key is not of the curve P-384.")
    return key


def _check_issued(issued: x509.Certificate, issuer: x509.Certificate) -> None:
    """Errors: AttestationRefused unless names fit and the issuer's key signed it, with ECDSA and SHA-384."""
    try:
        good = isinstance(issued.signature_hash_algorithm, SHA384)
        issued.verify_directly_issued_by(issuer)
    except Exception:  # as above
        good = False
    if not good:
        raise AttestationRefused("chain", "A certificate is not issued by the one above it.")


def _check_signature(document: Document, key: EllipticCurvePublicKey) -> None:
    r, s = (int.from_bytes(part, "big") for part in (document.signature[:_HALF], document.signature[_HALF:]))
    try:
        key.verify(encode_dss_signature(r, s), document.signed, ECDSA(SHA384()))
    except InvalidSignature:
        raise AttestationRefused(
            "signature", "The attestation document's signature is not its certificate's."
        ) from None
