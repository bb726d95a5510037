"""The sealing key from AWS KMS, for this image and nobody else: KMS encrypts it for a key made in this enclave.

`seal.kms` in the folder is the sealing key under a key of KMS, made without anybody seeing it. The enclave shows KMS an
attestation document with the public half of a fresh RSA key; KMS checks the registers against the key's policy and
answers with a CMS envelope for that key. The machine around carries the connection and the role's credentials, and can
open neither. With `Recipient` KMS answers with an envelope whatever the key's policy says; so the same is asked without
first, and must be refused: else the role could open the blob outside. That finds a condition that was forgotten, not a
machine around that shows the key of a role with fewer rights than its own. `kms.toml` says where:

```toml
region = "us-east-1"
key_id = "arn:aws:kms:us-east-1:111122223333:key/…"
kms = "vsock://3:8443"           # a route of the proxy to kms.REGION.amazonaws.com:443
credentials = "vsock://3:8080"   # a route of the proxy to 169.254.169.254:80
```
Source: AWS KMS, "Decrypt", "Cryptographic attestation support"; EC2, "IMDSv2".
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid, Unavailable
from sdt.domain.strict_json import parse_object
from sdt.signing.enclave.cms import open_enveloped
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.enclave.sigv4 import AwsKey, signed_headers
from sdt.signing.sockets import Endpoint

SETTINGS_FILE: Final = "kms.toml"
BLOB_FILE: Final = "seal.kms"
BLOB_BYTES_MAX: Final = 6144
TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024
RSA_BITS: Final = 2048
"""KMS takes no other."""
NONCE_BYTES: Final = 32
PURPOSE: Final = {"sdt": "signer-seal"}
"""The encryption context: the blob of another purpose does not open here."""
_REFUSAL: Final = "AccessDeniedException"
_ROLE_PATH: Final = "/latest/meta-data/iam/security-credentials/"
_ROLE: Final = r"^[\w+=,.@-]{1,64}$"


class KmsFailed(Unavailable):
    """The key service does not answer, or does not give this enclave the key."""

    code = "kms_failed"


class KmsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the key service is. `authority` names a file of certificates instead of the system's."""

    region: Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")]
    key_id: str
    kms: str
    credentials: str
    authority: str = ""

    @property
    def name(self) -> str:
        """What vouches for the key: its name, and who else than the system's authorities vouches for the service."""
        return f"{self.key_id} by {self.authority}" if self.authority else self.key_id

    @property
    def host(self) -> str:
        """The service's name, which its certificate must show."""
        return f"kms.{self.region}.amazonaws.com"


class _Credentials(Struct, frozen=True):
    AccessKeyId: str
    SecretAccessKey: str
    Token: str


def load_kms_settings(folder: Path) -> KmsSettings:
    """Read `kms.toml`. Errors: Invalid."""
    try:
        return msgspec.convert(tomllib.loads((folder / SETTINGS_FILE).read_text()), KmsSettings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"{SETTINGS_FILE} is not usable: {error}.", code="kms_settings") from None


def sealing_key(folder: Path, nsm: Nsm) -> bytes:
    """Return the folder's sealing key, as KMS gives it to this enclave.

    Errors: KmsFailed, NsmFailed; Invalid for what cannot be read.
    """
    settings = load_kms_settings(folder)
    blob = (folder / BLOB_FILE).read_bytes()
    if not 0 < len(blob) <= BLOB_BYTES_MAX:
        raise Invalid(f"{BLOB_FILE} is no ciphertext of KMS.", code="kms_settings")
    role = _role_key(settings)
    _demand_refusal(settings, role, blob, folder)
    mine = generate_private_key(65537, RSA_BITS)
    public = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    document = nsm.attest(os.urandom(NONCE_BYTES), public_key=public)
    recipient = {
        "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        "AttestationDocument": base64.b64encode(document).decode(),
    }
    status, answer = _decrypt(settings, role, blob, folder, Recipient=recipient)
    if status != 200:
        raise KmsFailed(f"KMS does not give this enclave the key: {_error_of(answer)}.", status=status)
    return _opened(_object(answer), settings, mine)


