"""Chain transaction bytes against EIP-155's own example and against eth-account."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain import rlp
from sdt.domain.chain_tx import CURVE_ORDER, ChainTransaction, contract_address, read_signed, transaction_hash
from sdt.domain.errors import Invalid

EXAMPLE = ChainTransaction(1, 9, "0x" + "35" * 20, b"", 21_000, 20 * 10**9, 10**18)
KEY = "0x" + "46" * 32


def test_the_example_of_eip_155() -> None:
    r = 0x28EF61340BD939BC2195FE537567866003E1A15D3C71FF63E1590620AA636276
    s = 0x67CBE9D8997F761AECB703304B3800CCF555C9F3DC64214B297FB1966A3B6D83

    assert EXAMPLE.signing_hash().hex() == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    assert EXAMPLE.raw(r, s, 0).hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025"
        "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )


@given(
    nonce=st.integers(0, 2**40),
    gas=st.integers(21_000, 2**40),
    chain_id=st.integers(1, 2**40),
    data=st.one_of(st.binary(max_size=80), st.sampled_from([b"\0", b"\x7f", b"\x80", bytes(55), bytes(70_000)])),
    creates=st.booleans(),
)
def test_the_bytes_are_those_of_eth_account(nonce: int, gas: int, chain_id: int, data: bytes, creates: bool) -> None:
    to = None if creates else "0x" + "11" * 20
    fields: dict[str, Any] = {"nonce": nonce, "gas": gas, "gasPrice": 0, "value": 0, "data": data, "chainId": chain_id}
    theirs = Account.sign_transaction(fields if to is None else {**fields, "to": to}, KEY)

    raw = ChainTransaction(chain_id, nonce, to, data, gas).raw(theirs.r, theirs.s, theirs.v - 35 - 2 * chain_id)

    assert raw == bytes(theirs.raw_transaction)
    assert transaction_hash(raw) == bytes(theirs.hash)


@pytest.mark.parametrize(
    ("r", "s", "y_parity"),
    [(0, 1, 0), (CURVE_ORDER, 1, 0), (1, 0, 0), (1, CURVE_ORDER // 2 + 1, 0), (1, 1, 2), (1, 1, 27)],
)
def test_a_signature_that_is_none_or_not_the_low_one_is_a_bug(r: int, s: int, y_parity: int) -> None:
    with pytest.raises(AssertionError):
        EXAMPLE.raw(r, s, y_parity)


def test_a_contract_lives_where_its_creator_and_nonce_say() -> None:
    """Source: a well-known pair of Ethereum's main network, and the first nonces of one creator."""
    creator = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"

    assert [contract_address(creator, nonce) for nonce in range(3)] == [
        "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
        "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91",
    ]


@given(
    nonce=st.integers(0, 2**40),
    gas=st.integers(21_000, 2**40),
    chain_id=st.integers(1, 2**40),
    data=st.binary(max_size=80),
    creates=st.booleans(),
)
def test_what_eth_account_signed_is_read_back_with_its_sender(
    nonce: int, gas: int, chain_id: int, data: bytes, creates: bool
) -> None:
    to = None if creates else "0x" + "11" * 20
    fields: dict[str, Any] = {"nonce": nonce, "gas": gas, "gasPrice": 0, "value": 0, "data": data, "chainId": chain_id}
    theirs = Account.sign_transaction(fields if to is None else {**fields, "to": to}, KEY)

    found, sender = read_signed(bytes(theirs.raw_transaction))

    assert found == ChainTransaction(chain_id, nonce, to, data, gas)
    assert sender == Account.from_key(KEY).address.lower()


def test_a_signature_in_high_s_form_or_for_no_chain_is_refused() -> None:
    signed = Account.sign_transaction(
        {"nonce": 1, "gas": 21_000, "gasPrice": 0, "value": 0, "to": "0x" + "11" * 20, "data": b"", "chainId": 1}, KEY
    )
    items = [*rlp.decode(bytes(signed.raw_transaction))]  # type: ignore[misc]
    v, s = int.from_bytes(items[6], "big"), int.from_bytes(items[8], "big")  # type: ignore[arg-type]
    for wrong in (
        [*items[:6], v ^ 1 if v % 2 else v + 1, items[7], CURVE_ORDER - s],
        [*items[:6], 27, items[7], s],
        [*items[:6], v, 0, s],
        [*items[:6], v, CURVE_ORDER, s],
        [*items[:6], v, items[7], 0],
        items[:8],
        [*items, b""],
        [b"\0", *items[1:]],
        [*items[:3], b"\x11" * 19, *items[4:]],
    ):
        with pytest.raises(Invalid):
            read_signed(rlp.encode(wrong))


@given(st.binary(max_size=200))
def test_nonsense_is_no_chain_transaction(data: bytes) -> None:
    with pytest.raises(Invalid):
        read_signed(data)
