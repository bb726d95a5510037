"""Loaded by schemathesis: sends messages as they are, and proves some requests, to reach what lies behind."""

from __future__ import annotations

import os
import time
from typing import Any

import nacl.signing
import schemathesis

from sdt.domain.proof import make_proof

KEY = nacl.signing.SigningKey(bytes.fromhex(os.environ["PROOF_SEED"]))
NETWORK = os.environ["PROOF_NETWORK"]
_count = 0


@schemathesis.serializer("application/jose")
def as_it_is(context: Any, value: Any) -> bytes:
    """Send a message, or what should be one, as the text that it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Prove every other request."""
    global _count
    _count += 1
    if _count % 2:
        url = case.as_transport_kwargs(base_url=os.environ["PROOF_URL"])["url"]
        case.headers["SDT-Proof"] = make_proof(KEY, case.method, url, int(time.time()), NETWORK)
