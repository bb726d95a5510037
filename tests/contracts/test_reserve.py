"""The mint gate: supply and this mint within a fresh attestation, plus what was funded, less what was released."""

from __future__ import annotations

import pytest
from region_on_chain import ALICE, CAROL, DAILY_ALLOWANCE, DAY_S, DOLLAR, GOLD, MINTER, RegionOnChain

from sdt.domain.batch import AdminItem, SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, NOBODY, Domain, KeyWord, Role

RESERVE_FIELDS = (
    "attested",
    "as_of",
    "valid_until",
    "attested_sequence",
    "sequence",
    "funded",
    "released",
    "reserve",
    "supply",
)
EVIDENCE = b"\xe7" * 32


def mint(amount: int, payee: str = ALICE, token: int = DOLLAR) -> ValueItem:
    return ValueItem(ValueKind.MINT, MINTER, payee, amount, 0, token)


def skip_of(region: RegionOnChain, item: ValueItem | AdminItem) -> SkipReason | None:
    outcome = region.settle(item) if isinstance(item, ValueItem) else region.administer(item)
    return outcome.skipped.get(0)


def attest(region: RegionOnChain, amount: int, sequence: int = 0, valid_s: int = 30 * DAY_S) -> AdminItem:
    return AdminItem.attest(DOLLAR, amount, region.now_s, region.now_s + valid_s, sequence)


def state(region: RegionOnChain, token: int = DOLLAR) -> dict[str, int]:
    books = region.token(token, "reserve_state")
    return dict(zip(RESERVE_FIELDS, books, strict=True))


def test_minting_stops_exactly_at_the_reserve(region: RegionOnChain) -> None:
    outcome = region.settle(mint(50_001), mint(50_000), mint(1))

    assert outcome.skipped == {0: SkipReason.OVER_RESERVE, 2: SkipReason.OVER_RESERVE}
    assert region.supply(DOLLAR) == 100_000
    assert outcome.events("Token", region.tokens[DOLLAR], "Transfer") == [(NOBODY, ALICE, 50_000)]


def test_what_is_burned_can_be_minted_again(region: RegionOnChain) -> None:
    region.settle(mint(50_000))
    outcome = region.settle(ValueItem(ValueKind.BURN, ALICE, NOBODY, 300, 0, DOLLAR), mint(301), mint(300))

    assert outcome.skipped == {1: SkipReason.OVER_RESERVE}
    assert outcome.events("Token", region.tokens[DOLLAR], "Transfer")[0] == (ALICE, NOBODY, 300)
    assert region.supply(DOLLAR) == 100_000


def test_nothing_is_minted_before_the_first_attestation(fresh: RegionOnChain) -> None:
    fresh.administer(
        AdminItem.register(ALICE, b"\1" * 32, KeyWord(ALICE, Role.CLIENT), "alice"),
        AdminItem.identity(ALICE, Domain.DOLLAR, 1, False, NEVER_S, bytes(32)),
        AdminItem.fund(DOLLAR, 1_000, 1, EVIDENCE),
    )

    assert skip_of(fresh, mint(1)) is SkipReason.ATTESTATION_STALE


def test_a_stale_attestation_stops_minting_and_nothing_else(region: RegionOnChain) -> None:
    region.now_s = state(region)["valid_until"] - 2
    assert skip_of(region, mint(1)) is None

    assert skip_of(region, mint(1)) is SkipReason.ATTESTATION_STALE
    assert skip_of(region, ValueItem(ValueKind.BURN, ALICE, NOBODY, 1, 0, DOLLAR)) is None
    region.administer(attest(region, 100_000))
    assert skip_of(region, mint(1)) is None


def test_funding_makes_room_and_a_release_takes_it(region: RegionOnChain) -> None:
    outcome = region.administer(AdminItem.fund(DOLLAR, 500, 1, EVIDENCE), AdminItem.release(DOLLAR, 200, 2, EVIDENCE))

    assert outcome.events("Token", region.tokens[DOLLAR], "ReserveFunded") == [(1, 500, EVIDENCE)]
    assert outcome.events("Token", region.tokens[DOLLAR], "ReserveReleased") == [(2, 200, EVIDENCE)]
    books = state(region)
    assert (books["funded"], books["released"], books["reserve"]) == (500, 200, 100_300)
    assert skip_of(region, mint(50_301)) is SkipReason.OVER_RESERVE
    assert skip_of(region, mint(50_300)) is None


def test_each_token_has_its_own_reserve(region: RegionOnChain) -> None:
    region.administer(AdminItem.fund(DOLLAR, 500, 1, EVIDENCE))

    assert state(region, GOLD)["reserve"] == 100_000
    assert skip_of(region, mint(80_001, CAROL, GOLD)) is SkipReason.OVER_RESERVE
    assert skip_of(region, AdminItem.fund(GOLD, 1, 1, EVIDENCE)) is None


@pytest.mark.parametrize("sequence", [0, 1, 3, 2**200])
def test_a_number_that_does_not_follow_is_skipped(region: RegionOnChain, sequence: int) -> None:
    region.administer(AdminItem.fund(DOLLAR, 5, 1, EVIDENCE))

    assert skip_of(region, AdminItem.fund(DOLLAR, 5, sequence, EVIDENCE)) is SkipReason.BAD_SEQUENCE
    assert skip_of(region, AdminItem.release(DOLLAR, 5, sequence, EVIDENCE)) is SkipReason.BAD_SEQUENCE
    assert state(region)["reserve"] == 100_005


