"""Value items: what a transfer, a mint and a burn move, and every reason for which one is skipped."""

from __future__ import annotations

import pytest
from region_on_chain import ALICE, BOB, CAROL, DAN, DOLLAR, FEES, GOLD, MINTER, SILVER, RegionOnChain

from sdt.domain.batch import EVERY_TOKEN, AdminItem, SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, NOBODY, Domain

ORDER = b"\x0d" * 32


def transfer(payer: str, payee: str, amount: int, fee: int = 0, token: int = DOLLAR) -> ValueItem:
    return ValueItem(ValueKind.TRANSFER, payer, payee, amount, fee, token)


def mint(payee: str, amount: int, token: int = DOLLAR, fee: int = 0) -> ValueItem:
    return ValueItem(ValueKind.MINT, MINTER, payee, amount, fee, token)


def burn(payer: str, amount: int, fee: int = 0, token: int = DOLLAR) -> ValueItem:
    return ValueItem(ValueKind.BURN, payer, NOBODY, amount, fee, token)


def only_reason(region: RegionOnChain, item: ValueItem) -> SkipReason | None:
    """Settle one item and return why it was skipped: then no balance may have changed, else some must have."""

    def books() -> list[int]:
        accounts = (ALICE, BOB, CAROL, DAN, FEES, NOBODY)
        return [region.balance(t, a) for t in (DOLLAR, GOLD, SILVER) for a in accounts] + [
            region.supply(t) for t in (DOLLAR, GOLD, SILVER)
        ]

    before = books()
    outcome = region.settle(item)
    reason = outcome.skipped.get(0)
    transfers = [outcome.events("Token", token, "Transfer") for token in region.tokens]
    assert (reason is None) == (books() != before) == any(transfers)
    return reason


def test_a_payment_takes_amount_and_fee_from_the_payer(region: RegionOnChain) -> None:
    outcome = region.settle(transfer(ALICE, BOB, 12_000, fee=5))

    assert outcome.skipped == {}
    assert [region.balance(DOLLAR, a) for a in (ALICE, BOB, FEES)] == [37_995, 12_000, 5]
    assert region.supply(DOLLAR) == 50_000
    assert outcome.events("Token", region.tokens[DOLLAR], "Transfer") == [
        (ALICE, BOB, 12_000),
        (ALICE, FEES, 5),
    ]


def test_a_payment_of_everything_leaves_nothing(region: RegionOnChain) -> None:
    assert only_reason(region, transfer(ALICE, BOB, 49_995, fee=5)) is None
    assert region.balance(DOLLAR, ALICE) == 0


@pytest.mark.parametrize(("amount", "fee"), [(50_001, 0), (50_000, 1), (2**96 - 1, 2**64 - 1)])
def test_more_than_the_balance_is_skipped(region: RegionOnChain, amount: int, fee: int) -> None:
    assert only_reason(region, transfer(ALICE, BOB, amount, fee)) is SkipReason.INSUFFICIENT_FUNDS
    assert only_reason(region, burn(ALICE, amount, fee)) is SkipReason.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(
    "item",
    [
        transfer(ALICE, BOB, 0),
        transfer(ALICE, ALICE, 1),
        transfer(NOBODY, BOB, 1),
        transfer(ALICE, NOBODY, 1),
        mint(NOBODY, 1),
        mint(ALICE, 0),
        mint(ALICE, 10, fee=1),
        ValueItem(ValueKind.MINT, NOBODY, BOB, 1, 0, DOLLAR),
        burn(NOBODY, 1),
        burn(ALICE, 0),
        ValueItem(ValueKind.BURN, ALICE, BOB, 1, 0, DOLLAR),
    ],
    ids=lambda item: f"{item.kind.name}-{item.payer[2:4]}-{item.payee[2:4]}-{item.amount}-{item.fee}",
)
def test_a_malformed_item_is_skipped(region: RegionOnChain, item: ValueItem) -> None:
    assert only_reason(region, item) is SkipReason.BAD_ITEM


@pytest.mark.parametrize("token", [3, 16, 255, 2**16 - 1])
def test_an_unknown_token_is_skipped(region: RegionOnChain, token: int) -> None:
    assert only_reason(region, transfer(ALICE, BOB, 1, token=token)) is SkipReason.UNKNOWN_TOKEN


