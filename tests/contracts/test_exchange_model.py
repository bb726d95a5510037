"""Random lives of two regions with gates between them, on chain and in the model: the same skips, the same books.

Besides the model, each step is held to what must be true whatever the code: no supply changes by an exchange, value
enters or leaves a region's token only with a leg of an exchange that settled, a token's own users never gain or lose
by another pair's exchange, and in a day no more passes a gate than its cap.
"""

from __future__ import annotations

from typing import Any

import pytest
from books_model import TokenModel
from exchange_model import GateModel, exchange
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from region_on_chain import ALICE, BOB, DAY_S, DOLLAR, GOLD, RegionOnChain
from two_regions import POOL, START, STRANGER, TwoRegions, gate

from sdt.domain.batch import AdminItem, ExchangeItem, GateSide, SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, NOBODY, Domain

HOLDERS = (ALICE, BOB, POOL)
TOKENS = (DOLLAR, GOLD)
TEXAS, OKLAHOMA = 0, 1
DOMAINS = {DOLLAR: Domain.DOLLAR, GOLD: Domain.CASH}
CAPS = (0, 40, 200, 10**6)

sides = st.sampled_from(GateSide)
where = st.sampled_from([TEXAS, OKLAHOMA])
people = st.sampled_from(HOLDERS)
tokens = st.sampled_from(TOKENS)
spans_s = st.sampled_from([4, DAY_S, NEVER_S])
rates = st.sampled_from([(3, 2), (1, 1), (1, 3)])
amounts = st.sampled_from([*range(1, 31), 60, 0, START, START + 1])
payers = st.sampled_from((ALICE, BOB, ALICE, BOB, POOL, STRANGER))
payees = st.sampled_from((ALICE, BOB, ALICE, BOB, POOL, STRANGER, NOBODY))
Order = tuple[str, int, str, int, int, int]
orders = st.lists(
    st.tuples(payers, amounts, payees, st.sampled_from([0] * 6 + [-1, 1]), tokens, tokens), min_size=1, max_size=6
)
GateKey = tuple[int, int, int, GateSide]


