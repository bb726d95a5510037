"""The envelope: one spelling, verified before it is parsed; nothing that two readers could read differently."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest
from nacl.signing import SigningKey

from domain_messages import transfer_claims
from sdt.domain import strict_json
from sdt.domain.envelope import (
    b64url,
    check_public_key,
    kid_of,
    message_digest,
    open_envelope,
    seal_envelope,
    unb64url,
)
from sdt.domain.errors import Invalid, Unauthenticated
from sdt.domain.message import Transfer, read_message, read_payload

KEY = SigningKey(b"\x07" * 32)
PUBLIC = bytes(KEY.verify_key)


def jws(header: object, claims: object, key: SigningKey = KEY) -> bytes:
    parts = b".".join(
        b64url(part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode())
        for part in (header, claims)
    )
    return parts + b"." + b64url(key.sign(parts).signature)


def header(**changes: Any) -> dict[str, Any]:
    return {"alg": "Ed25519", "kid": kid_of(PUBLIC), "typ": "sdt-transfer+jws"} | changes


def test_a_sealed_message_opens_verifies_and_reads() -> None:
    raw = seal_envelope("transfer", transfer_claims(), KEY)
    envelope = open_envelope(raw)
    envelope.verify(PUBLIC)
    signed = read_message(raw, envelope)
    assert isinstance(signed.message, Transfer)
    assert (signed.kid, signed.type, signed.digest) == (kid_of(PUBLIC), "transfer", message_digest(raw))


def test_the_thumbprint_of_the_rfc() -> None:
    """RFC 8037, appendix A.3."""
    assert kid_of(unb64url(b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")) == (
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )


def test_the_older_name_of_the_algorithm_is_understood() -> None:
    assert open_envelope(jws(header(alg="EdDSA"), transfer_claims())).kid == kid_of(PUBLIC)


@pytest.mark.parametrize(
    "bad",
    [
        {"alg": "none", "kid": kid_of(PUBLIC), "typ": "sdt-transfer+jws"},
        {"alg": "HS256", "kid": kid_of(PUBLIC), "typ": "sdt-transfer+jws"},
        {"kid": kid_of(PUBLIC), "alg": "Ed25519", "typ": "sdt-transfer+jws"},
        {"alg": "Ed25519", "kid": kid_of(PUBLIC), "typ": "JWT"},
        {"alg": "Ed25519", "kid": "alice", "typ": "sdt-transfer+jws"},
        {"alg": "Ed25519", "kid": kid_of(PUBLIC), "typ": "sdt-transfer+jws", "crit": ["b64"], "b64": False},
        b'{"alg":"Ed25519","alg":"none","kid":"x","typ":"sdt-transfer+jws"}',
        b"",
    ],
)
def test_any_other_header_is_refused(bad: object) -> None:
    with pytest.raises(Invalid):
        open_envelope(jws(bad, transfer_claims()))


def test_every_other_spelling_of_a_message_is_refused() -> None:
    raw = seal_envelope("transfer", transfer_claims(), KEY)
    head, payload, signature = raw.split(b".")
    standard = base64.urlsafe_b64encode(unb64url(payload))
    spare_bit = signature[:-1] + bytes([signature[-1] + 1])
    for other in (
        raw + b"\n",
        raw + b"=",
        b" " + raw,
        head + b"." + standard + b"." + signature,
        head + b"." + payload + b".*" + signature,
        head + b"." + payload + b"." + spare_bit,
        head + b"." + payload,
        raw + b"." + signature,
        head + b"." + payload + b".",
        b"",
        b"..",
    ):
        if other == head + b"." + standard + b"." + signature and standard == payload:
            continue
        with pytest.raises(Invalid):
            open_envelope(other)


def test_a_message_of_more_than_8_kib_is_refused() -> None:
    with pytest.raises(Invalid, match="8192"):
        open_envelope(b"a" * 8193)


def test_each_changed_bit_breaks_the_signature() -> None:
    raw = seal_envelope("transfer", transfer_claims(), KEY)
    for at in range(0, len(raw) * 8, 37):
        changed = bytearray(raw)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises((Invalid, Unauthenticated)):
            open_envelope(bytes(changed)).verify(PUBLIC)


@pytest.mark.parametrize(
    "point",
    [
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
        b"\xff" * 32,
        b"\x02" * 31,
    ],
)
def test_keys_that_prove_nothing_are_refused(point: bytes) -> None:
    with pytest.raises(Invalid):
        check_public_key(point)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": 12000}, "amount"),
        ({"amount": "12.5"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "0"}, "nothing"),
        ({"amount": "9223372036854775808"}, "units"),
        ({"version": True}, "version"),
        ({"version": 2}, "version"),
        ({"payer": "0x" + "A1" * 20}, "payer"),
        ({"payee": "0x" + "a1" * 20}, "same account"),
        ({"payee_handle": "Bob"}, "payee_handle"),
        ({"payee_handle": "bob.tx\n"}, "payee_handle"),
        ({"transaction_id": "0" * 36}, "transaction_id"),
        ({"expires_at": "2026-13-01T00:00:00Z"}, "calendar"),
        ({"expires_at": "2026-12-01T00:00:00+00:00"}, "expires_at"),
        ({"memo": "lunch"}, "memo"),
        ({"note": "unknown"}, "note"),
        ({"token": "txd"}, "token"),
        ({"type": "redeem"}, "type|header"),
    ],
)
def test_each_wrong_claim_is_named(change: dict[str, Any], said: str) -> None:
    claims = transfer_claims(**change)
    with pytest.raises(Invalid, match=said):
        read_payload("transfer", json.dumps(claims).encode())


def test_each_missing_claim_is_refused() -> None:
    for name in transfer_claims():
        claims = transfer_claims()
        del claims[name]
        with pytest.raises(Invalid):
            read_payload("transfer", json.dumps(claims).encode())


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"transfer","type":"transfer"}',
        b'{"type":"transfer","version":1.0}',
        b'{"type":"transfer","version":1e0}',
        b'{"type":"transfer","version":NaN}',
        b'{"type":"transfer","memo":"\\ud800"}',
        b'\xef\xbb\xbf{"type":"transfer"}',
        b"[]",
        b"[" * 5000,
        b"\xff",
        b"",
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(payload: bytes) -> None:
    with pytest.raises(Invalid):
        read_payload("transfer", payload)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_deep_nesting_is_refused_whatever_the_recursion_limit(opening: bytes) -> None:
    """A library in the same process may have raised the limit, and then the decoder itself would crash."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(Invalid, match="nested"):
            read_payload("transfer", opening * 100_000)
    finally:
        sys.setrecursionlimit(before)


def test_brackets_in_a_string_do_not_nest() -> None:
    assert strict_json.parse_object(b'{"a":"' + b"[" * 1000 + b'"}') == {"a": "[" * 1000}
    assert strict_json.parse_object(b'{"a":"\\"' + b"{" * 1000 + b'"}') == {"a": '"' + "{" * 1000}