class TestFees:
    """The fee account may itself pay, be paid, or be stopped."""

    def test_the_fee_account_can_be_paid_and_charged_at_once(self, region: RegionOnChain) -> None:
        assert only_reason(region, transfer(ALICE, FEES, 100, fee=7)) is None
        assert region.balance(DOLLAR, FEES) == 107

    def test_the_fee_account_can_pay_and_its_fee_comes_back(self, region: RegionOnChain) -> None:
        region.settle(transfer(ALICE, FEES, 100))

        assert only_reason(region, transfer(FEES, BOB, 90, fee=10)) is None
        assert (region.balance(DOLLAR, FEES), region.balance(DOLLAR, BOB)) == (10, 90)

    def test_a_burn_may_pay_a_fee_that_stays_in_circulation(self, region: RegionOnChain) -> None:
        assert only_reason(region, burn(ALICE, 5_000, fee=25)) is None
        assert (region.balance(DOLLAR, ALICE), region.balance(DOLLAR, FEES)) == (44_975, 25)
        assert region.supply(DOLLAR) == 45_000

    def test_a_stopped_fee_account_takes_none(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(FEES, DOLLAR, ORDER, NEVER_S))

        assert only_reason(region, transfer(ALICE, BOB, 10, fee=1)) is SkipReason.PAYEE_FROZEN
        assert only_reason(region, burn(ALICE, 10, fee=1)) is SkipReason.PAYEE_FROZEN
        assert only_reason(region, transfer(ALICE, BOB, 10)) is None

    def test_a_payer_without_funds_hears_that_first(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(FEES, DOLLAR, ORDER, NEVER_S))

        for item in (transfer(ALICE, BOB, 50_000, fee=1), burn(ALICE, 50_000, fee=1)):
            assert only_reason(region, item) is SkipReason.INSUFFICIENT_FUNDS


class TestFreeze:
    """A frozen account neither pays nor is paid, in the tokens the order names, until it is lifted or expires."""

    def test_neither_in_nor_out(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(ALICE, DOLLAR, ORDER, NEVER_S))

        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYER_FROZEN
        assert only_reason(region, transfer(BOB, ALICE, 1)) is SkipReason.PAYEE_FROZEN
        assert only_reason(region, burn(ALICE, 1)) is SkipReason.PAYER_FROZEN
        assert only_reason(region, mint(ALICE, 1)) is SkipReason.PAYEE_FROZEN

    def test_it_moves_again_once_lifted(self, region: RegionOnChain) -> None:
        region.administer(
            AdminItem.freeze(ALICE, DOLLAR, ORDER, NEVER_S), AdminItem.unfreeze(ALICE, DOLLAR, b"\x0e" * 32)
        )

        assert only_reason(region, transfer(ALICE, BOB, 1)) is None

    def test_an_order_ends_by_itself(self, region: RegionOnChain) -> None:
        until = region.now_s + 1_000
        region.administer(AdminItem.freeze(ALICE, DOLLAR, ORDER, until))
        region.now_s = until - 2
        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYER_FROZEN

        assert only_reason(region, transfer(ALICE, BOB, 1)) is None
        assert region.token(DOLLAR, "isFrozen", ALICE) is False

    def test_it_outlasts_a_new_identity(self, region: RegionOnChain) -> None:
        region.administer(
            AdminItem.freeze(ALICE, DOLLAR, ORDER, NEVER_S),
            AdminItem.identity(ALICE, Domain.DOLLAR, 2, True, NEVER_S, bytes(32)),
        )

        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYER_FROZEN

    def test_a_payee_s_order_ends_by_itself(self, region: RegionOnChain) -> None:
        until = region.now_s + 1_000
        region.administer(AdminItem.freeze(BOB, DOLLAR, ORDER, until))
        region.now_s = until - 2
        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYEE_FROZEN

        assert only_reason(region, transfer(ALICE, BOB, 1)) is None

    def test_other_tokens_go_on_unless_the_order_names_every_one(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(CAROL, SILVER, ORDER, NEVER_S))
        assert only_reason(region, transfer(CAROL, DAN, 1, token=GOLD)) is None

        region.administer(AdminItem.freeze(CAROL, EVERY_TOKEN, ORDER, NEVER_S))
        assert only_reason(region, transfer(CAROL, DAN, 1, token=GOLD)) is SkipReason.PAYER_FROZEN


