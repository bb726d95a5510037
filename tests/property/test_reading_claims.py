"""Claims are read in one pass where nothing in them is ambiguous: never otherwise than by the strict reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_messages import ALICE, BOB
from sdt.domain.claims import read_claims, read_plain, read_strictly
from sdt.domain.errors import Invalid
from sdt.domain.message import MESSAGE_TYPES, Message, RotateKey, Transfer

ID = "01931f2e-7c1a-7b3c-8d4e-0123456789ab"
BASE = {"version": 1, "network": "sdt-test", "transaction_id": ID, "region": "US-TX"}
TIMES = {"issued_at": "2026-11-26T09:30:00Z", "expires_at": "2026-11-26T09:40:00Z"}
TRANSFER = {
    "type": "transfer",
    **BASE,
    **TIMES,
    "token": "TXD",
    "payer": ALICE,
    "payee": BOB,
    "payee_handle": "bob.tx",
    "amount": "1234",
    "fee_max": "0",
    "memo": "",
}
REDEEM = {
    "type": "redeem",
    **BASE,
    **TIMES,
    "token": "TXD",
    "account": ALICE,
    "amount": "5",
    "fee_max": "0",
    "destination": "bank:x",
}
SAMPLES = [TRANSFER, REDEEM]
STRANGE = [b'"version":2', b'"version":-0', b'"memo":"x"', b'"type":"transfer"', b'"type":"redeem"', b'"a":[]']
SPOILING = [b"", b'"', b"\\", b"{", b"}", b",", b":", b"0", b"1", b"e", b"\xc3\xa9", b"\xff"]


def compact(claims: object) -> bytes:
    return json.dumps(claims, separators=(",", ":")).encode()


def members(claims: dict[str, Any]) -> list[bytes]:
    return [compact({name: value})[1:-1] for name, value in claims.items()]


def agree(kind: str, payload: bytes) -> Message | None:
    """Hold both readers against each other; return what the quick one reads."""
    cls = MESSAGE_TYPES[kind]
    quick = read_plain(payload, cls)
    if quick is not None:
        assert read_strictly(kind, payload, cls) == quick
    return quick


@pytest.mark.parametrize("claims", SAMPLES, ids=lambda claims: claims["type"])
def test_what_a_client_writes_is_read_at_once_in_any_order(claims: dict[str, Any]) -> None:
    for order in (list(claims.items()), list(claims.items())[::-1]):
        quick = agree(claims["type"], compact(dict(order)))
        assert quick is not None and quick == read_claims(claims["type"], compact(claims), MESSAGE_TYPES)


def test_a_type_with_claims_that_may_be_missing_is_left_to_the_strict_reader() -> None:
    assert read_plain(b"{}", RotateKey) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.replace(b'"memo":""', b'"memo":"","memo":""'),
        # As many quotation marks as it must have, and one claim twice in place of another.
        lambda p: p.replace(b'"memo":""', b'"token":"TXD"'),
        lambda p: p.replace(b'"type":"transfer"', b'"token":"TXD"'),
        lambda p: p.replace(b'"type":"transfer"', b'"type":"redeem"'),
        lambda p: p.replace(b'"version":1', b'"version":1.0'),
        lambda p: p.replace(b'"version":1', b'"version":1,"version":1'),
        lambda p: p.replace(b'"version":1', b'"version":true'),
        lambda p: p.replace(b'"memo":""', b'"memo":null'),
        lambda p: p.replace(b'"memo":""', b'"memo":{"a":1}'),
        lambda p: p + b" {}",
        lambda p: p + b"\0",
        lambda p: b"\xef\xbb\xbf" + p,
        lambda p: p.replace(b"bob.tx", b"bob\xff"),
        lambda p: p.replace(b"bob.tx", b"bob\\ud800"),
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused(spoil: Any) -> None:
    payload = spoil(compact(TRANSFER))
    assert payload != compact(TRANSFER)
    assert read_plain(payload, Transfer) is None
    with pytest.raises(Invalid):
        read_claims("transfer", payload, MESSAGE_TYPES)


@given(data=st.data())
def test_members_dropped_repeated_and_exchanged_are_never_read_otherwise(data: st.DataObject) -> None:
    claims = data.draw(st.sampled_from(SAMPLES))
    own = members(claims)
    chosen = data.draw(st.permutations(own))[data.draw(st.integers(0, 2)) :]
    chosen += data.draw(st.lists(st.sampled_from(own + STRANGE), max_size=3))
    blank = data.draw(st.sampled_from(SPOILING))
    agree(claims["type"], blank + b"{" + (b"," + blank).join(chosen) + b"}" + blank)


@given(data=st.data())
def test_bytes_changed_anywhere_are_never_read_otherwise(data: st.DataObject) -> None:
    claims = data.draw(st.sampled_from(SAMPLES))
    payload = bytearray(compact(claims))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) - 1))
        put = data.draw(st.sampled_from(SPOILING))
        payload[at : at + data.draw(st.integers(0, 2))] = put
    agree(claims["type"], bytes(payload))
