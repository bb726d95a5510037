"""Messages for tests: a region, keys and claims that are right, to be made wrong one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from sdt.domain.envelope import b64url, seal_envelope
from sdt.domain.message import format_time
from sdt.domain.region import Region, load_region
from sdt.domain.transaction_id import uuid7

NOW_S = 1_795_430_000
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


def texas() -> Region:
    """The region of the demonstration."""
    return load_region((Path(__file__).parents[1] / "regions" / "texas.toml").read_bytes())


def an_id(seed: int = 1) -> str:
    return uuid7(NOW_S * 1000, seed.to_bytes(10, "big"))


def envelope_claims(kind: str, seed: int = 1) -> dict[str, Any]:
    return {
        "type": kind,
        "version": 1,
        "network": "sdt-test",
        "transaction_id": an_id(seed),
        "region": "US-TX",
        "issued_at": format_time(NOW_S),
    }


def transfer_claims(**changes: Any) -> dict[str, Any]:
    claims = envelope_claims("transfer") | {
        "token": "TXD",
        "payer": ALICE,
        "payee": BOB,
        "payee_handle": "bob.tx",
        "amount": "12000",
        "fee_max": "0",
        "memo": "",
        "expires_at": format_time(NOW_S + 3600),
    }
    return claims | changes


def key_text(key: SigningKey) -> str:
    return b64url(bytes(key.verify_key)).decode()


def sealed(kind: str, claims: dict[str, Any], key: SigningKey) -> bytes:
    return seal_envelope(kind, claims, key)