class TestEligibility:
    """Nobody holds a token without an identity in its domain; that is the wall."""

    def test_the_other_domain_does_not_count(self, region: RegionOnChain) -> None:
        assert only_reason(region, transfer(ALICE, CAROL, 1)) is SkipReason.PAYEE_NOT_ELIGIBLE
        assert only_reason(region, mint(CAROL, 1)) is SkipReason.PAYEE_NOT_ELIGIBLE
        assert only_reason(region, transfer(CAROL, ALICE, 1, token=GOLD)) is SkipReason.PAYEE_NOT_ELIGIBLE
        assert only_reason(region, transfer(ALICE, CAROL, 1, token=GOLD)) is SkipReason.PAYER_NOT_ELIGIBLE

    def test_losing_the_identity_stops_payments_and_keeps_the_balance(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.identity(ALICE, Domain.DOLLAR, 0, False, NEVER_S, bytes(32)))

        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYER_NOT_ELIGIBLE
        assert only_reason(region, burn(ALICE, 1)) is SkipReason.PAYER_NOT_ELIGIBLE
        assert region.balance(DOLLAR, ALICE) == 50_000

    def test_an_identity_ends_by_itself(self, region: RegionOnChain) -> None:
        until = region.now_s + 1_000
        region.administer(AdminItem.identity(ALICE, Domain.DOLLAR, 1, False, until, bytes(32)))
        region.now_s = until - 2
        assert only_reason(region, transfer(ALICE, BOB, 1)) is None

        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYER_NOT_ELIGIBLE
        assert region.token(DOLLAR, "is_eligible", ALICE) is False

    def test_a_payee_s_identity_ends_by_itself(self, region: RegionOnChain) -> None:
        until = region.now_s + 1_000
        region.administer(AdminItem.identity(BOB, Domain.DOLLAR, 1, False, until, bytes(32)))
        region.now_s = until - 2
        assert only_reason(region, transfer(ALICE, BOB, 1)) is None

        assert only_reason(region, transfer(ALICE, BOB, 1)) is SkipReason.PAYEE_NOT_ELIGIBLE

    def test_in_both_domains_the_balances_stay_apart(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.identity(CAROL, Domain.DOLLAR, 1, True, NEVER_S, bytes(32)))

        assert only_reason(region, transfer(ALICE, CAROL, 30)) is None
        assert only_reason(region, transfer(CAROL, BOB, 31)) is SkipReason.INSUFFICIENT_FUNDS
        assert (region.balance(DOLLAR, CAROL), region.balance(GOLD, CAROL)) == (30, 20_000)


class TestPause:
    """A paused token stands still, whatever the item."""

    @pytest.mark.parametrize("token", [DOLLAR, EVERY_TOKEN])
    def test_nothing_moves(self, region: RegionOnChain, token: int) -> None:
        region.administer(AdminItem.pause(token, True))

        for item in (transfer(ALICE, BOB, 1), mint(ALICE, 1), burn(ALICE, 1)):
            assert only_reason(region, item) is SkipReason.PAUSED

        region.administer(AdminItem.pause(token, False))
        assert only_reason(region, transfer(ALICE, BOB, 1)) is None

    def test_other_tokens_go_on(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.pause(DOLLAR, True))

        assert only_reason(region, transfer(CAROL, DAN, 1, token=GOLD)) is None


def test_a_wallet_cannot_move_tokens_by_itself(region: RegionOnChain) -> None:
    dollar = region.tokens[DOLLAR]

    for function, values, error in (
        ("transfer", (BOB, 1), "token: pay with a signed message"),
        ("transferFrom", (ALICE, BOB, 1), "token: pay with a signed message"),
        ("approve", (BOB, 1), "token: no allowances"),
    ):
        assert region.write(region.stranger, "Token", dollar, function, *values).error == error
    assert region.token(DOLLAR, "allowance", ALICE, BOB) == 0


def test_only_settlement_writes_to_a_token(region: RegionOnChain) -> None:
    """Not even the chain key may, past Settlement and its number, head and deadline."""
    calls: list[tuple[str, tuple[object, ...]]] = [
        ("settle", (1, 1)),
        ("attest", (1, 1, 1, 1)),
        ("fund", (1, 1, bytes(32))),
        ("release", (1, 1, bytes(32))),
        ("set_eligible", (ALICE, 1)),
        ("freeze", (ALICE, ORDER, 1)),
        ("set_paused", (True,)),
    ]

    for key in (region.chain_key, region.deployer, region.stranger):
        for function, values in calls:
            outcome = region.write(key, "Token", region.tokens[DOLLAR], function, *values)
            assert outcome.error == "token: only settlement", function
