"""An enclave's attestation document: what it says, and whether that is what was asked for.

Reading and judging only; who signed it is checked by `sdt.signing.attestation`, which knows certificates. A document is
one COSE_Sign1 over one map. The bytes that the security module writes are the only spelling that is read: its order of
members, definite lengths, nothing twice, nothing behind.
Source: AWS Nitro Enclaves, "Verifying the root of trust", 3.1 to 3.2.3; RFC 9052, 4.2 and 4.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sdt.domain.cbor import CborValue, read_cbor, write_cbor
from sdt.domain.errors import Forbidden, Invalid

__all__ = [
    "DOCUMENT_BYTES_MAX",
    "NITRO_ROOT_SHA256",
    "NONCE_BYTES_MAX",
    "AttestationRefused",
    "Document",
    "ImagePolicy",
    "check_document",
    "read_document",
]

NITRO_ROOT_SHA256: Final = bytes.fromhex("641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b")
"""Of the certificate at the root of every Nitro enclave, in DER. Source: AWS, "Verifying the root of trust"."""

DOCUMENT_BYTES_MAX: Final = 16 * 1024
PUBLIC_KEY_BYTES_MAX: Final = 1024
USER_DATA_BYTES_MAX: Final = 512
NONCE_BYTES_MAX: Final = 512
CERTIFICATE_BYTES_MAX: Final = 1024
CABUNDLE_MAX: Final = 8
MODULE_ID_MAX: Final = 128
PCR_MAX: Final = 31
PCR_BYTES: Final = (32, 48, 64)
CLOCK_SKEW_S: Final = 30
"""How far ahead of our clock a document's may be."""

_ES384: Final = b"\xa1\x01\x38\x22"
"""The only protected header: {1: -35}."""
_SIGNATURE_BYTES: Final = 96
_TAGGED: Final = b"\xd2"
_MEMBERS: Final = (
    "module_id",
    "digest",
    "timestamp",
    "pcrs",
    "certificate",
    "cabundle",
    "public_key",
    "user_data",
    "nonce",
)
_OPTIONAL: Final = frozenset({"public_key", "user_data", "nonce"})
_DIGEST: Final = "SHA384"


class AttestationRefused(Forbidden):
    """An attestation document is not what was asked for; `check` names the check that it failed."""

    code = "attestation_refused"

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(detail, check=check)
        self.check = check


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says, and what its signature is over.

    Units: timestamp_ms in unix milliseconds. Shape: certificates in DER, cabundle from the root down.
    """

    module_id: str
    timestamp_ms: int
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None
    signed: bytes
    signature: bytes

    @property
    def debug(self) -> bool:
        """Whether the enclave was started in debug mode: its console can be read, and its image measures as nothing."""
        return not any(self.pcrs[0])


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Which images may speak, how old their word may be, and under which root.

    `images` are allowed sets of registers, by number: one set must match whole, so that an old and a new image may both
    be let in for a time and no mixture of them is. Units: age_s_max in seconds.
    """

    images: tuple[Mapping[int, bytes], ...]
    age_s_max: int = 300
    root_sha256: bytes = NITRO_ROOT_SHA256
    seals: tuple[str, ...] = ()
    """What a signer's secrets may be sealed under; none named, and it is not asked."""


def read_document(raw: bytes) -> Document:
    """Read a document, signed by whom it may be.

    Errors: Invalid (attestation_document, attestation_too_long, cbor).
    """
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise Invalid("An attestation document has at most 16 KiB.", code="attestation_too_long")
    envelope = read_cbor(raw.removeprefix(_TAGGED))
    if not isinstance(envelope, list) or len(envelope) != 4:
        raise _unreadable("it is no COSE_Sign1")
    protected, unprotected, payload, signature = envelope
    if protected != _ES384 or not isinstance(protected, bytes) or unprotected != {}:
        raise _unreadable("its headers are not ES384 and nothing else")
    if not isinstance(payload, bytes) or not isinstance(signature, bytes) or len(signature) != _SIGNATURE_BYTES:
        raise _unreadable("it lacks its content or its signature of 96 bytes")
    signed = write_cbor(["Signature1", protected, b"", payload])
    return _read_content(read_cbor(payload), signed, signature)


