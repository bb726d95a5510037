"""What officials sign beyond payments: seizures, pauses, allowances; their items, their signers and their refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from nacl.signing import SigningKey

from domain_messages import ALICE, BOB, NOW_S, envelope_claims, key_text, sealed, texas
from sdt.domain.authority import KeyFacts, approver_role, check_approval, check_authority, check_grant
from sdt.domain.batch import EVERY_TOKEN, AdminItem, ValueItem, ValueKind
from sdt.domain.envelope import kid_of, unb64url
from sdt.domain.errors import Forbidden, Invalid, Unprocessable
from sdt.domain.items import build_item, minter_of, order_digest
from sdt.domain.message import Signed, format_time, read_message
from sdt.domain.registry import NEVER_S, Role
from sdt.domain.rules import UNKNOWN, AccountFacts, check_seizure

MAKER, CHECKER = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)
SEIZE = {"account": ALICE, "token": "TXD", "amount": "700", "to": BOB, "order": "S-1", "authority": "District Court"}
ALLOWANCE = {"public_key": key_text(CHECKER), "token": "TXG", "limit": "5000", "period_s": 86_400}
FREEZE = {"account": ALICE, "token": "TXD", "order": "F-1", "authority": "Court", "expires_at": format_time(2 * NOW_S)}
GRANT = {
    "public_key": key_text(CHECKER),
    "role": "issuer",
    "token": "TXG",
    "action": "grant",
    "expires_at": format_time(2 * NOW_S),
}
PAUSE = {"token": "TXD", "reason": "INC-7"}
RULES = {"digest": "ab" * 32, "effective": format_time(NOW_S)}
IDENTITY = {"account": ALICE, "tier": 2, "resident": True, "evidence": "ab" * 32, "expires_at": format_time(2 * NOW_S)}


def act(kind: str, claims: Mapping[str, Any], key: SigningKey = MAKER, **changes: Any) -> Signed:
    return read_message(sealed(kind, envelope_claims(kind) | dict(claims) | changes, key))


def facts(key: SigningKey, roles: Role, scope: int = 0) -> KeyFacts:
    public = bytes(key.verify_key)
    return KeyFacts(kid_of(public), public, "", roles, scope, True, NEVER_S)


class TestItems:
    """Each message becomes one item, which a signer rebuilds by itself."""

    def test_a_seizure_names_its_order_by_digest(self) -> None:
        order = order_digest("S-1", "District Court")
        assert build_item(act("seize", SEIZE), texas()) == AdminItem.seize(ALICE, 0, order, BOB, 700)

    @pytest.mark.parametrize(("symbol", "place"), [("TXD", 0), ("TXG", 1), ("", EVERY_TOKEN)])
    def test_a_token_stops_and_goes_on(self, symbol: str, place: int) -> None:
        for kind, paused in (("pause", True), ("resume", False)):
            assert build_item(act(kind, PAUSE, token=symbol), texas()) == AdminItem.pause(place, paused)

    def test_an_allowance_is_of_the_key_it_names(self) -> None:
        minter = minter_of(kid_of(bytes(CHECKER.verify_key)))
        assert build_item(act("set_mint_allowance", ALLOWANCE), texas()) == AdminItem.mint_allowance(
            minter, 1, 5_000, 86_400
        )

    def test_a_mint_carries_the_key_that_signed_it(self) -> None:
        claims = {"token": "TXD", "account": ALICE, "amount": "5", "evidence": "ab" * 32}
        signed = act("issue", claims | {"deposit": envelope_claims("x", 9)["transaction_id"]}, CHECKER)
        minter = minter_of(kid_of(bytes(CHECKER.verify_key)))
        assert build_item(signed, texas()) == ValueItem(ValueKind.MINT, minter, ALICE, 5, 0, 0)
        assert bytes.fromhex(minter[2:]) == unb64url(signed.kid.encode())[:20]


class TestForm:
    """What no officer may write."""

    @pytest.mark.parametrize(
        ("kind", "claims", "change", "code"),
        [
            ("seize", SEIZE, {"to": ALICE}, "same_account"),
            ("seize", SEIZE, {"amount": "0"}, "amount"),
            ("seize", SEIZE, {"amount": "9223372036854775808"}, "amount"),
            ("seize", SEIZE, {"token": ""}, "claims"),
            ("seize", SEIZE, {"order": ""}, "claims"),
            ("seize", SEIZE, {"authority": ""}, "claims"),
            ("seize", SEIZE, {"to": "0x"}, "claims"),
            ("pause", PAUSE, {"reason": ""}, "claims"),
            ("set_mint_allowance", ALLOWANCE, {"token": ""}, "claims"),
            ("set_mint_allowance", ALLOWANCE, {"period_s": 3_599}, "claims"),
            ("set_mint_allowance", ALLOWANCE, {"period_s": 367 * 86_400}, "claims"),
            ("set_mint_allowance", ALLOWANCE, {"limit": "9223372036854775808"}, "amount"),
            ("set_mint_allowance", ALLOWANCE, {"limit": "-1"}, "claims"),
            ("set_mint_allowance", ALLOWANCE, {"public_key": "A" * 43}, "weak_public_key"),
        ],
    )
    def test_it_is_refused(self, kind: str, claims: Mapping[str, Any], change: dict[str, Any], code: str) -> None:
        with pytest.raises(Invalid) as caught:
            act(kind, claims, **change)
        assert caught.value.code == code


class TestWhoMay:
    """Roles for the maker, another's for the checker."""

    @pytest.mark.parametrize(
        ("kind", "claims", "roles"),
        [
            ("seize", SEIZE, Role.COMPLIANCE_OFFICER),
            ("pause", PAUSE, Role.COMPLIANCE_OFFICER | Role.ADMINISTRATOR),
            ("resume", PAUSE, Role.ADMINISTRATOR),
            ("set_mint_allowance", ALLOWANCE, Role.ADMINISTRATOR),
        ],
    )
    def test_only_its_roles_sign_it(self, kind: str, claims: Mapping[str, Any], roles: Role) -> None:
        signed = act(kind, claims)
        for role in Role:
            if role & roles:
                check_authority(signed, facts(MAKER, role), texas(), NOW_S)
            else:
                with pytest.raises(Forbidden) as caught:
                    check_authority(signed, facts(MAKER, role), texas(), NOW_S)
                assert caught.value.code == "wrong_role"

    @pytest.mark.parametrize(("kind", "claims"), [("seize", SEIZE), ("pause", PAUSE), ("freeze", FREEZE)])
    def test_a_role_for_one_token_covers_no_other_and_not_all(self, kind: str, claims: Mapping[str, Any]) -> None:
        gold_only = facts(MAKER, Role.COMPLIANCE_OFFICER, scope=2)
        check_authority(act(kind, claims, token="TXG"), gold_only, texas(), NOW_S)
        for token in ("TXD",) if kind == "seize" else ("TXD", ""):
            with pytest.raises(Forbidden) as caught:
                check_authority(act(kind, claims, token=token), gold_only, texas(), NOW_S)
            assert caught.value.code == "wrong_scope"

    @pytest.mark.parametrize(
        ("kind", "claims", "role"),
        [
            ("set_mint_allowance", ALLOWANCE, Role.ADMINISTRATOR),
            ("grant_role", GRANT, Role.ADMINISTRATOR),
        ],
    )
    def test_who_administers_one_token_gives_neither_role_nor_allowance_of_another(
        self, kind: str, claims: Mapping[str, Any], role: Role
    ) -> None:
        gold_only = facts(MAKER, role, scope=2)
        check_authority(act(kind, claims, token="TXG"), gold_only, texas(), NOW_S)
        for token in ("TXD", "") if kind == "grant_role" else ("TXD",):
            with pytest.raises(Forbidden) as caught:
                check_authority(act(kind, claims, token=token), gold_only, texas(), NOW_S)
            assert caught.value.code == "wrong_scope"

    @pytest.mark.parametrize(
        ("kind", "claims", "role"),
        [
            ("set_rules", RULES, Role.ADMINISTRATOR),
            ("attest_identity", IDENTITY | {"domain": "dollar"}, Role.KYC_DESK),
        ],
    )
    def test_a_role_for_one_token_sets_no_rules_and_establishes_nobody_for_other_tokens(
        self, kind: str, claims: Mapping[str, Any], role: Role
    ) -> None:
        signed = act(kind, claims)
        check_authority(signed, facts(MAKER, role), texas(), NOW_S)
        for scope in (2, 200):
            with pytest.raises(Forbidden) as caught:
                check_authority(signed, facts(MAKER, role, scope=scope), texas(), NOW_S)
            assert caught.value.code == "wrong_scope"
        if kind == "attest_identity":
            check_authority(act(kind, IDENTITY | {"domain": "cash"}), facts(MAKER, role, scope=2), texas(), NOW_S)

    def test_who_administers_one_token_does_not_approve_the_rules_of_all(self) -> None:
        signed = act("set_rules", RULES)
        approve = act("approve", {"digest": signed.digest.hex()}, CHECKER)
        gold_only = facts(CHECKER, Role.ADMINISTRATOR, scope=2)
        with pytest.raises(Forbidden) as caught:
            check_approval(signed, approve, gold_only, facts(MAKER, Role.ADMINISTRATOR), texas())
        assert caught.value.code == "wrong_scope"

    @pytest.mark.parametrize(("scope", "refused"), [(None, False), (2, False), (0, True), (1, True)])
    def test_who_administers_one_token_leaves_the_keys_of_others_as_they_are(
        self, scope: int | None, refused: bool
    ) -> None:
        known = None if scope is None else facts(CHECKER, Role.CUSTODIAN, scope)
        grant = act("grant_role", GRANT).message
        check_grant(grant, facts(MAKER, Role.ADMINISTRATOR), known)
        gold_only = facts(MAKER, Role.ADMINISTRATOR, scope=2)
        if not refused:
            check_grant(grant, gold_only, known)
            return
        with pytest.raises(Forbidden) as caught:
            check_grant(grant, gold_only, known)
        assert caught.value.code == "wrong_scope"

    def test_who_approves_one_token_approves_no_other(self) -> None:
        gold_only, officer = facts(CHECKER, Role.APPROVER, scope=2), facts(MAKER, Role.COMPLIANCE_OFFICER)
        for token, refused in (("TXG", False), ("TXD", True)):
            signed = act("seize", SEIZE, token=token)
            approve = act("approve", {"digest": signed.digest.hex()}, CHECKER)
            if not refused:
                check_approval(signed, approve, gold_only, officer, texas())
                continue
            with pytest.raises(Forbidden) as caught:
                check_approval(signed, approve, gold_only, officer, texas())
            assert caught.value.code == "wrong_scope"

    def test_a_seizure_is_approved_by_the_approver_and_an_allowance_by_an_administrator(self) -> None:
        assert approver_role("seize") is approver_role("issue") is approver_role("adjust") is Role.APPROVER
        for kind in ("resume", "set_mint_allowance", "grant_role", "set_rules"):
            assert approver_role(kind) is Role.ADMINISTRATOR
        signed = act("seize", SEIZE)
        approve = act("approve", {"digest": signed.digest.hex()}, CHECKER)
        officer = facts(MAKER, Role.COMPLIANCE_OFFICER)
        check_approval(signed, approve, facts(CHECKER, Role.APPROVER), officer, texas())
        for role in (Role.ADMINISTRATOR, Role.COMPLIANCE_OFFICER):
            with pytest.raises(Forbidden) as caught:
                check_approval(signed, approve, facts(CHECKER, role), officer, texas())
            assert caught.value.code == "wrong_role"

    def test_which_acts_take_two(self) -> None:
        two = {
            kind: act(kind, claims).message.approval
            for kind, claims in {
                "seize": SEIZE,
                "pause": PAUSE,
                "resume": PAUSE,
                "set_mint_allowance": ALLOWANCE,
            }.items()
        }
        assert two == {"seize": True, "pause": False, "resume": True, "set_mint_allowance": True}


