"""Random lives of a region, step by step on chain and in the model: the same skips, the same books, always.

Besides the model, each step is held to what must be true of any token, whatever its code: balances add up to the
supply, minting stays within the reserve and each minter's allowance, what is frozen moves only by a seizure, what has
no identity does not move, and no item changes a token that it does not name.
"""

from __future__ import annotations

from typing import Any

import pytest
from books_model import Skip, TokenModel
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from region_on_chain import ALICE, BOB, CAROL, DAILY_ALLOWANCE, DAN, DAY_S, FEES, MINTER, TOKENS, RegionOnChain

from sdt.domain.batch import EVERY_TOKEN, AdminItem, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, NOBODY, Domain, KeyWord, Role

PEOPLE = (ALICE, BOB, CAROL, DAN)
HOLDERS = (*PEOPLE, FEES)
MINTERS = (MINTER, "0x" + "16" * 20)
UNKNOWN = len(TOKENS)

amounts = st.one_of(st.integers(0, 40), st.integers(1, 9), st.just(DAILY_ALLOWANCE))
token_places = st.sampled_from([0, 0, 0, 1, 1, 2, UNKNOWN])
known_places = st.integers(0, UNKNOWN - 1)
spans_s = st.sampled_from([3, DAY_S, NEVER_S])


people = st.sampled_from(HOLDERS)
anybody = st.sampled_from((*HOLDERS, NOBODY))
fees = st.integers(0, 3)


def items_of(kinds: Any, payers: Any, payees: Any, item_fees: Any = fees) -> st.SearchStrategy[list[ValueItem]]:
    item = st.builds(ValueItem, kinds, payers, payees, amounts, item_fees, token_places)
    return st.lists(item, min_size=1, max_size=8)


