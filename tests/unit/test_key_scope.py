"""What a client's key may do: one byte on chain, held to by every signer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sdt.domain.authority import KeyFacts, check_authority, check_rotation
from sdt.domain.envelope import b64url, kid_of, seal_envelope
from sdt.domain.errors import Forbidden
from sdt.domain.items import key_word
from sdt.domain.key_scope import EVERYTHING, KeyScope, scope_of
from sdt.domain.message import NEVER_S, Signed, read_message
from sdt.domain.region import load_region
from sdt.domain.registry import Role, pack_key_word, unpack_key_word
from sdt.domain.transaction_id import uuid7

REGION = load_region((Path(__file__).parents[2] / "regions" / "texas.toml").read_bytes())
KEY, OTHER = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
ACCOUNT = "0x" + "a1" * 20
SCOPES = st.builds(KeyScope, st.sampled_from(("manager", "payer", "viewer")), st.none() | st.integers(0, 31))
COMMON = {
    "version": 1, "network": "net", "transaction_id": uuid7(1_800_000_000_000, bytes(10)), "region": "US-TX",
    "issued_at": "2027-01-15T08:00:00Z",
}  # fmt: skip


def message(kind: str, **claims: str) -> Signed:
    return read_message(seal_envelope(kind, {"type": kind} | COMMON | claims, KEY))


def rotate(**more: str) -> Signed:
    public = b64url(bytes(OTHER.verify_key)).decode()
    return message(
        "rotate_key", account=ACCOUNT, public_key=public, action="add", expires_at="2028-01-15T08:00:00Z", **more
    )


def transfer(token: str) -> Signed:
    return message(
        "transfer", token=token, payer=ACCOUNT, payee="0x" + "b2" * 20, payee_handle="bob.tx", amount="1", fee_max="0",
        memo="", expires_at="2027-01-15T09:00:00Z",
    )  # fmt: skip


def may(scope: int, signed: Signed) -> bool:
    public = bytes(KEY.verify_key)
    key = KeyFacts(kid_of(public), public, ACCOUNT, Role.CLIENT, scope, True, NEVER_S)
    try:
        check_authority(signed, key, REGION, 1_800_000_000)
    except Forbidden:
        return False
    return True


@given(SCOPES)
def test_a_scope_is_one_byte_and_comes_back(scope: KeyScope) -> None:
    assert 0 <= scope.pack() <= 255
    assert scope_of(scope.pack()) == scope


def test_the_keys_of_before_do_everything_and_unknown_roles_nothing() -> None:
    assert EVERYTHING.pack() == 0
    assert scope_of(0) == EVERYTHING
    assert not any(scope_of(0b1100_0000).allows(kind, None) for kind in ("transfer", "rotate_key", "deposit"))


@pytest.mark.parametrize(
    ("scope", "dollars", "gold", "keys"),
    [
        (KeyScope("manager"), True, True, True),
        (KeyScope("manager", 0), True, False, False),
        (KeyScope("payer"), True, True, False),
        (KeyScope("payer", 1), False, True, False),
        (KeyScope("viewer"), False, False, False),
        (KeyScope("viewer", 0), False, False, False),
    ],
)
def test_who_may_sign_what(scope: KeyScope, dollars: bool, gold: bool, keys: bool) -> None:
    byte = scope.pack()
    assert [may(byte, transfer("TXD")), may(byte, transfer("TXG")), may(byte, rotate())] == [dollars, gold, keys]


def test_what_is_signed_is_what_stands_on_chain() -> None:
    word = key_word(rotate(role="payer", token="TXG"), REGION)
    assert scope_of(unpack_key_word(pack_key_word(word)).scope) == KeyScope("payer", 1)
    # a message of before, without role and token, is a manager's
    assert key_word(rotate(), REGION).scope == 0


def test_a_limited_manager_gives_no_more_than_it_has() -> None:
    """A key of one token adds keys of that token alone."""
    byte = KeyScope("manager", 1).pack()
    assert may(byte, rotate(token="TXG"))
    assert may(byte, rotate(token="TXG", role="viewer"))
    assert not may(byte, rotate())
    assert not may(byte, rotate(token="TXD"))


@pytest.mark.parametrize(
    ("target", "refused"),
    [(None, False), (KeyScope("payer", 1), False), (EVERYTHING, True), (KeyScope("viewer"), True)],
)
def test_who_manages_one_token_leaves_the_keys_that_cover_more(target: KeyScope | None, refused: bool) -> None:
    def facts(scope: KeyScope) -> KeyFacts:
        return KeyFacts("kid", b"", ACCOUNT, Role.CLIENT, scope.pack(), True, NEVER_S)

    known = facts(target) if target else None
    message = rotate(token="TXG", role="viewer").message
    check_rotation(message, facts(EVERYTHING), known)
    if refused:
        with pytest.raises(Forbidden):
            check_rotation(message, facts(KeyScope("manager", 1)), known)
    else:
        check_rotation(message, facts(KeyScope("manager", 1)), known)