class TwoLives(RuleBasedStateMachine):
    """The same steps taken by both regions' contracts and by the model."""

    pair: TwoRegions

    @initialize()
    def begin(self) -> None:
        self.both = self.pair.copy()
        self.regions = (self.both.texas, self.both.oklahoma)
        eligible = dict.fromkeys(HOLDERS, NEVER_S)
        self.model = [
            {t: TokenModel(DOMAINS[t], dict.fromkeys(HOLDERS, START), dict(eligible)) for t in TOKENS} for _ in range(2)
        ]
        self.gates: dict[GateKey, GateModel] = {}
        self.open_both_sides(TEXAS, DOLLAR, GOLD, (3, 2), 10**6)

    def _gate(self, region: int, own: int, theirs: int, side: GateSide) -> GateModel:
        return self.gates.setdefault((region, own, theirs, side), GateModel())

    def _set_gate(
        self, region: int, own: int, theirs: int, side: GateSide, rate: tuple[int, int], cap: int, until: int
    ) -> None:
        bought, sold = rate
        values: dict[str, Any] = {"pool": POOL, "daily_cap": cap, "bought": bought, "sold": sold, "expires_s": until}
        item = gate(self.regions[1 - region], side, own, theirs, **values)
        good = until == 0 or cap > 0
        skipped = self.regions[region].administer(item).skipped
        assert skipped == ({} if good else {0: SkipReason.BAD_ITEM})
        if good:
            known = self._gate(region, own, theirs, side)
            known.pool, known.daily_cap, known.expires_s = POOL, cap, until
            known.bought, known.sold = bought, sold

    @rule(region=where, own=tokens, theirs=tokens, side=sides, rate=rates, cap=st.sampled_from(CAPS), span_s=spans_s)
    def open_gate(
        self, region: int, own: int, theirs: int, side: GateSide, rate: tuple[int, int], cap: int, span_s: int
    ) -> None:
        self._set_gate(region, own, theirs, side, rate, cap, min(self.both.texas.now_s + span_s, NEVER_S))

    @rule(region=where, own=tokens, theirs=tokens, rate=rates, cap=st.sampled_from([10**6, 90]))
    def open_both_sides(self, region: int, own: int, theirs: int, rate: tuple[int, int], cap: int) -> None:
        self._set_gate(region, own, theirs, GateSide.TAKES, rate, cap, NEVER_S)
        self._set_gate(1 - region, theirs, own, GateSide.PAYS, rate, cap, NEVER_S)

    @rule(region=where, own=tokens, theirs=tokens, side=sides)
    def close_gate(self, region: int, own: int, theirs: int, side: GateSide) -> None:
        self._set_gate(region, own, theirs, side, (1, 1), 1, 0)

    @rule(region=where, orders=orders)
    def exchange(self, region: int, orders: list[Order]) -> None:
        items = []
        for payer, sold, payee, off, sells, buys in orders:
            takes = self._gate(region, sells, buys, GateSide.TAKES)
            fair = takes.fair(sold) if takes.sold else sold
            peer = self.regions[1 - region].settlement
            items.append(ExchangeItem(payer, sold, payee, max(0, fair + (off if sold > 20 else 0)), peer, sells, buys))
        before = [{t: dict(token.balances) for t, token in side.items()} for side in self.model]
        outcome = self.regions[region].exchange(*items)
        expected = {}
        for position, item in enumerate(items):
            reason = self._exchange(region, item)
            if reason is not None:
                expected[position] = reason
        assert outcome.skipped == expected
        self._compare()
        self._conserved(region, [item for n, item in enumerate(items) if n not in expected], before)

    @rule(region=where, sells=tokens, buys=tokens, orders=orders, cap=st.sampled_from([10**6, 90]))
    def exchange_through_open_gates(self, region: int, sells: int, buys: int, orders: list[Order], cap: int) -> None:
        self.open_both_sides(region, sells, buys, (3, 2), cap)
        for side, place in ((region, sells), (1 - region, buys)):
            self.pause(side, place, False)
            for account in HOLDERS:
                self.freeze(side, place, account, False)
                self.identify(side, place, account, 1)
        self.exchange(region, [(payer, sold, payee, off, sells, buys) for payer, sold, payee, off, _, _ in orders])

    def _exchange(self, region: int, item: ExchangeItem) -> SkipReason | None:
        return exchange(
            self._gate(region, item.sells, item.buys, GateSide.TAKES),
            self._gate(1 - region, item.buys, item.sells, GateSide.PAYS),
            self.model[region][item.sells],
            self.model[1 - region][item.buys],
            item.payer,
            item.sold,
            item.payee,
            item.bought,
            self.both.texas.now_s,
        )

    def _conserved(self, region: int, done: list[ExchangeItem], before: list[dict[int, dict[str, int]]]) -> None:
        """The pools gained and paid exactly the settled legs; every supply is what it was."""
        for side, model in enumerate(self.model):
            for place, token in model.items():
                assert self.regions[side].supply(place) == sum(before[side][place].values()) == token.supply
                took = sum(i.sold for i in done if side == region and i.sells == place)
                paid = sum(i.bought for i in done if side != region and i.buys == place)
                assert self.regions[side].balance(place, POOL) == before[side][place][POOL] + took - paid

    @rule(region=where, place=tokens, payer=people, payee=people, amount=amounts)
    def pay(self, region: int, place: int, payer: str, payee: str, amount: int) -> None:
        item = ValueItem(ValueKind.TRANSFER, payer, payee, amount, 0, place)
        outcome = self.regions[region].settle(item)
        assert outcome.skipped.get(0) is self.model[region][place].settle(item, self.both.texas.now_s)
        self._compare()

    @rule(region=where, place=tokens, account=people, frozen=st.booleans())
    def freeze(self, region: int, place: int, account: str, frozen: bool) -> None:
        make = AdminItem.freeze(account, place, b"\1" * 32, NEVER_S)
        item = make if frozen else AdminItem.unfreeze(account, place, b"\1" * 32)
        assert not self.regions[region].administer(item).skipped
        self.model[region][place].frozen_until[account] = NEVER_S if frozen else 0

    @rule(region=where, place=tokens, paused=st.booleans())
    def pause(self, region: int, place: int, paused: bool) -> None:
        assert not self.regions[region].administer(AdminItem.pause(place, paused)).skipped
        self.model[region][place].paused = paused

    @rule(region=where, place=tokens, account=people, tier=st.sampled_from([1, 1, 0]))
    def identify(self, region: int, place: int, account: str, tier: int) -> None:
        item = AdminItem.identity(account, DOMAINS[place], tier, True, NEVER_S, bytes(32))
        assert not self.regions[region].administer(item).skipped
        self.model[region][place].eligible_until[account] = NEVER_S if tier else 0

    @rule(span_s=st.sampled_from([1, DAY_S]))
    def time_passes(self, span_s: int) -> None:
        self.both.texas.now_s += span_s

    def _compare(self) -> None:
        for region, model in zip(self.regions, self.model, strict=True):
            for place, token in model.items():
                accounts = (*HOLDERS, STRANGER)
                balances = tuple(token.balances.get(account, 0) for account in accounts)
                assert region.token(place, "balances_of", accounts) == balances
        now_s = self.both.texas.now_s
        for (side, own, theirs, way), known in self.gates.items():
            region, peer = self.regions[side], self.regions[1 - side].settlement
            left = max(0, known.daily_cap - known.today(now_s))
            assert self._state(region, peer, own, theirs, way) == (left, known.expires_s > now_s)

    def _state(self, region: RegionOnChain, peer: str, own: int, theirs: int, side: GateSide) -> tuple[int, bool]:
        found = region.read("Settlement", region.settlement, "gate", peer, own, theirs, int(side))
        return found[2], found[6]


@pytest.mark.slow
def test_two_regions_keep_the_same_books_as_the_model() -> None:
    machine = type("TwoLives", (TwoLives,), {"pair": TwoRegions.deployed()})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],  # explaining would trace every line of the EVM
            suppress_health_check=list(HealthCheck),
        ),
    )
