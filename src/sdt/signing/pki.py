"""The certificates by which locations know each other: one authority, one short name each, Ed25519, TLS 1.3.

Made at first start for a demonstration or one organisation. Three organisations run three authorities or one between
them; only the files matter to the signers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdt.domain.errors import Invalid
from sdt.signing.tls import Credentials, name_of

AUTHORITY_DAYS: Final = 3650
HOLDER_DAYS: Final = 825
_BACKDATED: Final = timedelta(minutes=5)
"""A location whose clock is a little behind must not refuse a certificate made a moment ago."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where one holder's certificate, key and authority lie, all PEM."""

    certificate: str
    key: str
    authority: str


def ends_s(files: Credentials) -> float:
    """Return when a holder's certificate ends, or before it the last of the authorities that it knows.

    Units: unix seconds; 0 when the files cannot be read.
    """
    try:
        own = x509.load_pem_x509_certificate(Path(files.certificate).read_bytes())
        known = x509.load_pem_x509_certificates(Path(files.authority).read_bytes())
    except (OSError, ValueError):
        return 0.0
    return min(own.not_valid_after_utc, max(each.not_valid_after_utc for each in known)).timestamp()


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read; refuses to overwrite."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Authority:
    """A certificate authority kept in one folder: `authority.pem` and, 0600, `authority.key`."""

    def __init__(self, folder: Path) -> None:
        self.certificate_path = folder / "authority.pem"
        self._key_path = folder / "authority.key"

    @classmethod
    def open(cls, folder: Path, now: datetime) -> Authority:
        """Open the authority in a folder, making it if it is not there."""
        authority = cls(folder)
        if not authority._key_path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            authority._make(now)
        return authority

    def _make(self, now: datetime) -> None:
        key = Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SDT signing authority")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, None)
        )
        self.certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
        write_secret(self._key_path, _pem(key))

    def issue(self, party: int, folder: Path, now: datetime) -> TlsFiles:
        """Write `tls.pem`, `tls.key` (0600) and `authority.pem` for one holder into its folder."""
        key = Ed25519PrivateKey.generate()
        certificate = self._certify(party, key.public_key(), now)
        files = TlsFiles(str(folder / "tls.pem"), str(folder / "tls.key"), str(folder / "authority.pem"))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(files.certificate).write_bytes(certificate)
        Path(files.authority).write_bytes(self.certificate_path.read_bytes())
        Path(files.key).unlink(missing_ok=True)
        write_secret(Path(files.key), _pem(key))
        return files

    def certify(self, party: int, request: bytes, now: datetime) -> bytes:
        """Return a certificate in PEM for a key that was made elsewhere, as in an enclave that shows its request only.

        Errors: Invalid for a request that is none, or whose holder does not have the key.
        """
        try:
            asked = x509.load_pem_x509_csr(request)
            key = asked.public_key()
            good = asked.is_signature_valid and isinstance(key, Ed25519PublicKey)
        except (ValueError, TypeError):
            good = False
        if not good:
            raise Invalid("That is no certificate request over an Ed25519 key.", code="certificate_request")
        assert isinstance(key, Ed25519PublicKey)
        return self._certify(party, key, now)

    def _certify(self, party: int, key: Ed25519PublicKey, now: datetime) -> bytes:
        issuer = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        issuer_key = load_pem_private_key(self._key_path.read_bytes(), None)
        assert isinstance(issuer_key, Ed25519PrivateKey)
        name = name_of(party)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + timedelta(days=HOLDER_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, None)
        )
        return certificate.public_bytes(Encoding.PEM)


def request_of(party: int, key: bytes) -> bytes:
    """Return the request for a certificate over a key in PEM."""
    private = load_pem_private_key(key, None)
    assert isinstance(private, Ed25519PrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name_of(party))])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, None).public_bytes(Encoding.PEM)


def new_key() -> bytes:
    """Return a fresh key in PEM."""
    return _pem(Ed25519PrivateKey.generate())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
