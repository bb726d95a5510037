"""TLS 1.3, mutual, between locations: contexts, and whose certificate a peer showed.

Identity is the certificate's one DNS name under `.signing.sdt.internal`, given by our own authority: `party-1` to
`party-3` for the signers, `coordinator` for the worker. Host names play no part: an address may move, a party may not.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SUFFIX: Final = ".signing.sdt.internal"
COORDINATOR: Final = 0
"""The number under which the coordinator appears beside parties 1 to 3."""


class Credentials(Protocol):
    """Paths of one holder's certificate, key and authority, all PEM."""

    @property
    def certificate(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def authority(self) -> str: ...


def name_of(party: int) -> str:
    """Return the certificate name of a party, or of the coordinator."""
    return ("coordinator" if party == COORDINATOR else f"party-{party}") + SUFFIX


def party_of(peer_certificate: Mapping[str, Any] | None) -> int | None:
    """Return whose certificate this is: a party number, COORDINATOR, or None for a stranger."""
    names = [value for kind, value in (peer_certificate or {}).get("subjectAltName", ()) if kind == "DNS"]
    if len(names) != 1:
        return None
    return next((party for party in (COORDINATOR, 1, 2, 3) if name_of(party) == names[0]), None)


def public_key_of(certificate: bytes) -> bytes:
    """Return the public key of a certificate in DER, as SubjectPublicKeyInfo in DER."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_key_of_file(certificate: Path) -> bytes:
    """Return the public key of the first certificate in a PEM file. Errors: OSError, ValueError."""
    return public_key_of(ssl.PEM_cert_to_DER_cert(certificate.read_text()))


def _mutual(context: ssl.SSLContext, credentials: Credentials) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the party in the certificate is checked instead, by whoever connects
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(credentials.certificate, credentials.key)
    context.load_verify_locations(credentials.authority)
    return context


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """Return a context that demands a certificate of our authority and never resumes a session."""
    context = _mutual(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), credentials)
    context.num_tickets = 0  # a resumed session would outlive its keys' epoch
    return context


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """Return a context that shows our certificate and demands one of our authority."""
    return _mutual(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), credentials)


class Files:
    """A holder's certificate, key and authority on disk, which may be replaced while it runs.

    `authority.pem` may name several authorities, so that certificates of an old and a new one are good together for
    as long as the change takes.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._seen = self._stamp()

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        paths = (self.credentials.certificate, self.credentials.key, self.credentials.authority)
        try:
            found = [Path(path).stat() for path in paths]
        except OSError:
            return ()
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def look(self) -> bool:
        """Tell whether the files are others than when last looked at."""
        before, self._seen = self._seen, self._stamp()
        return self._seen != before

    def forget(self) -> None:
        """Have the next look find a change: what was there could not be used."""
        self._seen = ()
