"""Opening what a key service encrypts for an enclave: CMS EnvelopedData for one RSA key, and nothing else of CMS.

RSAES-OAEP with SHA-256 and MGF1 over SHA-256 for the key, AES-256-CBC for the content. The structure is read as BER,
since the key service writes lengths of both kinds and content in pieces; it comes over TLS from the service, and what
opens wrongly is no key of ours.
Source: RFC 5652, 6; RFC 3560; X.690, 8.1.3; AWS KMS, "Decrypt", `CiphertextForRecipient`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7

from sdt.domain.errors import Invalid

BYTES_MAX: Final = 16 * 1024
DEPTH_MAX: Final = 16
_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET = 0x02, 0x04, 0x06, 0x30, 0x31
_CONSTRUCTED: Final = 0x20
_EXPLICIT_0, _IMPLICIT_0 = 0xA0, 0x80
_INDEFINITE: Final = 0x80

_ENVELOPED: Final = bytes.fromhex("2a864886f70d010703")
_DATA: Final = bytes.fromhex("2a864886f70d010701")
_OAEP: Final = bytes.fromhex("2a864886f70d010107")
_MGF1: Final = bytes.fromhex("2a864886f70d010108")
_SHA256: Final = bytes.fromhex("608648016503040201")
_AES256_CBC: Final = bytes.fromhex("60864801650304012a")
_IV_BYTES: Final = 16
_KEY_BYTES: Final = 32


class CmsBroken(Invalid):
    """An encrypted answer cannot be read, or not opened with this key."""

    code = "cms_broken"


@dataclass(frozen=True, slots=True)
class _Node:
    tag: int
    content: bytes = b""
    parts: tuple[_Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _Envelope:
    encrypted_key: bytes
    iv: bytes
    encrypted: bytes


def open_enveloped(raw: bytes, key: RSAPrivateKey) -> bytes:
    """Return the content that was encrypted for this key.

    Errors: CmsBroken, which says no more than that.
    """
    if len(raw) > BYTES_MAX:
        raise CmsBroken("The encrypted answer is longer than any.")
    node, end = _read(raw, 0, 0)
    if end != len(raw):
        raise CmsBroken("Something follows the encrypted answer.")
    envelope = _envelope(node)
    try:
        content_key = key.decrypt(envelope.encrypted_key, OAEP(MGF1(SHA256()), SHA256(), None))
        if len(content_key) != _KEY_BYTES:
            raise ValueError
        decryptor = Cipher(AES256(content_key), CBC(envelope.iv)).decryptor()
        unpadder = PKCS7(128).unpadder()
        padded = decryptor.update(envelope.encrypted) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise CmsBroken("The encrypted answer does not open with this key.") from None


def _envelope(node: _Node) -> _Envelope:
    """ContentInfo { envelopedData, [0] { 2, { { 2, [0] ski, OAEP, key } }, { data, AES, [0] content } } }."""
    kind, wrapped = _parts(node, _SEQUENCE, 2)
    _demand(kind, _OID, _ENVELOPED)
    (enveloped,) = _parts(wrapped, _EXPLICIT_0, 1)
    version, recipients, encrypted = _parts(enveloped, _SEQUENCE, 3)
    _demand(version, _INTEGER, b"\x02")
    (recipient,) = _parts(recipients, _SET, 1)
    version, identifier, algorithm, encrypted_key = _parts(recipient, _SEQUENCE, 4)
    _demand(version, _INTEGER, b"\x02")
    if identifier.tag != _IMPLICIT_0:
        raise CmsBroken("The encrypted answer names its recipient in another way.")
    _demand_oaep(algorithm)
    kind, cipher, content = _parts(encrypted, _SEQUENCE, 3)
    _demand(kind, _OID, _DATA)
    name, iv = _parts(cipher, _SEQUENCE, 2)
    _demand(name, _OID, _AES256_CBC)
    if iv.tag != _OCTETS or len(iv.content) != _IV_BYTES:
        raise CmsBroken("The encrypted answer has no initial vector.")
    return _Envelope(_octets(encrypted_key, _OCTETS), iv.content, _octets(content, _IMPLICIT_0))


def _demand_oaep(algorithm: _Node) -> None:
    """RSAES-OAEP-params { [0] SHA-256, [1] MGF1 over SHA-256 }; no label."""
    name, parameters = _parts(algorithm, _SEQUENCE, 2)
    _demand(name, _OID, _OAEP)
    hashed, masked = _parts(parameters, _SEQUENCE, 2)
    (hash_,) = _parts(hashed, _EXPLICIT_0, 1)
    (mask,) = _parts(masked, _EXPLICIT_0 + 1, 1)
    _demand_sha256(hash_)
    generator, over = _parts(mask, _SEQUENCE, 2)
    _demand(generator, _OID, _MGF1)
    _demand_sha256(over)


def _demand_sha256(algorithm: _Node) -> None:
    if algorithm.tag != _SEQUENCE or not algorithm.parts or len(algorithm.parts) > 2:
        raise CmsBroken("The encrypted answer uses another algorithm.")
    _demand(algorithm.parts[0], _OID, _SHA256)


def _demand(node: _Node, tag: int, content: bytes) -> None:
    if node.tag != tag or node.content != content:
        raise CmsBroken("The encrypted answer is of another kind, or uses another algorithm.")


def _parts(node: _Node, tag: int, count: int) -> tuple[_Node, ...]:
    if node.tag != tag or len(node.parts) != count:
        raise CmsBroken("The encrypted answer is built in another way.")
    return node.parts


def _octets(node: _Node, tag: int) -> bytes:
    """Return a string of octets, whole or in pieces."""
    if node.tag == tag:
        return node.content
    if node.tag == tag | _CONSTRUCTED and all(each.tag == _OCTETS for each in node.parts):
        return b"".join(each.content for each in node.parts)
    raise CmsBroken("The encrypted answer is built in another way.")


def _read(raw: bytes, at: int, depth: int) -> tuple[_Node, int]:
    """Return the element at a place, and where it ends."""
    if depth > DEPTH_MAX or at + 2 > len(raw):
        raise CmsBroken("The encrypted answer ends early, or is nested too deep.")
    tag, length, at = raw[at], raw[at + 1], at + 2
    if length == _INDEFINITE:
        if not tag & _CONSTRUCTED:
            raise CmsBroken("The encrypted answer has a piece without an end.")
        return _read_until_end(raw, tag, at, depth)
    if length > _INDEFINITE:
        size = length & 0x7F
        if not 1 <= size <= 2 or at + size > len(raw):
            raise CmsBroken("The encrypted answer has a length beyond its end.")
        length, at = int.from_bytes(raw[at : at + size], "big"), at + size
    end = at + length
    if end > len(raw):
        raise CmsBroken("The encrypted answer has a length beyond its end.")
    if not tag & _CONSTRUCTED:
        return _Node(tag, raw[at:end]), end
    parts = []
    while at < end:
        part, at = _read(raw[:end], at, depth + 1)
        parts.append(part)
    return _Node(tag, parts=tuple(parts)), end


def _read_until_end(raw: bytes, tag: int, at: int, depth: int) -> tuple[_Node, int]:
    parts = []
    while raw[at : at + 2] != b"\0\0":
        part, at = _read(raw, at, depth + 1)
        parts.append(part)
    return _Node(tag, parts=tuple(parts)), at + 2
