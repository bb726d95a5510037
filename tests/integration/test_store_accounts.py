"""Users, and what the chain's registry says of their accounts and keys."""

from __future__ import annotations

import pytest

from sdt.domain.errors import Conflict
from sdt.domain.rules import AccountFacts
from sdt.store import Store, accounts
from sdt.store.accounts import FreezeRow, IdentityRow, KeyRow, UserRow
from store_rig import NOW_MS, address


def _user(n: int, **changes: object) -> UserRow:
    row = UserRow(f"{n:08x}-0000-0000-0000-000000000000", address(n), f"user{n}", "US-TX", NOW_MS)
    return row._replace(**changes)  # type: ignore[arg-type]


def _key(kid: str, **changes: object) -> KeyRow:
    row = KeyRow(kid, b"\1" * 32, address(1), 1, 0, "active", 2_000_000_000, None)
    return row._replace(**changes)  # type: ignore[arg-type]


def test_a_user_is_found_by_id_account_and_handle(store: Store) -> None:
    row = _user(1, person_sealed=b"sealed", kyc_reasons=("no_match",))
    accounts.create_user(store, row)
    accounts.create_user(store, _user(2))
    assert accounts.user_by_id(store, row.user_id) == row
    assert accounts.user_by_account(store, row.account) == row
    assert accounts.user_by_handle(store, row.handle) == row
    assert accounts.user_by_handle(store, "nobody") is None


@pytest.mark.parametrize(
    ("column", "code"),
    [("handle", "handle_taken"), ("account", "account_taken"), ("user_id", "user_id_taken")],
)
def test_what_is_taken_is_named(store: Store, column: str, code: str) -> None:
    accounts.create_user(store, _user(1))
    with pytest.raises(Conflict) as taken:
        accounts.create_user(store, _user(2, **{column: getattr(_user(1), column)}))
    assert taken.value.code == code
    assert accounts.user_by_id(store, _user(2).user_id) is None or column == "user_id"


def test_a_refused_registration_frees_the_handle_and_a_settled_one_does_not(store: Store) -> None:
    accounts.create_user(store, _user(1))
    assert accounts.forget_unregistered(store, address(1))
    accounts.create_user(store, _user(2, handle="user1"))
    accounts.mark_registered(store, address(2))
    assert not accounts.forget_unregistered(store, address(2))
    found = accounts.user_by_account(store, address(2))
    assert found is not None
    assert found.registered is True


def test_where_the_examination_stands(store: Store) -> None:
    accounts.create_user(store, _user(1))
    accounts.set_kyc(store, address(1), "app-1", "review", ["document_blurred", "address_mismatch"])
    accounts.set_person(store, address(1), b"sealed anew")
    found = accounts.user_by_application(store, "app-1")
    assert found is not None
    assert (found.kyc_status, found.kyc_reasons) == ("review", ("document_blurred", "address_mismatch"))
    assert found.person_sealed == b"sealed anew"
    assert accounts.open_applications(store, "review") == ["app-1"]
    assert accounts.open_applications(store, "passed") == []


def test_keys_are_followed_by_number_so_that_a_cache_misses_no_change(store: Store) -> None:
    accounts.upsert_key(store, _key("a"))
    accounts.upsert_key(store, _key("b", account=None, roles=4))
    rows, last = accounts.keys_since(store, 0)
    assert [row.kid for row in rows] == ["a", "b"]
    assert accounts.keys_since(store, last) == ([], last)
    accounts.revoke_key(store, "a")
    accounts.upsert_key(store, _key("c", expires_at_s=5))
    rows, later = accounts.keys_since(store, last)
    assert [(row.kid, row.status) for row in rows] == [("a", "revoked"), ("c", "active")]
    assert later > last
    assert accounts.key(store, "b") == _key("b", account=None, roles=4)
    assert accounts.key(store, "z") is None
    assert [row.kid for row in accounts.keys_of(store, address(1))] == ["a", "c"]


def test_a_key_given_anew_replaces_what_was_known(store: Store) -> None:
    accounts.upsert_key(store, _key("a"))
    accounts.upsert_key(store, _key("a", status="revoked", roles=2, scope=3))
    assert accounts.key(store, "a") == _key("a", status="revoked", roles=2, scope=3)
    assert len(accounts.keys_since(store, 0)[0]) == 1


def test_the_rules_see_tiers_residency_and_freezes_of_registered_accounts(store: Store) -> None:
    for n in (1, 2, 3):
        accounts.create_user(store, _user(n))
    for n in (1, 2):
        accounts.mark_registered(store, address(n))
    accounts.set_identity(store, IdentityRow(address(1), "dollar", 1, False, 100))
    accounts.set_identity(store, IdentityRow(address(1), "cash", 2, True, 200))
    accounts.set_identity(store, IdentityRow(address(1), "dollar", 3, False, 300))
    accounts.set_freeze(store, FreezeRow(address(1), "TXD", b"\1" * 32, 400))
    accounts.set_freeze(store, FreezeRow(address(1), "TXG", b"\2" * 32, 500))
    accounts.clear_freeze(store, address(1), "TXD")
    facts = accounts.facts(store, [address(n) for n in (1, 2, 3, 4)])
    assert facts == {
        address(1): AccountFacts(
            True, {"dollar": (3, 300), "cash": (2, 200)}, {"dollar": False, "cash": True}, {"TXG": 500}
        ),
        address(2): AccountFacts(True, {}, {}, {}),
    }
    assert accounts.facts(store, []) == {}
    assert [i.domain for i in accounts.identities_of(store, address(1))] == ["cash", "dollar"]
    assert accounts.freezes_of(store, address(1)) == [FreezeRow(address(1), "TXG", b"\2" * 32, 500)]


def test_an_order_for_every_token_is_one_row_for_each(store: Store) -> None:
    with pytest.raises(AssertionError, match="each of them"):
        accounts.set_freeze(store, FreezeRow(address(1), "", b"", 1))


@pytest.mark.parametrize(
    "act",
    [
        lambda s: accounts.mark_registered(s, address(1)),
        lambda s: accounts.set_person(s, address(1), b""),
        lambda s: accounts.revoke_key(s, "a"),
    ],
)
def test_nobody_is_changed_who_is_not_there(store: Store, act: object) -> None:
    with pytest.raises(AssertionError, match="there is no"):
        act(store)  # type: ignore[operator]