def _unreadable(why: str) -> Invalid:
    return Invalid(f"The attestation document cannot be read: {why}.", code="attestation_document")


def _read_content(content: CborValue, signed: bytes, signature: bytes) -> Document:
    if not isinstance(content, dict):
        raise _unreadable("its content is no map")
    names = tuple(content)
    if names != tuple(name for name in _MEMBERS if name in content) or not set(_MEMBERS) - _OPTIONAL <= set(names):
        raise _unreadable("its members are not those of the security module, in its order")
    module_id, timestamp_ms = content["module_id"], content["timestamp"]
    if not isinstance(module_id, str) or not 0 < len(module_id) <= MODULE_ID_MAX:
        raise _unreadable("module_id is no text of 1 to 128 characters")
    if isinstance(timestamp_ms, bool) or not isinstance(timestamp_ms, int) or timestamp_ms <= 0:
        raise _unreadable("timestamp is no time")
    if content["digest"] != _DIGEST:
        raise _unreadable("digest is not SHA384")
    return Document(
        module_id,
        timestamp_ms,
        _read_pcrs(content["pcrs"]),
        _bytes(content["certificate"], "certificate", 1, CERTIFICATE_BYTES_MAX),
        _read_bundle(content["cabundle"]),
        _optional(content, "public_key", PUBLIC_KEY_BYTES_MAX),
        _optional(content, "user_data", USER_DATA_BYTES_MAX),
        _optional(content, "nonce", NONCE_BYTES_MAX),
        signed,
        signature,
    )


def _bytes(value: CborValue, name: str, least: int, most: int) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        raise _unreadable(f"{name} is not {least} to {most} bytes")
    return value


def _optional(content: Mapping[int | str, CborValue], name: str, most: int) -> bytes | None:
    value = content.get(name)
    return None if value is None else _bytes(value, name, 0, most)


def _read_bundle(value: CborValue) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= CABUNDLE_MAX:
        raise _unreadable(f"cabundle is not 1 to {CABUNDLE_MAX} certificates")
    return tuple(_bytes(each, "a certificate of cabundle", 1, CERTIFICATE_BYTES_MAX) for each in value)


def _read_pcrs(value: CborValue) -> Mapping[int, bytes]:
    if not isinstance(value, dict) or not 0 < len(value) <= PCR_MAX + 1:
        raise _unreadable("pcrs is not 1 to 32 registers")
    pcrs: dict[int, bytes] = {}
    for number, register in value.items():
        if not isinstance(number, int) or not 0 <= number <= PCR_MAX:
            raise _unreadable("a register has no number from 0 to 31")
        if not isinstance(register, bytes) or len(register) not in PCR_BYTES:
            raise _unreadable("a register has not 32, 48 or 64 bytes")
        pcrs[number] = register
    if list(pcrs) != sorted(pcrs) or not {0, 1, 2} <= set(pcrs):
        raise _unreadable("the registers are out of order, or 0, 1 and 2 are not all there")
    return pcrs


def check_document(document: Document, policy: ImagePolicy, nonce: bytes, now_ms: int) -> None:
    """Refuse a document of another image, for another question, of another time, or of an enclave in debug mode.

    Its signature and certificates have been checked. Units: now_ms in unix milliseconds.
    Errors: AttestationRefused, whose `check` is nonce, age, debug or image.
    """
    if document.nonce != nonce or not nonce:
        raise AttestationRefused("nonce", "The attestation document does not answer this question.")
    age_ms = now_ms - document.timestamp_ms
    if not -1000 * CLOCK_SKEW_S <= age_ms <= 1000 * policy.age_s_max:
        raise AttestationRefused("age", "The attestation document is older than allowed, or of a time to come.")
    if document.debug:
        raise AttestationRefused("debug", "The enclave runs in debug mode; its memory is no secret.")
    if not any(image and _matches(document, image) for image in policy.images):
        raise AttestationRefused("image", "The enclave runs an image that the policy does not name.")


def _matches(document: Document, image: Mapping[int, bytes]) -> bool:
    return all(document.pcrs.get(number) == register for number, register in image.items())
