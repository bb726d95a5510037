"""Ids, states and rules: small, pure, and exact."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from domain_messages import ALICE, BOB, NOW_S, envelope_claims, key_text, sealed, texas, transfer_claims
from sdt.domain.authority import KeyFacts, check_approval, check_authority, check_times
from sdt.domain.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unprocessable
from sdt.domain.message import Message, Signed, format_time, read_message
from sdt.domain.registry import Role
from sdt.domain.rules import AccountFacts, Refusal, check_rules
from sdt.domain.transaction import CANCELABLE, FINAL, HOLDING, NEXT, Effect, Event, Status, advance, effects_of
from sdt.domain.transaction_id import IdIssuer, id_bytes, id_time_ms, parse_id, uuid7

ISSUER = IdIssuer("US-TX", (b"k" * 32,))


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_recognised_and_tells_its_time(now_ms: int, random: bytes) -> None:
    made = ISSUER.issue(now_ms, random)
    assert ISSUER.check(made) == now_ms == id_time_ms(made)
    assert len(id_bytes(made)) == 16


def test_nobody_else_makes_ids() -> None:
    made = ISSUER.issue(NOW_S * 1000, os.urandom(10))
    for other in (IdIssuer("US-CA", (b"k" * 32,)), IdIssuer("US-TX", (b"x" * 32,))):
        with pytest.raises(NotFound):
            other.check(made)
    with pytest.raises(NotFound):
        ISSUER.check(uuid7(NOW_S * 1000, os.urandom(10)))
    assert IdIssuer("US-TX", (b"n" * 32, b"k" * 32)).check(made) == NOW_S * 1000, "an older key's ids still live"


@pytest.mark.parametrize(
    "text", ["", None, 7, "A" * 36, "0190a5e0-1111-4111-8111-111111111111", "0190a5e0-1111-7111-8111-11111111111G"]
)
def test_an_id_has_one_spelling(text: object) -> None:
    with pytest.raises(Invalid):
        parse_id(text)


def test_every_pair_of_status_and_event_is_decided() -> None:
    for status in Status:
        for event in Event:
            if (status, event) in NEXT:
                assert advance(status, event) is NEXT[status, event]
            else:
                with pytest.raises(AssertionError):
                    advance(status, event)


def test_what_is_batched_can_neither_expire_nor_be_canceled() -> None:
    for status in (Status.BATCHED, Status.SUBMITTED, Status.SETTLED, Status.COMPLETED):
        assert (status, Event.EXPIRE) not in NEXT
        assert (status, Event.CANCEL) not in NEXT
    assert {Status.ACCEPTED, Status.HELD, Status.SCREENED} == CANCELABLE
    assert {Status.HELD, Status.SCREENED, Status.BATCHED, Status.SUBMITTED} == HOLDING


def test_an_end_is_an_end_but_for_a_return() -> None:
    assert {event for status, event in NEXT if status in FINAL} == {Event.RETURN}


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_every_life_moves_forward(events: list[Event]) -> None:
    order = ["requested", "accepted", "screened", "batched", "submitted", "settled", "completed"]
    status = Status.REQUESTED
    for event in events:
        if (status, event) not in NEXT:
            continue
        following = advance(status, event)
        if status in order and following in order and event is not Event.UNBATCH:
            assert order.index(following) > order.index(status)
        status = following


def test_only_what_asks_others_has_effects() -> None:
    found = {
        (kind, status)
        for kind in ("transfer", "deposit", "redeem", "register", "issue")
        for status in Status
        if effects_of(kind, status)
    }
    assert found == {("deposit", Status.AWAITING_FUNDS), ("redeem", Status.SETTLED), ("register", Status.SETTLED)}
    assert effects_of("redeem", Status.SETTLED) == (Effect.INSTRUCT,)


KNOWN = AccountFacts(
    exists=True,
    tiers={"dollar": (1, NOW_S + 9), "cash": (1, NOW_S + 9)},
    resident={"cash": True},
    frozen={},
)


def refusal(message: Message, **accounts: AccountFacts) -> Refusal | None:
    facts = {ALICE: accounts.get("alice", KNOWN), BOB: accounts.get("bob", KNOWN)}
    return check_rules("transfer", message, texas(), lambda a: facts[a], NOW_S)


def transfer(**changes: str) -> Message:
    raw = sealed("transfer", transfer_claims(**changes), SigningKey.generate())
    found: Message = read_message(raw).message
    return found


def without(**changes: object) -> AccountFacts:
    whole = {"exists": True, "tiers": KNOWN.tiers, "resident": KNOWN.resident, "frozen": {}} | changes
    return AccountFacts(**whole)  # type: ignore[arg-type]


def test_a_payment_among_known_people_passes() -> None:
    assert refusal(transfer()) is None
    assert refusal(transfer(token="TXG", amount="2500000000")) is None


@pytest.mark.parametrize(
    ("token", "who", "facts", "rule"),
    [
        ("TXD", "bob", AccountFacts(), "TX-WALL-1"),
        ("TXD", "bob", without(tiers={"cash": (1, NOW_S + 9)}), "TX-WALL-1"),
        ("TXG", "alice", without(tiers={"dollar": (1, NOW_S + 9)}), "TX-WALL-1"),
        ("TXD", "alice", without(tiers={"dollar": (0, NOW_S + 9)}), "TX-KYC-1"),
        ("TXD", "alice", without(tiers={"dollar": (1, NOW_S)}), "TX-KYC-1"),
        ("TXG", "bob", without(tiers={"cash": (1, NOW_S)}), "TX-KYC-2"),
        ("TXG", "bob", without(resident={"cash": False}), "TX-RES-1"),
        ("TXD", "alice", without(frozen={"TXD": NOW_S + 1}), "TX-FRZ-1"),
        ("TXD", "bob", without(frozen={"TXD": NOW_S + 1}), "TX-FRZ-1"),
    ],
)
def test_each_rule_refuses_with_its_law(token: str, who: str, facts: AccountFacts, rule: str) -> None:
    found = refusal(transfer(token=token), **{who: facts})
    assert found is not None
    assert (found.rule, bool(found.statute), found.effective) == (rule, True, "2026-01-01")


def test_a_freeze_ends_and_touches_one_token() -> None:
    assert refusal(transfer(), alice=without(frozen={"TXD": NOW_S})) is None
    assert refusal(transfer(), alice=without(frozen={"TXG": NOW_S + 9})) is None


@pytest.mark.parametrize(("token", "limit"), [("TXD", 25_000_000), ("TXG", 5_000_000_000_000)])
def test_the_cap_is_exact(token: str, limit: int) -> None:
    assert refusal(transfer(token=token, amount=str(limit))) is None
    found = refusal(transfer(token=token, amount=str(limit + 1)))
    assert found is not None
    assert found.code == "transaction_cap"


def key_facts(key: SigningKey, roles: Role, account: str = "", scope: int = 0, **changes: object) -> KeyFacts:
    base = {"active": True, "expires_at_s": NOW_S + 9} | changes
    from sdt.domain.envelope import kid_of

    public = bytes(key.verify_key)
    return KeyFacts(kid_of(public), public, account, roles, scope, **base)  # type: ignore[arg-type]


def signed(kind: str, claims: dict[str, object], key: SigningKey) -> Signed:
    return read_message(sealed(kind, claims, key))


def test_a_key_speaks_for_its_own_account_only() -> None:
    key, region = SigningKey.generate(), texas()
    message = signed("transfer", transfer_claims(), key)
    check_authority(message, key_facts(key, Role.CLIENT, ALICE), region, NOW_S)
    for facts, error in (
        (key_facts(key, Role.CLIENT, BOB), Forbidden),
        (key_facts(key, Role.ISSUER), Forbidden),
        (key_facts(key, Role.CLIENT, ALICE, active=False), Unauthenticated),
        (key_facts(key, Role.CLIENT, ALICE, expires_at_s=NOW_S), Unauthenticated),
    ):
        with pytest.raises(error):
            check_authority(message, facts, region, NOW_S)


def test_the_custodian_of_gold_says_nothing_of_dollars() -> None:
    key, region = SigningKey.generate(), texas()
    claims = envelope_claims("fund") | {"token": "TXD", "amount": "1", "sequence": 1, "evidence": "00" * 32}
    gold = region.token_index["TXG"] + 1
    with pytest.raises(Forbidden, match="TXD"):
        check_authority(signed("fund", claims, key), key_facts(key, Role.CUSTODIAN, scope=gold), region, NOW_S)
    check_authority(signed("fund", claims, key), key_facts(key, Role.CUSTODIAN, scope=1), region, NOW_S)


def test_times_are_held_to_the_window() -> None:
    key, region = SigningKey.generate(), texas()
    good = signed("transfer", transfer_claims(), key)
    check_times(good, region, NOW_S, window=True)
    cases: list[tuple[dict[str, str], int, str]] = [
        ({}, NOW_S + 901, "expired_transaction_id"),
        ({}, NOW_S - 31, "clock_skew"),
        ({"issued_at": format_time(NOW_S + 31)}, NOW_S, "clock_skew"),
        ({"issued_at": format_time(NOW_S - 31)}, NOW_S, "clock_skew"),
        ({"expires_at": format_time(NOW_S)}, NOW_S, "expired_message"),
        ({"expires_at": format_time(NOW_S + 8 * 86_400)}, NOW_S, "expires_too_late"),
    ]
    for change, now_s, code in cases:
        with pytest.raises(Unprocessable) as caught:
            check_times(signed("transfer", transfer_claims(**change), key), region, now_s, window=True)
        assert caught.value.code == code
    held = signed("transfer", transfer_claims(), key)
    check_times(held, region, NOW_S + 3000, window=False)


def test_maker_and_checker_are_two_people_about_the_same_bytes() -> None:
    maker, checker = SigningKey.generate(), SigningKey.generate()
    claims = envelope_claims("issue") | {
        "token": "TXD",
        "account": ALICE,
        "amount": "1",
        "deposit": transfer_claims()["transaction_id"],
        "evidence": "00" * 32,
    }
    issue = signed("issue", claims, maker)
    approve = signed("approve", envelope_claims("approve", 2) | {"digest": issue.digest.hex()}, checker)
    check_approval(issue, approve, key_facts(checker, Role.APPROVER), key_facts(maker, Role.ISSUER), texas())
    with pytest.raises(Forbidden, match="same person"):
        check_approval(issue, approve, key_facts(maker, Role.APPROVER), key_facts(maker, Role.ISSUER), texas())
    with pytest.raises(Forbidden):
        check_approval(issue, approve, key_facts(checker, Role.ADMINISTRATOR), key_facts(maker, Role.ISSUER), texas())
    other = signed("approve", envelope_claims("approve", 2) | {"digest": "00" * 32}, checker)
    with pytest.raises(Invalid):
        check_approval(issue, other, key_facts(checker, Role.APPROVER), key_facts(maker, Role.ISSUER), texas())


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_weak_key_cannot_be_registered(point: bytes) -> None:
    from sdt.domain.envelope import b64url

    claims = envelope_claims("register") | {
        "user_id": "6f6e6520-7573-6572-2d69-640000000001",
        "account": ALICE,
        "handle": "alice.tx",
        "public_key": b64url(point).decode(),
        "residency": "US-TX",
    }
    with pytest.raises(Invalid, match="canonical|prime"):
        read_message(sealed("register", claims, SigningKey.generate()))
    claims["public_key"] = key_text(SigningKey.generate())
    assert read_message(sealed("register", claims, SigningKey.generate())).type == "register"