def _demand_refusal(settings: KmsSettings, role: AwsKey, blob: bytes, folder: Path) -> None:
    """Refuse a key that the role gets without attestation. Errors: KmsFailed."""
    status, answer = _decrypt(settings, role, blob, folder)
    if status == 200:
        raise KmsFailed("KMS answered in the clear: this key's policy demands no attestation.", code="kms_in_clear")
    if (why := _error_of(answer)) != _REFUSAL:
        raise KmsFailed(f"KMS does not say whether this key demands attestation: {why}.", status=status)


def _opened(answer: dict[str, Any], settings: KmsSettings, mine: RSAPrivateKey) -> bytes:
    if answer.get("KeyId") != settings.key_id:
        raise KmsFailed("KMS answered under another key than the one configured.")
    try:
        envelope = base64.b64decode(answer["CiphertextForRecipient"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise KmsFailed("KMS answered without a key for this enclave.") from None
    return open_enveloped(envelope, mine)


def _decrypt(settings: KmsSettings, role: AwsKey, blob: bytes, folder: Path, **more: object) -> tuple[int, bytes]:
    body = json.dumps(
        {
            "KeyId": settings.key_id,
            "CiphertextBlob": base64.b64encode(blob).decode(),
            "EncryptionContext": PURPOSE,
            **more,
        }
    ).encode()
    headers = {
        "host": settings.host,
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "TrentService.Decrypt",
    }
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = signed_headers(role, settings.region, "kms", headers, body, stamp)
    context = ssl.create_default_context(cafile=str(folder / settings.authority) if settings.authority else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return _exchange(Endpoint.parse(settings.kms), "POST", "/", headers, body, context, settings.host)


def _error_of(answer: bytes) -> str:
    """Return the name of a refusal, such as AccessDeniedException, and nothing else that stands there."""
    try:
        name = str(parse_object(answer).get("__type", "")).rpartition("#")[2]
    except Invalid:
        return "it does not say why"
    return name if name.isalnum() and len(name) <= 64 else "it does not say why"


def _object(answer: bytes) -> dict[str, Any]:
    try:
        return parse_object(answer)
    except Invalid:
        raise KmsFailed("The answer cannot be read.") from None


def _role_key(settings: KmsSettings) -> AwsKey:
    """Return the key of the role of the machine around, from its metadata."""
    at = Endpoint.parse(settings.credentials)
    headers = {"host": "169.254.169.254", "x-aws-ec2-metadata-token-ttl-seconds": "60", "content-length": "0"}
    token = _metadata(at, "PUT", "/latest/api/token", headers).decode("ascii", "replace").strip()
    headers = {"host": "169.254.169.254", "x-aws-ec2-metadata-token": token}
    try:
        role = msgspec.convert(
            _metadata(at, "GET", _ROLE_PATH, headers).decode().strip(), Annotated[str, Meta(pattern=_ROLE)]
        )
        found = msgspec.json.decode(_metadata(at, "GET", _ROLE_PATH + role, headers), type=_Credentials)
    except (ValueError, msgspec.MsgspecError):
        raise KmsFailed("The machine around shows no role's key.") from None
    return AwsKey(found.AccessKeyId, found.SecretAccessKey, found.Token)


def _metadata(at: Endpoint, method: str, path: str, headers: dict[str, str]) -> bytes:
    status, answer = _exchange(at, method, path, headers)
    if status != 200:
        raise KmsFailed("The machine around shows no role's key.", status=status)
    return answer


def _exchange(
    at: Endpoint,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes = b"",
    context: ssl.SSLContext | None = None,
    name: str = "",
) -> tuple[int, bytes]:
    """Send one request and return status and answer. Errors: KmsFailed."""
    connection = http.client.HTTPConnection("unused", timeout=TIMEOUT_S)
    try:
        raw = at.dial(TIMEOUT_S)
        raw.settimeout(TIMEOUT_S)
        connection.sock = context.wrap_socket(raw, server_hostname=name) if context else raw
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise KmsFailed(f"{at} does not answer: {type(error).__name__}.") from None
    finally:
        connection.close()
    if len(answer) > ANSWER_BYTES_MAX:
        raise KmsFailed("An answer is longer than any.")
    return response.status, answer
