"""Signing one request to Amazon with a key, Signature Version 4: a POST to the root, nothing in its query.

A signer has no SDK of Amazon's in its image; this is all of one that it needs.
Source: AWS, "Signature Version 4 signing process".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsKey:
    """A role's key for a few hours."""

    id: str
    secret: str = field(repr=False)
    token: str = field(repr=False, default="")


def signed_headers(
    key: AwsKey, region: str, service: str, headers: Mapping[str, str], body: bytes, stamp: str
) -> dict[str, str]:
    """Return the headers with the signature in. Shape: `host` among the headers; stamp as 20261126T143000Z."""
    signed = {name.lower(): value for name, value in headers.items()} | {"x-amz-date": stamp}
    if key.token:
        signed["x-amz-security-token"] = key.token
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        ["POST", "/", "", *(f"{name}:{signed[name].strip()}" for name in sorted(signed)), "", names, _sha256(body)]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([ALGORITHM, stamp, scope, _sha256(canonical.encode())])
    derived = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        derived = _hmac(derived, part)
    signature = _hmac(derived, text).hex()
    value = f"{ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return signed | {"authorization": value}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
