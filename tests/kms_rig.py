"""A key service on this machine: TLS, signed requests, attested decryption answered with OpenSSL's own CMS."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from cryptography.x509.oid import NameOID

from enclave_rig import IMAGE, Nitro
from sdt.domain.attestation import read_document
from sdt.domain.errors import SdtError
from sdt.signing.attestation import check_origin

REGION = "us-test-1"
KEY_ID = f"arn:aws:kms:{REGION}:111122223333:key/00000000-0000-0000-0000-000000000000"
ROLE = "signer-host"
KEY = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret+of/the=role", "Token": "token+of/the=role"}


def certificate(name: str, public, key, *, ca: bool) -> x509.Certificate:
    """Sign a certificate for a public key, naming itself, with a subject key identifier."""
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, SHA256())
    )


def enveloped(content: bytes, public: bytes, *, indefinite: bool = True, oaep: str = "sha256") -> bytes:
    """Have OpenSSL encrypt for a public key, as the key service does: in BER with indefinite lengths, or in DER."""
    signing = ec.generate_private_key(ec.SECP256R1())
    holder = certificate("recipient", load_der_public_key(public), signing, ca=False)
    with tempfile.TemporaryDirectory() as folder:
        pem, plain = Path(folder, "recipient.pem"), Path(folder, "plain")
        pem.write_bytes(holder.public_bytes(Encoding.PEM))
        plain.write_bytes(content)
        command = ["openssl", "cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER", "-keyid"]
        command += ["-in", str(plain), *(["-stream"] if indefinite else []), "-recip", str(pem)]
        command += ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{oaep}"]
        return subprocess.run(command, check=True, capture_output=True).stdout


class FakeKms:
    """Answers GenerateDataKeyWithoutPlaintext by a method and Decrypt over HTTPS, and a role's metadata over HTTP.

    What AWS's policy conditions `kms:RecipientAttestation:PCR…` say is `image`; None for a key without them. Whoever
    shows a document gets an envelope, with such conditions or without; whoever shows none, the key itself or a refusal.
    Source: AWS KMS, "Decrypt": `Recipient`, `CiphertextForRecipient`.
    """

    def __init__(self, folder: Path, nitro: Nitro, image: Mapping[int, bytes] | None = None) -> None:
        self._nitro = nitro
        self.image: Mapping[int, bytes] | None = image or IMAGE
        self._master = AESGCM(AESGCM.generate_key(256))
        self.indefinite = True
        self.busy_without_document = False
        self.answers_key = KEY_ID
        self.seen: list[dict[str, object]] = []
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"kms.{REGION}.amazonaws.com"
        (folder / "kms.pem").write_bytes(certificate(name, key.public_key(), key, ca=True).public_bytes(Encoding.PEM))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "kms.key").write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "kms.pem", folder / "kms.key")
        self._kms = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(self._decrypt_over_http))
        self._kms.socket = context.wrap_socket(self._kms.socket, server_side=True)
        self._metadata = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(self._metadata_over_http))
        for server in (self._kms, self._metadata):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.kms = f"tcp://127.0.0.1:{self._kms.server_port}"
        self.credentials = f"tcp://127.0.0.1:{self._metadata.server_port}"
        self.authority = folder / "kms.pem"

    def close(self) -> None:
        for server in (self._kms, self._metadata):
            server.shutdown()
            server.server_close()

    def new_data_key(self, context: Mapping[str, str]) -> bytes:
        """As GenerateDataKeyWithoutPlaintext: a key that nobody has seen."""
        nonce = os.urandom(12)
        return nonce + self._master.encrypt(nonce, os.urandom(32), json.dumps(dict(context)).encode())

    def settings(self, **changed: str) -> str:
        said = {
            "region": REGION,
            "key_id": KEY_ID,
            "kms": self.kms,
            "credentials": self.credentials,
            "authority": str(self.authority),
        }
        return "".join(f'{name} = "{value}"\n' for name, value in (said | changed).items())

    @staticmethod
    def _handler(answer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, content = answer(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = _any

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def _metadata_over_http(self, method, path, headers, body) -> tuple[int, bytes]:
        headers = {name.lower(): value for name, value in headers.items()}
        if (method, path) == ("PUT", "/latest/api/token") and headers["x-aws-ec2-metadata-token-ttl-seconds"]:
            return 200, b"token"
        if headers.get("x-aws-ec2-metadata-token") != "token":
            return 401, b""
        where = "/latest/meta-data/iam/security-credentials/"
        if path == where:
            return 200, ROLE.encode()
        if path == where + ROLE:
            return 200, json.dumps(KEY | {"Code": "Success", "Type": "AWS-HMAC"}).encode()
        return 404, b""

    def _decrypt_over_http(self, method, path, headers, body) -> tuple[int, bytes]:
        headers = {name.lower(): value for name, value in headers.items()}
        if not self._is_signed(method, path, headers, body):
            return 403, b'{"__type": "com.amazon.coral.service#InvalidSignatureException"}'
        request = json.loads(body)
        self.seen.append(request)
        assert headers["x-amz-target"] == "TrentService.Decrypt"
        if self.busy_without_document and "Recipient" not in request:
            return 400, b'{"__type": "ThrottlingException"}'
        try:
            return 200, json.dumps(self._decrypt(request)).encode()
        except (SdtError, InvalidTag, PermissionError) as error:
            refusal = "AccessDeniedException" if isinstance(error, PermissionError) else "InvalidCiphertextException"
            return 400, json.dumps({"__type": refusal, "message": "secret words"}).encode()

    @staticmethod
    def _is_signed(method, path, headers, body) -> bool:
        """Sign the same request with Amazon's own library and compare."""
        names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        host = headers["host"]
        request = AWSRequest(method, f"https://{host}{path}", {name: headers[name] for name in names}, body)
        request.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(Credentials(KEY["AccessKeyId"], KEY["SecretAccessKey"], KEY["Token"]), "kms", REGION)
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        return headers["authorization"].endswith(f"Signature={signature}")

    def _decrypt(self, request) -> dict[str, object]:
        blob, recipient = base64.b64decode(request["CiphertextBlob"]), request.get("Recipient")
        context = json.dumps(request["EncryptionContext"]).encode()
        if recipient is None:
            # Without a document the condition's value is missing, so that it does not hold.
            if self.image is not None:
                raise PermissionError
            plain = self._master.decrypt(blob[:12], blob[12:], context)
            return {"KeyId": self.answers_key, "Plaintext": base64.b64encode(plain).decode()}
        assert recipient["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
        document = read_document(base64.b64decode(recipient["AttestationDocument"]))
        check_origin(document, self._nitro.root_sha256, int(time.time() * 1000))
        if any(document.pcrs.get(number) != register for number, register in (self.image or {}).items()):
            raise PermissionError
        plain = self._master.decrypt(blob[:12], blob[12:], context)
        assert load_der_public_key(document.public_key).key_size == 2048
        envelope = enveloped(plain, document.public_key, indefinite=self.indefinite)
        return {"KeyId": self.answers_key, "CiphertextForRecipient": base64.b64encode(envelope).decode()}
