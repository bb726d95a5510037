"""What each minter may mint in a period: within the token's own day, never twice by a change, each apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from region_on_chain import ALICE, DAILY_ALLOWANCE, DAY_S, DOLLAR, GOLD, MINTER, RegionOnChain

from sdt.domain.batch import EVERY_TOKEN, AdminItem, SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NOBODY

OTHER = "0x" + "16" * 20
HOUR_S, WEEK_S = 3_600, 7 * DAY_S
SPENT = SkipReason.MINT_ALLOWANCE_SPENT


@pytest.fixture
def region(region: RegionOnChain) -> RegionOnChain:
    """The minter may mint 1,000 in a week, which has just begun; the reserve is ample."""
    region.now_s += WEEK_S - region.now_s % WEEK_S
    outcome = region.administer(
        AdminItem.attest(DOLLAR, 2**90, region.now_s, region.now_s + 99 * DAY_S, 0), allow(1_000, WEEK_S)
    )
    assert not outcome.skipped
    return region


def allow(limit: int, period_s: int, minter: str = MINTER, token: int = DOLLAR) -> AdminItem:
    return AdminItem.mint_allowance(minter, token, limit, period_s)


def mint(region: RegionOnChain, amount: int, minter: str = MINTER) -> SkipReason | None:
    supply = region.supply(DOLLAR)
    reason = region.settle(ValueItem(ValueKind.MINT, minter, ALICE, amount, 0, DOLLAR)).skipped.get(0)
    assert region.supply(DOLLAR) == supply + (0 if reason else amount)
    return reason


def left(region: RegionOnChain, minter: str = MINTER) -> tuple[int, int, int]:
    found: tuple[int, int, int] = region.token(DOLLAR, "minter_allowance", minter)
    return found


def test_a_minter_mints_up_to_its_limit_and_no_unit_more(region: RegionOnChain) -> None:
    assert mint(region, 1_001) is SPENT
    assert mint(region, 999) is None
    assert left(region) == (1_000, WEEK_S, 1)
    assert mint(region, 2) is SPENT
    assert mint(region, 1) is None
    assert mint(region, 1) is SPENT


def test_several_mints_of_one_batch_count_together(region: RegionOnChain) -> None:
    outcome = region.settle(*[ValueItem(ValueKind.MINT, MINTER, ALICE, 400, 0, DOLLAR)] * 3)

    assert outcome.skipped == {2: SPENT}


def test_it_may_again_in_the_next_period(region: RegionOnChain) -> None:
    assert mint(region, 1_000) is None
    region.now_s += WEEK_S - region.now_s % WEEK_S - 2
    assert mint(region, 1) is SPENT  # the week's last second
    assert mint(region, 1_000) is None
    assert mint(region, 1) is SPENT


def test_minters_count_apart_and_a_tokens_allowance_is_its_own(region: RegionOnChain) -> None:
    region.administer(allow(50, DAY_S, OTHER))

    assert mint(region, 1_000) is None
    assert mint(region, 51, OTHER) is SPENT
    assert mint(region, 50, OTHER) is None
    assert region.token(GOLD, "minter_allowance", MINTER)[0] == DAILY_ALLOWANCE


def test_what_is_burned_gives_no_allowance_back(region: RegionOnChain) -> None:
    assert mint(region, 1_000) is None
    region.settle(ValueItem(ValueKind.BURN, ALICE, NOBODY, 1_000, 0, DOLLAR))

    assert mint(region, 1) is SPENT


def test_a_minter_without_a_limit_is_bound_by_the_tokens_day(region: RegionOnChain) -> None:
    assert left(region, OTHER) == (DAILY_ALLOWANCE, DAY_S, DAILY_ALLOWANCE)
    assert mint(region, DAILY_ALLOWANCE, OTHER) is None
    assert left(region, OTHER) == (DAILY_ALLOWANCE, DAY_S, 0)
    assert mint(region, 1, OTHER) is SPENT


def test_the_tokens_day_bounds_every_minter(region: RegionOnChain) -> None:
    region.administer(allow(5 * DAILY_ALLOWANCE, WEEK_S, OTHER))
    assert mint(region, DAILY_ALLOWANCE - 10, OTHER) is None

    assert left(region) == (1_000, WEEK_S, 10)
    assert mint(region, 11) is SPENT
    assert mint(region, 11, OTHER) is SPENT
    assert mint(region, 10) is None


class TestChanges:
    """An allowance is changed by an item, and never given twice."""

    def test_a_limit_of_zero_stops_a_minter(self, region: RegionOnChain) -> None:
        outcome = region.administer(allow(0, HOUR_S))

        assert outcome.events("Token", region.tokens[DOLLAR], "MintAllowanceSet") == [(MINTER, 0, HOUR_S)]
        assert left(region) == (0, HOUR_S, 0)
        assert mint(region, 1) is SPENT

    def test_a_higher_limit_leaves_what_is_minted_counted(self, region: RegionOnChain) -> None:
        assert mint(region, 900) is None
        region.administer(allow(1_500, WEEK_S))

        assert left(region) == (1_500, WEEK_S, 600)
        assert mint(region, 601) is SPENT

    def test_a_lower_limit_than_what_is_minted_stops(self, region: RegionOnChain) -> None:
        assert mint(region, 900) is None
        region.administer(allow(100, WEEK_S))

        assert left(region) == (100, WEEK_S, 0)
        assert mint(region, 1) is SPENT

    def test_setting_it_anew_or_for_another_period_gives_nothing_twice(self, region: RegionOnChain) -> None:
        assert mint(region, 1_000) is None
        for period_s in (WEEK_S, DAY_S, HOUR_S, WEEK_S):
            region.administer(allow(1_000, period_s))
            assert mint(region, 1) is SPENT

    def test_what_an_ended_period_minted_is_forgotten(self, region: RegionOnChain) -> None:
        assert mint(region, 1_000) is None
        region.now_s += WEEK_S
        region.administer(allow(1_000, WEEK_S))

        assert mint(region, 1_000) is None


def test_who_minted_is_announced(region: RegionOnChain) -> None:
    outcome = region.settle(ValueItem(ValueKind.MINT, MINTER, ALICE, 7, 0, DOLLAR))

    assert outcome.events("Token", region.tokens[DOLLAR], "Mint") == [(MINTER, ALICE, 7)]
    assert outcome.events("Token", region.tokens[DOLLAR], "Transfer") == [(NOBODY, ALICE, 7)]


def test_what_is_malformed_is_skipped(region: RegionOnChain) -> None:
    good = allow(1, DAY_S)
    bad = [
        allow(1, DAY_S, NOBODY),
        allow(2**96, DAY_S),
        allow(1, HOUR_S - 1),
        allow(1, 0),
        allow(1, 2**32),
    ]
    outcome = region.administer(*bad, replace(good, token=3), replace(good, token=EVERY_TOKEN))

    assert list(outcome.skipped.values()) == [SkipReason.BAD_ITEM] * 5 + [SkipReason.UNKNOWN_TOKEN] * 2
    assert left(region) == (1_000, WEEK_S, 1_000)


def test_only_settlement_allows(region: RegionOnChain) -> None:
    for key in (region.chain_key, region.deployer, region.stranger):
        outcome = region.write(key, "Token", region.tokens[DOLLAR], "set_mint_allowance", MINTER, 2**95, DAY_S)
        assert outcome.error == "token: only settlement"
