"""What explorers and auditors read: a region's tokens, an account everywhere, many accounts at once."""

from __future__ import annotations

from region_on_chain import ALICE, BOB, CAROL, DAN, DOLLAR, FEES, GOLD, TOKENS, RegionOnChain

from sdt.domain.batch import AdminItem
from sdt.domain.registry import NEVER_S, NOBODY

ORDER = b"\x0d" * 32


def test_one_call_shows_every_token_of_the_region(region: RegionOnChain) -> None:
    region.administer(AdminItem.pause(GOLD, True), AdminItem.fund(GOLD, 5, 1, ORDER))

    states = region.read("Settlement", region.settlement, "token_states")

    valid_until = region.token(DOLLAR, "reserve_state")[2]
    assert [state[:5] for state in states] == [
        (region.tokens[place], domain, symbol, decimals, place == GOLD)
        for place, (_, symbol, decimals, domain) in enumerate(TOKENS)
    ]
    assert [state[5:] for state in states] == [
        (50_000, 100_000, valid_until),
        (20_000, 100_005, valid_until),
        (0, 100_000, valid_until),
    ]


def test_one_call_shows_an_account_in_every_token(region: RegionOnChain) -> None:
    region.administer(AdminItem.freeze(ALICE, GOLD, ORDER, NEVER_S))

    assert region.read("Settlement", region.settlement, "holdings_of", ALICE) == (
        (50_000, NEVER_S, 0, bytes(32)),
        (0, 0, NEVER_S, ORDER),
        (0, 0, 0, bytes(32)),
    )


def test_one_call_shows_many_accounts(region: RegionOnChain) -> None:
    people = [ALICE, BOB, CAROL, DAN, FEES, NOBODY, ALICE]

    assert region.token(DOLLAR, "balances_of", people) == tuple(region.balance(DOLLAR, a) for a in people)
    assert region.token(DOLLAR, "account_states", people) == tuple(
        region.token(DOLLAR, "account_state", account) for account in people
    )
    assert region.token(DOLLAR, "balances_of", []) == ()
    assert region.token(DOLLAR, "balances_of", [ALICE] * 500) == (50_000,) * 500
