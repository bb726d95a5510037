"""Seizures: out of a frozen account, under an order, to who may hold the token; nothing else moves what is frozen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from region_on_chain import ALICE, BOB, CAROL, DAN, DOLLAR, FEES, GOLD, RegionOnChain

from sdt.domain.batch import EVERY_TOKEN, AdminItem, SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, NOBODY, Domain

FREEZE, SEIZURE = b"\x0d" * 32, b"\x5e" * 32
CUSTODY = BOB
SEIZE = AdminItem.seize(ALICE, DOLLAR, SEIZURE, CUSTODY, 20_000)


@pytest.fixture
def frozen(region: RegionOnChain) -> RegionOnChain:
    """Alice's $500.00 are frozen under an order."""
    assert not region.administer(AdminItem.freeze(ALICE, DOLLAR, FREEZE, NEVER_S)).skipped
    return region


def skip_of(region: RegionOnChain, item: AdminItem) -> SkipReason | None:
    """Carry one item out; a refused one leaves every balance, and no trace of a movement."""
    before = [region.balance(t, a) for t in (DOLLAR, GOLD) for a in (ALICE, BOB, CAROL, DAN, FEES)]
    outcome = region.administer(item)
    reason = outcome.skipped.get(0)
    if reason is not None:
        assert [region.balance(t, a) for t in (DOLLAR, GOLD) for a in (ALICE, BOB, CAROL, DAN, FEES)] == before
        for token in region.tokens:
            assert not outcome.events("Token", token, "Transfer")
            assert not outcome.events("Token", token, "Seized")
    return reason


def test_an_order_moves_what_it_names_and_supply_stays(frozen: RegionOnChain) -> None:
    outcome = frozen.administer(SEIZE)

    dollar = frozen.tokens[DOLLAR]
    assert outcome.skipped == {}
    assert [frozen.balance(DOLLAR, a) for a in (ALICE, CUSTODY)] == [30_000, 20_000]
    assert frozen.supply(DOLLAR) == 50_000
    assert outcome.events("Token", dollar, "Transfer") == [(ALICE, CUSTODY, 20_000)]
    assert outcome.events("Token", dollar, "Seized") == [(ALICE, CUSTODY, SEIZURE, 20_000)]


def test_the_freeze_and_the_identity_stay_as_they_were(frozen: RegionOnChain) -> None:
    frozen.administer(SEIZE)

    assert frozen.token(DOLLAR, "account_state", ALICE) == (30_000, NEVER_S, NEVER_S, FREEZE)
    assert frozen.token(DOLLAR, "account_state", CUSTODY) == (20_000, NEVER_S, 0, bytes(32))


def test_nothing_else_moves_what_is_frozen(frozen: RegionOnChain) -> None:
    outcome = frozen.settle(
        ValueItem(ValueKind.TRANSFER, ALICE, BOB, 1, 0, DOLLAR), ValueItem(ValueKind.BURN, ALICE, NOBODY, 1, 0, DOLLAR)
    )

    assert outcome.skipped == dict.fromkeys(range(2), SkipReason.PAYER_FROZEN)


def test_everything_and_not_one_unit_more(frozen: RegionOnChain) -> None:
    assert skip_of(frozen, AdminItem.seize(ALICE, DOLLAR, SEIZURE, CUSTODY, 50_001)) is SkipReason.INSUFFICIENT_FUNDS
    assert skip_of(frozen, AdminItem.seize(ALICE, DOLLAR, SEIZURE, CUSTODY, 50_000)) is None
    assert frozen.balance(DOLLAR, ALICE) == 0
    assert skip_of(frozen, AdminItem.seize(ALICE, DOLLAR, SEIZURE, CUSTODY, 1)) is SkipReason.INSUFFICIENT_FUNDS


def test_an_account_without_an_identity_can_still_be_seized_from(frozen: RegionOnChain) -> None:
    frozen.administer(AdminItem.identity(ALICE, Domain.DOLLAR, 0, False, 0, bytes(32)))

    assert skip_of(frozen, SEIZE) is None


