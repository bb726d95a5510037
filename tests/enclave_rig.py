"""A stand-in for Nitro: a chain of certificates of its own, and a security module behind the real ioctl's structure."""

from __future__ import annotations

import ctypes
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from sdt.domain.attestation import ImagePolicy
from sdt.signing.enclave.nsm import IOCTL

IMAGE = {0: b"\x11" * 48, 1: b"\x22" * 48, 2: b"\x33" * 48}
OTHER_IMAGE = {0: b"\x44" * 48, 1: b"\x22" * 48, 2: b"\x55" * 48}
DEBUG_IMAGE = {0: bytes(48), 1: bytes(48), 2: bytes(48)}
LEVELS = ("aws.nitro-enclaves", "region.aws.nitro-enclaves", "zone.aws.nitro-enclaves", "i-0.aws.nitro-enclaves")
LEAF = "i-0-enc0.aws"
PROTECTED = cbor2.dumps({1: -35})


def usage(**yes: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: yes.get(name, False) for name in names})


@dataclass
class Link:
    """One certificate to be: what a test changes about it."""

    name: str
    ca: bool | None = True
    path_length: int | None = None
    usage: x509.KeyUsage | None = field(default_factory=lambda: usage(key_cert_sign=True))
    begins: timedelta = timedelta(hours=-1)
    ends: timedelta = timedelta(days=30)
    curve: ec.EllipticCurve = field(default_factory=ec.SECP384R1)
    hash: object = field(default_factory=SHA384)
    key: ec.EllipticCurvePrivateKey | None = None


def links() -> list[Link]:
    """The usual chain: a root, three authorities, and the enclave's own certificate."""
    authorities = [Link(name, path_length=length) for name, length in zip(LEVELS, (None, 2, 1, 0), strict=True)]
    leaf = Link(LEAF, ca=False, usage=usage(digital_signature=True), ends=timedelta(hours=3))
    return [*authorities, leaf]


class Nitro:
    """A chain, and documents signed at its end."""

    def __init__(self, chain: list[Link] | None = None, now: datetime | None = None) -> None:
        chain = chain or links()
        now = now or datetime.now(UTC)
        self.keys = [each.key or ec.generate_private_key(each.curve) for each in chain]
        self.certificates: list[x509.Certificate] = []
        for at, each in enumerate(chain):
            issuer = max(0, at - 1)
            self.certificates.append(_certificate(each, self.keys[at], chain[issuer].name, self.keys[issuer], now))

    @property
    def ders(self) -> list[bytes]:
        return [each.public_bytes(Encoding.DER) for each in self.certificates]

    @property
    def root_sha256(self) -> bytes:
        return hashlib.sha256(self.ders[0]).digest()

    def policy(self, *images: Mapping[int, bytes], age_s_max: int = 300) -> ImagePolicy:
        return ImagePolicy(images or (IMAGE,), age_s_max, self.root_sha256)

    def content(self, nonce: bytes | None, pcrs: Mapping[int, bytes] = IMAGE, **changed: object) -> dict[str, object]:
        *bundle, leaf = self.ders
        return {
            "module_id": "i-0-enc0",
            "digest": "SHA384",
            "timestamp": int(time.time() * 1000),
            "pcrs": dict(pcrs) | {number: bytes(48) for number in range(16) if number not in pcrs},
            "certificate": leaf,
            "cabundle": bundle,
            "public_key": None,
            "user_data": None,
            "nonce": nonce,
            **changed,
        }

    def document(self, nonce: bytes | None, pcrs: Mapping[int, bytes] = IMAGE, **changed: object) -> bytes:
        content = self.content(nonce, pcrs, **changed)
        content["pcrs"] = dict(sorted(content["pcrs"].items()))
        return self.sign(cbor2.dumps(content))

    def sign(self, payload: bytes, *, protected: bytes = PROTECTED, unprotected: object = None) -> bytes:
        """Sign any bytes as the content of a document."""
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        r, s = decode_dss_signature(self.keys[-1].sign(signed, ec.ECDSA(SHA384())))
        size = (self.keys[-1].key_size + 7) // 8
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return cbor2.dumps([protected, unprotected or {}, payload, signature])

    def write(self, folder: Path) -> None:
        """Keep the chain's end for other processes."""
        folder.mkdir(parents=True, exist_ok=True)
        for at, der in enumerate(self.ders):
            (folder / f"{at}.der").write_bytes(der)
        pem = self.keys[-1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "leaf.key").write_bytes(pem)

    @classmethod
    def read(cls, folder: Path) -> Nitro:
        nitro = cls.__new__(cls)
        files = sorted(folder.glob("*.der"))
        nitro.certificates = [x509.load_der_x509_certificate(file.read_bytes()) for file in files]
        nitro.keys = [load_pem_private_key((folder / "leaf.key").read_bytes(), None)]
        return nitro


def _certificate(each: Link, key, issuer: str, issuer_key, now: datetime) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(each.name))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + each.begins)
        .not_valid_after(now + each.ends)
    )
    if each.ca is not None:
        length = each.path_length if each.ca else None
        builder = builder.add_extension(x509.BasicConstraints(ca=each.ca, path_length=length), critical=True)
    if each.usage is not None:
        builder = builder.add_extension(each.usage, critical=True)
    return builder.sign(issuer_key, each.hash)


class StandInModule:
    """Answers the ioctl as the module would, with documents of a chain of our own."""

    def __init__(self, nitro: Nitro, pcrs: Mapping[int, bytes] = IMAGE, answer: bytes | None = None) -> None:
        self.nitro = nitro
        self.pcrs = pcrs
        self.answer = answer
        self.asked: list[object] = []

    def ioctl(self, descriptor: int, number: int, message: bytearray, mutate: bool) -> int:
        assert os.fstat(descriptor) and number == IOCTL and mutate and len(message) == 32
        request_at, request_size, room_at, room_size = (
            int.from_bytes(message[at : at + 8], "little") for at in range(0, 32, 8)
        )
        request = cbor2.loads(ctypes.string_at(request_at, request_size))
        self.asked.append(request)
        answer = self.answer if self.answer is not None else cbor2.dumps(self._answer(request))
        assert len(answer) <= room_size
        ctypes.memmove(room_at, answer, len(answer))
        message[24:32] = len(answer).to_bytes(8, "little")
        return 0

    def _answer(self, request: object) -> object:
        if request == "GetRandom":
            return {"GetRandom": {"random": os.urandom(256)}}
        if isinstance(request, dict) and list(request) == ["Attestation"]:
            asked = request["Attestation"]
            if len(asked["nonce"] or b"") > 512:
                return {"Error": "InputTooLarge"}
            return {"Attestation": {"document": self.nitro.document(pcrs=self.pcrs, **asked)}}
        return {"Error": "InvalidOperation"}
