"""A certificate authority of a test's own, and a server's certificate by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Made(NamedTuple):
    """As PEM."""

    root: str
    certificate: str
    key: str


def server_certificate(host: str) -> Made:
    """Make an authority, and have it certify a host."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)

    def certify(name: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> str:
        made = (
            x509.CertificateBuilder(issuer, name, key, x509.random_serial_number(), now, now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(authority, hashes.SHA256())
        )
        return made.public_bytes(Encoding.PEM).decode()

    return Made(
        certify(issuer, authority.public_key(), x509.BasicConstraints(ca=True, path_length=0)),
        certify(subject, server.public_key(), x509.SubjectAlternativeName([x509.DNSName(host)])),
        server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