class TestOnlyUnderAFreeze:
    """A seizure always follows a freeze of that account in that token that is in force."""

    def test_not_without_one(self, region: RegionOnChain) -> None:
        assert skip_of(region, SEIZE) is SkipReason.NOT_FROZEN

    def test_not_once_it_is_lifted(self, frozen: RegionOnChain) -> None:
        frozen.administer(AdminItem.unfreeze(ALICE, DOLLAR, b"\x0e" * 32))

        assert skip_of(frozen, SEIZE) is SkipReason.NOT_FROZEN

    def test_not_once_it_is_over(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(ALICE, DOLLAR, FREEZE, region.now_s + 100))
        region.now_s += 97
        assert skip_of(region, AdminItem.seize(ALICE, DOLLAR, SEIZURE, CUSTODY, 1)) is None
        assert skip_of(region, SEIZE) is SkipReason.NOT_FROZEN

    def test_not_under_a_freeze_of_another_token(self, region: RegionOnChain) -> None:
        region.administer(AdminItem.freeze(ALICE, GOLD, FREEZE, NEVER_S))

        assert skip_of(region, SEIZE) is SkipReason.NOT_FROZEN

    def test_in_one_batch_it_may_follow_its_freeze(self, region: RegionOnChain) -> None:
        outcome = region.administer(AdminItem.freeze(ALICE, EVERY_TOKEN, FREEZE, NEVER_S), SEIZE)

        assert outcome.skipped == {}
        assert region.balance(DOLLAR, CUSTODY) == 20_000


class TestWhereTo:
    """It leads to an account that may hold this token: out of no domain, and into no frozen account."""

    def test_not_to_another_domain(self, frozen: RegionOnChain) -> None:
        for stranger in (CAROL, "0x" + "e1" * 20):
            item = AdminItem.seize(ALICE, DOLLAR, SEIZURE, stranger, 1)
            assert skip_of(frozen, item) is SkipReason.PAYEE_NOT_ELIGIBLE

    def test_not_to_a_frozen_account(self, frozen: RegionOnChain) -> None:
        frozen.administer(AdminItem.freeze(CUSTODY, DOLLAR, FREEZE, NEVER_S))

        assert skip_of(frozen, SEIZE) is SkipReason.PAYEE_FROZEN

    def test_not_while_the_token_is_paused(self, frozen: RegionOnChain) -> None:
        frozen.administer(AdminItem.pause(DOLLAR, True))

        assert skip_of(frozen, SEIZE) is SkipReason.PAUSED


def test_what_is_malformed_is_skipped(frozen: RegionOnChain) -> None:
    order, to, amount = SEIZE.words
    bad = [
        replace(SEIZE, account=NOBODY),
        replace(SEIZE, words=(bytes(32), to, amount)),
        replace(SEIZE, words=(order, bytes(32), amount)),
        replace(SEIZE, words=(order, to, bytes(32))),
        replace(SEIZE, words=(order, b"\1" + to[1:], amount)),
        replace(SEIZE, words=(order, to, (2**96).to_bytes(32, "big"))),
        AdminItem.seize(ALICE, DOLLAR, SEIZURE, ALICE, 1),
    ]

    for item in bad:
        assert skip_of(frozen, item) is SkipReason.BAD_ITEM
    for token in (3, 254, EVERY_TOKEN):
        assert skip_of(frozen, replace(SEIZE, token=token)) is SkipReason.UNKNOWN_TOKEN


def test_only_settlement_seizes(frozen: RegionOnChain) -> None:
    for key in (frozen.chain_key, frozen.deployer, frozen.stranger):
        outcome = frozen.write(key, "Token", frozen.tokens[DOLLAR], "seize", ALICE, CUSTODY, SEIZURE, 1)
        assert outcome.error == "token: only settlement"
