"""What an issuer may set right: the item it becomes, the original it must match, and the accounts it may touch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from nacl.signing import SigningKey

from domain_messages import ALICE, BOB, NOW_S, an_id, envelope_claims, sealed, texas
from receipt_rig import CHAIN_ID, CHAIN_KEY, SETTLEMENT, block, header_over, trust
from sdt.domain.adjustment import check_account, check_original, used_by
from sdt.domain.authority import KeyFacts, check_authority, parties
from sdt.domain.batch import GENESIS_HEAD, ValueItem, ValueKind, settle_calldata
from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.envelope import kid_of
from sdt.domain.errors import Forbidden, Invalid, SdtError
from sdt.domain.items import build_item, minter_of
from sdt.domain.message import Signed, format_time, read_message
from sdt.domain.receipt_check import verify
from sdt.domain.receipt_trust import KnownBlock
from sdt.domain.registry import NEVER_S, NOBODY, Role
from sdt.domain.rules import UNKNOWN, AccountFacts

ISSUER, CLIENT = SigningKey(b"\1" * 32), SigningKey(b"a" * 32)
LOSS = texas().token("TXD").loss_account
ORIGINAL = 7
KNOWN = AccountFacts(True, {"dollar": (1, NEVER_S)}, {}, {})
FROZEN = AccountFacts(True, {"dollar": (1, NEVER_S)}, {}, {"TXD": NOW_S + 1})


def adjust(kind: str = "clawback", **changes: Any) -> Signed:
    claims = {
        "kind": kind, "token": "TXD", "account": LOSS if kind == "write_down" else ALICE, "amount": "500",
        "original": an_id(ORIGINAL), "evidence": "ab" * 32,
    }  # fmt: skip
    return read_message(sealed("adjust", envelope_claims("adjust") | claims | changes, ISSUER))


def original(kind: str = "deposit", **changes: Any) -> Any:
    way = {"source": "bank:one"} if kind == "deposit" else {"destination": "bank:one", "fee_max": "0"}
    claims = envelope_claims(kind, ORIGINAL) | way | {
        "token": "TXD", "account": ALICE, "amount": "500", "expires_at": format_time(NOW_S + 60),
    }  # fmt: skip
    return read_message(sealed(kind, claims | changes, CLIENT)).message


def code_of(call: Any, *arguments: Any) -> str | None:
    try:
        call(*arguments)
    except SdtError as error:
        return error.code
    return None


class TestItem:
    """No new kind of item: the contract burns and mints as ever."""

    def test_a_clawback_and_a_write_down_burn(self) -> None:
        assert build_item(adjust(), texas()) == ValueItem(ValueKind.BURN, ALICE, NOBODY, 500, 0, 0)
        assert build_item(adjust("write_down"), texas()) == ValueItem(ValueKind.BURN, str(LOSS), NOBODY, 500, 0, 0)

    def test_a_remint_mints_under_its_issuers_allowance(self) -> None:
        minter = minter_of(kid_of(bytes(ISSUER.verify_key)))
        assert build_item(adjust("remint"), texas()) == ValueItem(ValueKind.MINT, minter, ALICE, 500, 0, 0)

    @pytest.mark.parametrize("kind", ["clawback", "remint", "write_down"])
    def test_its_receipt_proves_it(self, kind: str) -> None:
        made = block([adjust(kind).raw])
        found = verify(made.receipt(0, ISSUER), trust(anchor=KnownBlock(made.header.stated_hash)))
        assert (found.outcome, found.signed.message.kind) == ("settled", kind)
        assert f"{kind} of 500 smallest units of TXD" in found.steps[0].proved
        assert any("the signers read its message, not the bank" in text for text in found.unproven)

    def test_the_chain_key_cannot_burn_more_than_was_signed(self) -> None:
        # given a batch whose root names a clawback of 500 and whose item burns 501
        made, more = block([adjust().raw], before=0), block([adjust(amount="501").raw], before=0)
        [item] = more.assembled.items
        assert isinstance(item, ValueItem)
        data = settle_calldata(7, GENESIS_HEAD, made.assembled.root, NOW_S + 60, [item])
        sent = CHAIN_KEY.sign(ChainTransaction(CHAIN_ID, 3, SETTLEMENT, data, 10**6))
        forged = replace(made, transactions=[sent], header=header_over([sent], made.receipts))
        with pytest.raises(SdtError, match="not the one that the message asks for"):
            verify(forged.receipt(0, ISSUER), trust(anchor=KnownBlock(forged.header.stated_hash)))


class TestForm:
    """What no issuer may write."""

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"kind": "refund"}, "claims"),
            ({"amount": "0"}, "amount"),
            ({"amount": "9223372036854775808"}, "amount"),
            ({"token": ""}, "claims"),
            ({"original": "x"}, "claims"),
            ({"evidence": "ab"}, "claims"),
            ({"memo": ""}, "claims"),
        ],
    )
    def test_it_is_refused(self, change: dict[str, Any], code: str) -> None:
        with pytest.raises(Invalid) as caught:
            adjust(**change)
        assert caught.value.code == code

    def test_only_an_issuer_of_this_token_signs_it_and_it_takes_two(self) -> None:
        signed = adjust()
        assert signed.message.approval

        def sign(role: Role, scope: int = 0) -> None:
            public = bytes(ISSUER.verify_key)
            check_authority(signed, KeyFacts(signed.kid, public, "", role, scope, True, NEVER_S), texas(), NOW_S)

        for role in Role:
            assert code_of(sign, role) == (None if role is Role.ISSUER else "wrong_role")
        assert code_of(sign, Role.ISSUER, 1) is None
        with pytest.raises(Forbidden):
            sign(Role.ISSUER, 2)

    def test_whom_the_books_name(self) -> None:
        assert parties(adjust().message) == (ALICE, None)
        assert parties(adjust("remint").message) == (None, ALICE)


class TestOriginal:
    """It never goes beyond the transaction it names."""

    @pytest.mark.parametrize(("kind", "of"), [("clawback", "deposit"), ("remint", "redeem"), ("write_down", "deposit")])
    def test_it_matches(self, kind: str, of: str) -> None:
        assert code_of(check_original, adjust(kind).message, original(of), texas()) is None

    def test_a_clawback_may_take_a_part_and_a_remint_gives_all_back(self) -> None:
        assert code_of(check_original, adjust(amount="1").message, original(), texas()) is None
        part = adjust("remint", amount="499").message
        assert code_of(check_original, part, original("redeem"), texas()) == "original_mismatch"

    @pytest.mark.parametrize(
        ("signed", "of"),
        [
            (adjust(amount="501"), original()),
            (adjust(account=BOB), original()),
            (adjust(account=LOSS), original()),
            (adjust(original=an_id(8)), original()),
            (adjust(token="TXG"), original()),
            (adjust(), original("redeem")),
            (adjust(), original(network="other")),
            (adjust(), original(region="US-OK")),
            (adjust("remint"), original()),
            (adjust("remint", account=BOB), original("redeem")),
            (adjust("remint", amount="501"), original("redeem")),
            (adjust("write_down", account=ALICE), original()),
            (adjust("write_down", amount="501"), original()),
            (adjust("write_down", token="TXG"), original(token="TXG")),
        ],
    )
    def test_it_goes_beyond(self, signed: Signed, of: Any) -> None:
        assert code_of(check_original, signed.message, of, texas()) == "original_mismatch"


class TestAccount:
    """A frozen account moves by a seizure alone."""

    @pytest.mark.parametrize(
        ("kind", "found", "code"),
        [
            ("clawback", KNOWN, None),
            ("remint", KNOWN, None),
            ("write_down", UNKNOWN, None),
            ("clawback", FROZEN, "payer_frozen"),
            ("remint", FROZEN, "payee_frozen"),
            ("write_down", FROZEN, "payer_frozen"),
            ("clawback", UNKNOWN, "payer_not_eligible"),
            ("remint", UNKNOWN, "payee_not_eligible"),
            ("remint", AccountFacts(True, {"dollar": (1, NOW_S)}, {}, {}), "payee_not_eligible"),
        ],
    )
    def test_it_may_be_touched_or_not(self, kind: str, found: AccountFacts, code: str | None) -> None:
        assert code_of(check_account, adjust(kind).message, texas(), lambda _: found, NOW_S) == code


def test_original_and_evidence_are_used_up_together_and_a_remint_once_for_ever() -> None:
    first, other = adjust().message, adjust(evidence="cd" * 32).message
    assert used_by(first) == used_by(adjust(amount="1").message)
    assert not set(used_by(first)) & set(used_by(other))
    assert set(used_by(adjust("remint").message)) & set(used_by(adjust("remint", evidence="cd" * 32).message))