@pytest.mark.parametrize("amount", [0, 2**96, 2**256 - 1])
def test_an_amount_of_nothing_or_too_much_is_skipped(region: RegionOnChain, amount: int) -> None:
    assert skip_of(region, AdminItem.fund(DOLLAR, amount, 1, EVIDENCE)) is SkipReason.BAD_ITEM
    assert skip_of(region, AdminItem.release(DOLLAR, amount, 1, EVIDENCE)) is SkipReason.BAD_ITEM
    assert state(region)["sequence"] == 0


class TestAttestation:
    """A later statement replaces an earlier one and says which movements it already counts."""

    def test_what_it_includes_is_not_counted_again_and_what_it_does_not_still_is(self, region: RegionOnChain) -> None:
        region.administer(
            AdminItem.fund(DOLLAR, 500, 1, EVIDENCE),
            AdminItem.release(DOLLAR, 200, 2, EVIDENCE),
            AdminItem.fund(DOLLAR, 70, 3, EVIDENCE),
        )

        assert skip_of(region, attest(region, 100_300, sequence=2)) is None

        books = state(region)
        assert (books["funded"], books["released"], books["reserve"]) == (70, 0, 100_370)
        assert (books["attested_sequence"], books["sequence"]) == (2, 3)

    def test_it_counts_no_movement_that_has_not_been_recorded_and_none_less_than_before(
        self, region: RegionOnChain
    ) -> None:
        region.administer(AdminItem.fund(DOLLAR, 5, 1, EVIDENCE), attest(region, 9, sequence=1))

        assert skip_of(region, attest(region, 9, sequence=2)) is SkipReason.BAD_SEQUENCE
        assert skip_of(region, attest(region, 9, sequence=0)) is SkipReason.BAD_SEQUENCE
        assert state(region)["attested_sequence"] == 1

    def test_less_than_the_supply_is_recorded_and_stops_minting(self, region: RegionOnChain) -> None:
        assert skip_of(region, attest(region, 40_000)) is None

        assert state(region)["reserve"] == 40_000
        assert region.supply(DOLLAR) == 50_000
        assert skip_of(region, mint(1)) is SkipReason.OVER_RESERVE

    def test_a_release_of_more_than_there_is_leaves_a_reserve_of_zero(self, region: RegionOnChain) -> None:
        assert skip_of(region, AdminItem.release(DOLLAR, 100_001, 1, EVIDENCE)) is None

        assert state(region)["reserve"] == 0
        assert skip_of(region, mint(1)) is SkipReason.OVER_RESERVE

    def test_its_times_must_make_sense(self, region: RegionOnChain) -> None:
        now, later = region.now_s, region.now_s + DAY_S
        bad = [
            AdminItem.attest(DOLLAR, 1, now - DAY_S, later, 0),  # older than the one in force
            AdminItem.attest(DOLLAR, 1, now + 1_000, later, 0),  # from the future
            AdminItem.attest(DOLLAR, 1, now, now, 0),  # already over
            AdminItem.attest(DOLLAR, 1, now, 2**40, 0),
            AdminItem.attest(DOLLAR, 2**96, now, later, 0),
        ]

        outcome = region.administer(*bad)

        assert outcome.skipped == dict.fromkeys(range(len(bad)), SkipReason.BAD_ITEM)
        assert state(region)["attested"] == 100_000

    def test_it_is_announced(self, region: RegionOnChain) -> None:
        now = region.now_s
        outcome = region.administer(AdminItem.attest(DOLLAR, 77, now, now + 9, 0))

        assert outcome.events("Token", region.tokens[DOLLAR], "ReserveAttested") == [(77, now, now + 9, 0)]


class TestAllowance:
    """What may be minted in a day is fixed when the token is deployed, whatever the reserve."""

    def test_a_day_has_one_allowance_and_the_next_day_another(self, region: RegionOnChain) -> None:
        region.administer(attest(region, 10 * DAILY_ALLOWANCE))
        region.now_s = (region.now_s // DAY_S + 1) * DAY_S
        assert region.token(DOLLAR, "mint_allowance") == (DAILY_ALLOWANCE, DAILY_ALLOWANCE)

        assert skip_of(region, mint(DAILY_ALLOWANCE)) is None
        assert skip_of(region, mint(1)) is SkipReason.MINT_ALLOWANCE_SPENT
        assert region.token(DOLLAR, "mint_allowance") == (DAILY_ALLOWANCE, 0)

        region.now_s += DAY_S
        assert skip_of(region, mint(DAILY_ALLOWANCE + 1)) is SkipReason.MINT_ALLOWANCE_SPENT
        assert skip_of(region, mint(5)) is None
        assert region.token(DOLLAR, "mint_allowance") == (DAILY_ALLOWANCE, DAILY_ALLOWANCE - 5)


@pytest.mark.parametrize(
    "item",
    [
        AdminItem.fund(3, 1, 1, EVIDENCE),
        AdminItem.release(254, 1, 1, EVIDENCE),
        AdminItem.attest(255, 1, 1, 2, 0),
    ],
)
def test_a_reserve_of_no_token_is_skipped(region: RegionOnChain, item: AdminItem) -> None:
    assert skip_of(region, item) is SkipReason.UNKNOWN_TOKEN