class RegionLife(RuleBasedStateMachine):
    """The same steps taken by the contracts and by the model."""

    deployed: RegionOnChain

    @initialize()
    def open_region(self) -> None:
        self.region = self.deployed.copy()
        self.model = [TokenModel(domain) for _, _, _, domain in TOKENS]
        self.region.administer(
            *(
                AdminItem.register(account, bytes([n] * 32), KeyWord(account, Role.CLIENT), f"user{n}")
                for n, account in enumerate(PEOPLE, 1)
            )
        )
        for domain in Domain:
            for account in PEOPLE[: 2 + domain]:
                self.identify(account, domain, 1, NEVER_S)
        for place in range(len(TOKENS)):
            self.attest(place, 3 * DAILY_ALLOWANCE // 2, NEVER_S, 0)
        places = [(place, account) for place in range(len(TOKENS)) for account in HOLDERS]
        self._settle([ValueItem(ValueKind.MINT, MINTER, account, 60, 0, place) for place, account in places])

    def _administer(self, item: AdminItem, expected: Skip) -> None:
        skipped = self.region.administer(item).skipped
        assert skipped.get(0) is expected, item

    @rule(items=items_of(st.just(ValueKind.TRANSFER), people, people))
    def settle_transfers(self, items: list[ValueItem]) -> None:
        self._settle(items)

    @rule(items=items_of(st.just(ValueKind.MINT), st.sampled_from(MINTERS), people, st.just(0)))
    def settle_mints(self, items: list[ValueItem]) -> None:
        self._settle(items)

    @rule(items=items_of(st.just(ValueKind.BURN), people, st.just(NOBODY)))
    def settle_burns(self, items: list[ValueItem]) -> None:
        self._settle(items)

    @rule(items=items_of(st.sampled_from(ValueKind), anybody, anybody))
    def settle_nonsense(self, items: list[ValueItem]) -> None:
        self._settle(items)

    def _settle(self, items: list[ValueItem]) -> None:
        before = [dict(token.balances) for token in self.model]
        stopped = [self._stopped(token, self.region.now_s + 1) for token in self.model]
        outcome = self.region.settle(*items)
        expected = {}
        for position, item in enumerate(items):
            if item.token >= len(self.model):
                expected[position] = 12
            elif (reason := self.model[item.token].settle(item, self.region.now_s)) is not None:
                expected[position] = int(reason)
        assert outcome.skipped == expected
        self._compare()
        for place, token in enumerate(self.model):
            done = [i for n, i in enumerate(items) if i.token == place and n not in expected]
            minted = sum(i.amount for i in done if i.kind is ValueKind.MINT)
            burned = sum(i.amount for i in done if i.kind is ValueKind.BURN)
            assert token.supply == sum(before[place].values()) + minted - burned
            assert not minted or token.supply <= token.reserve
            assert all(self.region.balance(place, a) == before[place].get(a, 0) for a in stopped[place])

    def _stopped(self, token: TokenModel, now_s: int) -> list[str]:
        return [
            account
            for account in HOLDERS
            if token.frozen_until.get(account, 0) > now_s or token.eligible_until.get(account, 0) <= now_s
        ]

    def teardown(self) -> None:
        self._compare()

    def _compare(self) -> None:
        for place, token in enumerate(self.model):
            balances = {account: self.region.balance(place, account) for account in (*HOLDERS, NOBODY)}
            assert balances == {account: token.balances.get(account, 0) for account in balances}
            assert self.region.supply(place) == sum(balances.values())
            assert self.region.token(place, "balances_of", [*HOLDERS, NOBODY]) == tuple(balances.values())
            assert self.region.token(place, "reserve_state")[7] == token.reserve
            for minter in MINTERS:
                left = self.region.token(place, "minter_allowance", minter)[2]
                assert left == token.minter_left(minter, self.region.now_s)

    @rule(account=st.sampled_from(PEOPLE), domain=st.sampled_from(Domain), tier=st.integers(0, 2), span_s=spans_s)
    def identify(self, account: str, domain: Domain, tier: int, span_s: int) -> None:
        until = min(self.region.now_s + span_s, NEVER_S)
        self.region.administer(AdminItem.identity(account, domain, tier, False, until, bytes(32)))
        for token in self.model:
            if token.domain == domain:
                token.eligible_until[account] = until if tier else 0

    @rule(account=st.sampled_from(HOLDERS), place=st.one_of(known_places, st.just(EVERY_TOKEN)), span_s=spans_s)
    def freeze(self, account: str, place: int, span_s: int) -> None:
        until = min(self.region.now_s + span_s, NEVER_S)
        for token in self._reached(place):
            token.frozen_until[account] = until
        self._administer(AdminItem.freeze(account, place, b"\1" * 32, until), None)

    @rule(account=st.sampled_from(HOLDERS), place=st.one_of(known_places, st.just(EVERY_TOKEN)))
    def unfreeze(self, account: str, place: int) -> None:
        for token in self._reached(place):
            token.frozen_until[account] = 0
        self._administer(AdminItem.unfreeze(account, place, b"\2" * 32), None)

    @rule(account=st.sampled_from(HOLDERS), to=st.sampled_from(HOLDERS), place=known_places, amount=st.integers(0, 80))
    def seize(self, account: str, to: str, place: int, amount: int) -> None:
        token = self.model[place]
        expected = token.seize(account, to, amount, self.region.now_s + 1)
        self._administer(AdminItem.seize(account, place, b"\3" * 32, to, amount), expected)
        self._compare()

    @rule(account=st.sampled_from(PEOPLE), to=st.sampled_from(PEOPLE), place=known_places, amount=st.integers(1, 80))
    def freeze_and_seize(self, account: str, to: str, place: int, amount: int) -> None:
        self.freeze(account, place, DAY_S)
        self.seize(account, to, place, amount)

    @rule(
        minter=st.sampled_from(MINTERS),
        place=known_places,
        limit=st.sampled_from([0, 5, 30, DAILY_ALLOWANCE]),
        period_s=st.sampled_from([3_600, DAY_S, 7 * DAY_S]),
    )
    def set_mint_allowance(self, minter: str, place: int, limit: int, period_s: int) -> None:
        self.model[place].set_mint_allowance(minter, limit, period_s, self.region.now_s + 1)
        self._administer(AdminItem.mint_allowance(minter, place, limit, period_s), None)

    @rule(place=st.one_of(known_places, st.just(EVERY_TOKEN)), paused=st.booleans())
    def pause(self, place: int, paused: bool) -> None:
        for token in self._reached(place):
            token.paused = paused
        self._administer(AdminItem.pause(place, paused), None)

    @rule(place=known_places, amount=amounts, span_s=spans_s, back=st.integers(-1, 2))
    def attest(self, place: int, amount: int, span_s: int, back: int) -> None:
        token, valid_until_s = self.model[place], min(self.region.now_s + span_s, NEVER_S)
        sequence = max(0, len(token.movements) - back)
        expected = token.attest(amount, valid_until_s, sequence)
        self._administer(AdminItem.attest(place, amount, self.region.now_s, valid_until_s, sequence), expected)

    @rule(place=known_places, amount=amounts, enters=st.booleans(), ahead=st.sampled_from([1, 1, 1, 0, 2]))
    def move_reserve(self, place: int, amount: int, enters: bool, ahead: int) -> None:
        token = self.model[place]
        sequence = len(token.movements) + ahead
        make: Any = AdminItem.fund if enters else AdminItem.release
        expected = token.move_reserve(amount if enters else -amount, sequence)
        self._administer(make(place, amount, sequence, bytes(32)), expected)

    @rule(span_s=st.sampled_from([1, 2, 3_600, DAY_S]))
    def time_passes(self, span_s: int) -> None:
        self.region.now_s += span_s

    def _reached(self, place: int) -> list[TokenModel]:
        return self.model if place == EVERY_TOKEN else [self.model[place]]


@pytest.mark.slow
def test_the_contracts_keep_the_same_books_as_the_model(deployed: RegionOnChain) -> None:
    machine = type("RegionLife", (RegionLife,), {"deployed": deployed})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],  # explaining would trace every line of the EVM
            suppress_health_check=list(HealthCheck),
        ),
    )