class TestSeizure:
    """It follows a freeze in force and leads to who may hold the token."""

    FROZEN = AccountFacts(True, {}, {}, {"TXD": NOW_S + 1})
    CUSTODY = AccountFacts(True, {"dollar": (1, NOW_S + 1)}, {}, {})

    def check(self, **known: AccountFacts) -> str | None:
        of = {ALICE: known.get("account", self.FROZEN), BOB: known.get("to", self.CUSTODY)}
        try:
            check_seizure(act("seize", SEIZE).message, texas(), lambda a: of.get(a, UNKNOWN), NOW_S)
        except Unprocessable as error:
            return error.code
        return None

    def test_it_is_right(self) -> None:
        assert self.check() is None

    @pytest.mark.parametrize("until", [{}, {"TXD": NOW_S}, {"TXG": NEVER_S}])
    def test_no_freeze_in_force(self, until: dict[str, int]) -> None:
        assert self.check(account=AccountFacts(True, {}, {}, until)) == "not_frozen"

    @pytest.mark.parametrize(
        ("custody", "code"),
        [
            (UNKNOWN, "payee_not_eligible"),
            (AccountFacts(True, {"cash": (1, NEVER_S)}, {}, {}), "payee_not_eligible"),
            (AccountFacts(True, {"dollar": (1, NOW_S)}, {}, {}), "payee_not_eligible"),
            (AccountFacts(True, {"dollar": (0, NEVER_S)}, {}, {}), "payee_not_eligible"),
            (AccountFacts(True, {"dollar": (1, NEVER_S)}, {}, {"TXD": NOW_S + 1}), "payee_frozen"),
        ],
    )
    def test_nobody_who_may_hold_it(self, custody: AccountFacts, code: str) -> None:
        assert self.check(to=custody) == code
