"""Key words, roles and accounts as the Registry keeps them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.errors import Invalid
from sdt.domain.registry import (
    NEVER_S,
    NOBODY,
    KeyStatus,
    KeyWord,
    Role,
    account_bytes,
    handle_hash,
    pack_key_word,
    unpack_key_word,
)

ALICE = "0x" + "a1" * 20


def test_a_key_word_lies_as_the_contract_reads_it() -> None:
    word = pack_key_word(KeyWord(ALICE, Role.ISSUER | Role.KYC_DESK, 3, KeyStatus.REVOKED, 2**40 - 2))

    assert int.from_bytes(word, "big") == (
        int(ALICE, 16) << 96 | (4 | 16) << 80 | 3 << 72 | 2 << 64 | (2**40 - 2) << 24
    )


@given(
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**16 - 1),
    st.integers(0, 255),
    st.sampled_from(KeyStatus),
    st.integers(0, NEVER_S),
)
def test_a_key_word_comes_back_as_it_went(
    account: bytes, roles: int, scope: int, status: KeyStatus, expires_s: int
) -> None:
    key = KeyWord("0x" + account.hex(), Role(roles), scope, status, expires_s)

    assert unpack_key_word(pack_key_word(key)) == key


def test_a_key_that_nobody_registered_may_do_nothing() -> None:
    unknown = unpack_key_word(bytes(32))

    assert unknown == KeyWord(NOBODY, Role(0), 0, KeyStatus.NONE, 0)
    assert not unknown.may(Role.CLIENT, 0)


@pytest.mark.parametrize(
    ("key", "may"),
    [
        (KeyWord(NOBODY, Role.ISSUER, expires_s=100), True),
        (KeyWord(NOBODY, Role.ISSUER | Role.KYC_DESK, expires_s=100), True),
        (KeyWord(NOBODY, Role.ISSUER, expires_s=99), False),
        (KeyWord(NOBODY, Role.APPROVER, expires_s=100), False),
        (KeyWord(NOBODY, Role.ISSUER, 0, KeyStatus.REVOKED, 100), False),
    ],
)
def test_a_key_may_what_its_role_says_while_it_is_in_force(key: KeyWord, may: bool) -> None:
    assert key.may(Role.ISSUER, now_s=99) is may


@pytest.mark.parametrize("word", [b"", bytes(31), bytes(23) + b"\3" + bytes(8), bytes(31) + b"\1"])
def test_another_word_is_refused(word: bytes) -> None:
    with pytest.raises(Invalid):
        unpack_key_word(word)


@pytest.mark.parametrize("fields", [{"scope": 256}, {"expires_s": 2**40}, {"expires_s": -1}, {"roles": 2**16}])
def test_a_key_that_does_not_fit_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        KeyWord(**{"account": ALICE, "roles": Role.CLIENT, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("account", ["", ALICE[2:], ALICE.upper(), ALICE + "0", ALICE + "\n", "0x" + "g1" * 20])
def test_an_account_has_one_spelling(account: str) -> None:
    with pytest.raises(Invalid):
        account_bytes(account)


def test_a_handle_is_hashed_as_it_is_written() -> None:
    assert handle_hash("").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert handle_hash("alice") != handle_hash("Alice")
