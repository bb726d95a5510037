"""Exchange between regions: both legs or neither, only through gates that both have opened, and by no other path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed
from region_on_chain import ALICE, BOB, DAY_S, DOLLAR, GOLD, SILVER, Key, Outcome, RegionOnChain, call_data
from two_regions import CAP, POOL, START, STRANGER, TwoRegions, gate

from sdt.domain.batch import (
    EVERY_TOKEN,
    AdminItem,
    ExchangeItem,
    GateSide,
    SkipReason,
    ValueItem,
    ValueKind,
    exchange_calldata,
    exchange_gas_limit,
    pack_exchange_items,
    settle_calldata,
)
from sdt.domain.registry import NEVER_S, NOBODY, Domain

ORDER = b"\x0d" * 32


@pytest.fixture(scope="session")
def deployed_pair() -> TwoRegions:
    return TwoRegions.deployed()


@pytest.fixture
def both(deployed_pair: TwoRegions) -> TwoRegions:
    """Two regions without a gate."""
    return deployed_pair.copy()


@pytest.fixture(scope="session")
def opened_pair(deployed_pair: TwoRegions) -> TwoRegions:
    return deployed_pair.copy().open()


@pytest.fixture
def open_pair(opened_pair: TwoRegions) -> TwoRegions:
    """Two regions with a gate each: Texas's dollars buy Oklahoma's gold."""
    return opened_pair.copy()


def test_both_legs_move_and_no_supply_changes(open_pair: TwoRegions) -> None:
    texas, oklahoma = open_pair.texas, open_pair.oklahoma
    supplies = [r.supply(t) for r in (texas, oklahoma) for t in (DOLLAR, GOLD)]

    outcome = texas.exchange(open_pair.item(200, 300))

    assert outcome.skipped == {}
    assert [texas.balance(DOLLAR, a) for a in (ALICE, POOL)] == [START - 200, START + 200]
    assert [oklahoma.balance(GOLD, a) for a in (BOB, POOL)] == [START + 300, START - 300]
    assert open_pair.transfers(outcome) == [(ALICE, POOL, 200), (POOL, BOB, 300)]
    assert [r.supply(t) for r in (texas, oklahoma) for t in (DOLLAR, GOLD)] == supplies


def test_both_regions_announce_it(open_pair: TwoRegions) -> None:
    texas, oklahoma = open_pair.texas, open_pair.oklahoma
    outcome = texas.exchange(open_pair.item(200, 300))

    assert outcome.events("Settlement", texas.settlement, "Exchanged") == [
        (texas.number, ALICE, oklahoma.settlement, DOLLAR, 200, GOLD, BOB, 300)
    ]
    assert outcome.events("Settlement", oklahoma.settlement, "ExchangePaid") == [
        (texas.settlement, BOB, DOLLAR, 200, GOLD, 300)
    ]
    assert outcome.settled.count == 1


def test_an_exchange_advances_the_same_head_and_not_the_other_regions(open_pair: TwoRegions) -> None:
    oklahoma = open_pair.oklahoma
    open_pair.texas.exchange(open_pair.item())

    assert open_pair.texas.settle(ValueItem(ValueKind.TRANSFER, ALICE, BOB, 1, 0, DOLLAR)).skipped == {}
    assert oklahoma.read("Settlement", oklahoma.settlement, "number") == oklahoma.number
    assert oklahoma.settle(ValueItem(ValueKind.TRANSFER, BOB, ALICE, 1, 0, GOLD)).skipped == {}


def test_a_bad_item_is_skipped_and_the_others_go_on(open_pair: TwoRegions) -> None:
    good, item = open_pair.item(), open_pair.item
    outcome = open_pair.texas.exchange(
        good, item(sold=0), good, item(payee=STRANGER), item(START, 3 * START // 2), good
    )

    assert outcome.skipped == {
        1: SkipReason.BAD_ITEM,
        3: SkipReason.PAYEE_NOT_ELIGIBLE,
        4: SkipReason.GATE_CAP_SPENT,
    }
    assert open_pair.texas.balance(DOLLAR, ALICE) == START - 600
    assert open_pair.oklahoma.balance(GOLD, BOB) == START + 900


class TestGates:
    """Nothing passes unless each region has opened its own gate for that pair, in that direction, at that time."""

    def test_not_without_any(self, both: TwoRegions) -> None:
        assert both.reason(both.item()) is SkipReason.GATE_CLOSED

    def test_not_with_only_one_side_open(self, both: TwoRegions) -> None:
        other = both.copy()
        both.texas.administer(both.takes())
        other.oklahoma.administer(other.pays())

        for pair in (both, other):
            assert pair.reason(pair.item()) is SkipReason.GATE_CLOSED

    @pytest.mark.parametrize("side", GateSide)
    def test_not_once_one_side_closes_it(self, open_pair: TwoRegions, side: GateSide) -> None:
        close = {"pool": NOBODY, "daily_cap": 0, "bought": 0, "sold": 0, "expires_s": 0}
        if side is GateSide.TAKES:
            open_pair.texas.administer(open_pair.takes(**close))
        else:
            open_pair.oklahoma.administer(open_pair.pays(**close))

        assert open_pair.reason(open_pair.item()) is SkipReason.GATE_CLOSED

    @pytest.mark.parametrize("side", GateSide)
    def test_not_once_one_side_is_over(self, open_pair: TwoRegions, side: GateSide) -> None:
        end = open_pair.texas.now_s + 100
        if side is GateSide.TAKES:
            open_pair.texas.administer(open_pair.takes(expires_s=end))
        else:
            open_pair.oklahoma.administer(open_pair.pays(expires_s=end))
        open_pair.texas.now_s = end - 2
        assert open_pair.reason(open_pair.item()) is None
        assert open_pair.reason(open_pair.item()) is SkipReason.GATE_CLOSED

    def test_not_the_other_way_round_nor_for_another_pair(self, open_pair: TwoRegions) -> None:
        item = open_pair.item()
        backwards = ExchangeItem(BOB, 200, ALICE, 300, open_pair.texas.settlement, GOLD, DOLLAR)

        assert open_pair.oklahoma.exchange(backwards).skipped == {0: SkipReason.GATE_CLOSED}
        for pair in ({"sells": GOLD}, {"buys": DOLLAR}, {"buys": SILVER}, {"peer": STRANGER}, {"peer": NOBODY}):
            assert open_pair.reason(changed(item, **pair)) is SkipReason.GATE_CLOSED
        assert open_pair.reason(changed(item, peer=open_pair.texas.settlement)) is SkipReason.GATE_CLOSED

    def test_a_gate_is_for_one_token_of_theirs(self, open_pair: TwoRegions) -> None:
        """The other side's gate is open for the wrong pair, so that only this side's own gate stands in the way."""
        other = open_pair.copy()
        # Texas takes dollars for gold alone, though Oklahoma would pay silver for dollars
        wrong = gate(open_pair.texas, GateSide.PAYS, SILVER, DOLLAR)
        assert not open_pair.oklahoma.administer(wrong).skipped
        assert open_pair.reason(changed(open_pair.item(), buys=SILVER)) is SkipReason.GATE_CLOSED
        # Oklahoma pays gold for dollars alone, though Texas would take gold for it
        assert not other.texas.administer(gate(other.oklahoma, GateSide.TAKES, GOLD, GOLD)).skipped
        assert other.reason(changed(other.item(), sells=GOLD)) is SkipReason.GATE_CLOSED

    def test_not_beyond_the_cap_of_either_side(self, open_pair: TwoRegions) -> None:
        assert open_pair.reason(open_pair.item(CAP + 1, (CAP + 1) * 3 // 2)) is SkipReason.GATE_CAP_SPENT
        # the pool of the other pays half as much again, so its cap is reached first
        assert open_pair.reason(open_pair.item(6_000, 9_000)) is None
        assert [open_pair.left(side) for side in GateSide] == [CAP - 6_000, CAP - 9_000]
        assert open_pair.reason(open_pair.item(668, 1_002)) is SkipReason.GATE_CAP_SPENT
        assert open_pair.reason(open_pair.item(666, 999)) is None
        assert open_pair.reason(open_pair.item(2, 3)) is SkipReason.GATE_CAP_SPENT

    def test_a_cap_begins_anew_with_the_day_and_not_with_the_gate(self, open_pair: TwoRegions) -> None:
        assert open_pair.reason(open_pair.item(6_666, 9_999)) is None
        open_pair.oklahoma.administer(open_pair.pays())
        assert open_pair.left(GateSide.PAYS) == 1
        assert open_pair.reason(open_pair.item(2, 3)) is SkipReason.GATE_CAP_SPENT
        open_pair.texas.now_s += DAY_S
        assert open_pair.reason(open_pair.item(6_666, 9_999)) is None

    def test_a_skipped_item_leaves_the_cap(self, open_pair: TwoRegions) -> None:
        assert open_pair.reason(open_pair.item(200, 300, payee=STRANGER)) is SkipReason.PAYEE_NOT_ELIGIBLE
        assert [open_pair.left(side) for side in GateSide] == [CAP, CAP]

    @pytest.mark.parametrize(("sold", "bought"), [(200, 301), (200, 299), (1, 2), (3, 5), (1, 300), (200, 1)])
    def test_not_off_the_rate(self, open_pair: TwoRegions, sold: int, bought: int) -> None:
        assert open_pair.reason(open_pair.item(sold, bought)) is SkipReason.GATE_RATE

    @pytest.mark.parametrize(("sold", "bought"), [(1, 1), (2, 3), (3, 4), (5, 7)])
    def test_the_rate_is_rounded_down(self, open_pair: TwoRegions, sold: int, bought: int) -> None:
        assert open_pair.reason(open_pair.item(sold, bought)) is None

    def test_each_region_guards_its_own(self, open_pair: TwoRegions) -> None:
        """Texas demands at least its rate for its account; Oklahoma's pool gives at most its own."""
        open_pair.texas.administer(open_pair.takes(bought=1, sold=1))
        assert open_pair.reason(open_pair.item(200, 199)) is SkipReason.GATE_RATE
        assert open_pair.reason(open_pair.item(200, 200)) is None
        assert open_pair.reason(open_pair.item(200, 300)) is None
        assert open_pair.reason(open_pair.item(200, 301)) is SkipReason.GATE_RATE

    def test_a_gate_is_announced_and_read(self, both: TwoRegions) -> None:
        outcome = both.oklahoma.administer(both.pays(expires_s=both.texas.now_s + 9))
        until, peer, settlement = both.texas.now_s + 8, both.texas.settlement, both.oklahoma.settlement

        assert outcome.events("Settlement", settlement, "GateSet") == [
            (peer, GOLD, GateSide.PAYS, DOLLAR, POOL, CAP, 3, 2, until)
        ]
        assert both.oklahoma.read("Settlement", settlement, "gate", peer, GOLD, DOLLAR, 2) == (
            POOL,
            CAP,
            CAP,
            3,
            2,
            until,
            True,
        )
        assert both.oklahoma.read("Settlement", settlement, "gate", peer, GOLD, DOLLAR, 1)[-1] is False

    def test_what_is_malformed_is_skipped(self, both: TwoRegions) -> None:
        good = both.takes()
        pool_and_cap, rate, expires = good.words
        bad = [
            replace(good, account=NOBODY),
            replace(good, account=STRANGER),  # no contract
            replace(good, account=both.texas.settlement),  # itself
            replace(good, param=0 << 16 | GOLD),
            replace(good, param=3 << 16 | GOLD),
            replace(good, param=(1 << 8 | 1) << 16 | GOLD),
            replace(good, words=(bytes(20) + pool_and_cap[20:], rate, expires)),
            replace(good, words=(pool_and_cap[:20] + bytes(12), rate, expires)),
            replace(good, words=(pool_and_cap, bytes(16) + rate[16:], expires)),
            replace(good, words=(pool_and_cap, rate[:16] + bytes(16), expires)),
            both.takes(expires_s=both.texas.now_s),
            both.takes(expires_s=2**40),
        ]
        outcome = both.texas.administer(*bad, replace(good, token=3), replace(good, token=EVERY_TOKEN))

        assert list(outcome.skipped.values()) == [SkipReason.BAD_ITEM] * len(bad) + [SkipReason.UNKNOWN_TOKEN] * 2
        assert both.reason(both.item()) is SkipReason.GATE_CLOSED


class TestLegs:
    """What stops either leg stops both."""

    def test_the_payer(self, open_pair: TwoRegions) -> None:
        texas = open_pair.texas
        assert open_pair.reason(open_pair.item(payer=STRANGER)) is SkipReason.PAYER_NOT_ELIGIBLE
        texas.settle(ValueItem(ValueKind.TRANSFER, ALICE, BOB, START - 199, 0, DOLLAR))
        assert open_pair.reason(open_pair.item()) is SkipReason.INSUFFICIENT_FUNDS
        texas.administer(AdminItem.freeze(ALICE, DOLLAR, ORDER, NEVER_S))
        assert open_pair.reason(open_pair.item()) is SkipReason.PAYER_FROZEN

    def test_the_payee(self, open_pair: TwoRegions) -> None:
        open_pair.oklahoma.administer(AdminItem.freeze(BOB, GOLD, ORDER, NEVER_S))
        assert open_pair.reason(open_pair.item()) is SkipReason.PAYEE_FROZEN
        open_pair.oklahoma.administer(
            AdminItem.unfreeze(BOB, GOLD, ORDER), AdminItem.identity(BOB, Domain.CASH, 0, False, 0, bytes(32))
        )
        assert open_pair.reason(open_pair.item()) is SkipReason.PAYEE_NOT_ELIGIBLE

    def test_the_taking_pool(self, open_pair: TwoRegions) -> None:
        open_pair.texas.administer(AdminItem.freeze(POOL, DOLLAR, ORDER, NEVER_S))
        assert open_pair.reason(open_pair.item()) is SkipReason.POOL_UNAVAILABLE

    def test_the_paying_pool(self, open_pair: TwoRegions) -> None:
        oklahoma = open_pair.oklahoma
        oklahoma.settle(ValueItem(ValueKind.TRANSFER, POOL, ALICE, START - 299, 0, GOLD))
        assert open_pair.reason(open_pair.item()) is SkipReason.POOL_UNAVAILABLE
        assert open_pair.reason(open_pair.item(100, 150)) is None
        oklahoma.administer(AdminItem.freeze(POOL, GOLD, ORDER, NEVER_S))
        assert open_pair.reason(open_pair.item(2, 3)) is SkipReason.POOL_UNAVAILABLE
        oklahoma.administer(
            AdminItem.unfreeze(POOL, GOLD, ORDER), AdminItem.identity(POOL, Domain.CASH, 0, False, 0, bytes(32))
        )
        assert open_pair.reason(open_pair.item(2, 3)) is SkipReason.POOL_UNAVAILABLE

    def test_a_pause_in_either_region(self, open_pair: TwoRegions) -> None:
        other = open_pair.copy()
        open_pair.texas.administer(AdminItem.pause(DOLLAR, True))
        other.oklahoma.administer(AdminItem.pause(GOLD, True))

        for pair in (open_pair, other):
            assert pair.reason(pair.item()) is SkipReason.PAUSED

    def test_what_is_malformed(self, open_pair: TwoRegions) -> None:
        item = open_pair.item
        for bad in (item(sold=0), item(bought=0), item(payer=NOBODY), item(payer=POOL), item(payee=NOBODY)):
            assert open_pair.reason(bad) is SkipReason.BAD_ITEM
        assert open_pair.reason(item(payee=POOL)) is SkipReason.BAD_ITEM
        assert open_pair.reason(changed(item(), sells=3)) is SkipReason.UNKNOWN_TOKEN

    def test_bytes_after_the_tokens(self, open_pair: TwoRegions) -> None:
        packed = pack_exchange_items([open_pair.item()])[:-1] + b"\1"
        texas = open_pair.texas
        good = exchange_calldata(texas.number + 1, texas.head, ORDER, texas.now_s + 60, [open_pair.item()])
        outcome = texas.send(texas.chain_key, texas.settlement, good[: -len(packed)] + packed)

        assert outcome.skipped == {0: SkipReason.BAD_ITEM}


class TestNoOtherPath:
    """Value leaves a domain or a region through `exchange` and its gates, and not otherwise."""

    def test_nobody_pays_from_a_pool_but_the_peer(self, open_pair: TwoRegions) -> None:
        texas, oklahoma = open_pair.texas, open_pair.oklahoma
        before = open_pair.books()
        arguments = (DOLLAR, GOLD, 200, BOB, 300)
        for key in (texas.chain_key, oklahoma.chain_key, texas.deployer, texas.stranger):
            outcome = oklahoma.write(key, "Settlement", oklahoma.settlement, "pay", *arguments)
            assert outcome.error is None
            assert not open_pair.transfers(outcome)
        assert open_pair.books() == before

    def test_legs_are_carried_out_by_settlement_itself_alone(self, open_pair: TwoRegions) -> None:
        texas = open_pair.texas
        packed = pack_exchange_items([open_pair.item()])
        words = [int.from_bytes(packed[at : at + 32], "big") for at in (0, 32, 64)]
        for key in (texas.chain_key, texas.deployer, texas.stranger):
            outcome = texas.write(key, "Settlement", texas.settlement, "carry_out", 1, *words)
            assert outcome.error == "settlement: only itself"

    def test_an_exchange_comes_from_the_chain_key_at_its_place(self, open_pair: TwoRegions) -> None:
        texas, oklahoma = open_pair.texas, open_pair.oklahoma
        number, head, end = texas.number, texas.head, texas.now_s + 60
        items = [open_pair.item()]

        def sent(key: Key, *place: Any) -> str | None:
            return texas.send(key, texas.settlement, exchange_calldata(*place, items)).error

        assert sent(oklahoma.chain_key, number + 1, head, ORDER, end) == "settlement: not the chain key"
        assert sent(texas.chain_key, number, head, ORDER, end) == "settlement: number"
        assert sent(texas.chain_key, number + 1, ORDER, ORDER, end) == "settlement: parent"
        assert sent(texas.chain_key, number + 1, head, ORDER, texas.now_s) == "settlement: deadline"

    def test_it_is_whole_items_and_some(self, open_pair: TwoRegions) -> None:
        texas = open_pair.texas
        for packed in (b"", bytes(95), bytes(97)):
            values = (texas.number + 1, texas.head, ORDER, texas.now_s + 60, packed)
            outcome = texas.write(texas.chain_key, "Settlement", texas.settlement, "exchange", *values)
            assert outcome.error == "settlement: length"

    def test_no_value_item_reaches_another_regions_token(self, open_pair: TwoRegions) -> None:
        before = open_pair.books()
        for place in (len(open_pair.texas.tokens), 255, 2**16 - 1):
            outcome = open_pair.texas.settle(ValueItem(ValueKind.TRANSFER, POOL, ALICE, 1, 0, place))
            assert outcome.skipped == {0: SkipReason.UNKNOWN_TOKEN}
        assert open_pair.books() == before

    def test_a_token_obeys_its_own_settlement_alone(self, open_pair: TwoRegions) -> None:
        """The other region's Settlement cannot write to a token: it can only ask `pay` of its Settlement."""
        gold = open_pair.oklahoma.tokens[GOLD]
        assert open_pair.oklahoma.read("Token", gold, "settlement") == open_pair.oklahoma.settlement
        for key in (open_pair.texas.chain_key, open_pair.oklahoma.chain_key):
            outcome = open_pair.oklahoma.write(
                key, "Token", gold, "settle", int(POOL, 16) << 96 | 1, int(ALICE, 16) << 96
            )
            assert outcome.error == "token: only settlement"


class TestHostilePeer:
    """Another region's contract may refuse, lie or burn gas: it stops its own item and nothing else."""

    @pytest.fixture
    def peer(self, both: TwoRegions, request: pytest.FixtureRequest) -> tuple[TwoRegions, str]:
        address = deploy_code(both.texas, bytes.fromhex(request.param))
        item = both.takes()
        assert not both.texas.administer(replace(item, account=address)).skipped
        return both, address

    @pytest.mark.parametrize(
        "peer",
        [
            "60006000fd",  # reverts without a word
            "5b600056",  # burns all its gas
            "00",  # answers nothing
            "60ff60005260206000f3",  # answers an unknown reason
            "63ffffffff60005260206000fd",  # reverts with an unknown reason
            "600060005260206000fd",  # reverts and says that all is well
            "60ff600052620190006000f3",  # answers a hundred kilobytes
        ],
        indirect=True,
        ids=["revert", "burn", "silent", "unknown", "unknown-revert", "zero-revert", "huge"],
    )
    def test_it_stops_its_own_item_only(self, peer: tuple[TwoRegions, str]) -> None:
        both, address = peer
        both.open()
        hostile = changed(both.item(), peer=address)
        items = [hostile, both.item(), hostile]
        before = both.texas.balance(DOLLAR, ALICE)

        outcome = both.texas.exchange(*items, gas=exchange_gas_limit(items))

        assert outcome.skipped == dict.fromkeys((0, 2), SkipReason.EXCHANGE_FAILED)
        assert both.texas.balance(DOLLAR, ALICE) == before - 200
        assert both.oklahoma.balance(GOLD, BOB) == START + 300

    @pytest.mark.parametrize("peer", ["600160005260206000f3"], indirect=True, ids=["reason-1"])
    def test_a_known_reason_is_passed_on(self, peer: tuple[TwoRegions, str]) -> None:
        both, address = peer

        assert both.reason(changed(both.item(), peer=address)) is SkipReason.INSUFFICIENT_FUNDS

    @pytest.mark.parametrize("peer", ["600060005260206000f3"], indirect=True, ids=["liar"])
    def test_a_liar_takes_what_the_pool_took_and_no_more(self, peer: tuple[TwoRegions, str]) -> None:
        """A region that opens a gate trusts that contract's code, up to the cap of a day; other tokens stay."""
        both, address = peer
        assert both.reason(changed(both.item(), peer=address, buys=SILVER)) is SkipReason.GATE_CLOSED
        for _ in range(CAP // 200):
            assert both.reason(changed(both.item(), peer=address)) is None
        assert both.reason(changed(both.item(), peer=address)) is SkipReason.GATE_CAP_SPENT
        assert both.texas.balance(DOLLAR, POOL) == START + CAP
        assert both.oklahoma.balance(GOLD, POOL) == START


class TestWhatAPeerMay:
    """A contract to which a gate is open, and which sends whatever it likes: `pay` within the gate, no more."""

    # Calls the address in its first word with the rest of its calldata.
    FORWARDER = bytes.fromhex("602036038060206000376020600082600060006000355af160206000f3")

    @pytest.fixture
    def peer(self, both: TwoRegions) -> str:
        address = deploy_code(both.oklahoma, self.FORWARDER)
        item = replace(both.pays(), account=address)
        assert not both.oklahoma.administer(item).skipped
        return address

    def call(self, both: TwoRegions, peer: str, to: str, name: str, function: str, *values: Any) -> Outcome:
        data = bytes(12) + bytes.fromhex(to[2:]) + call_data(name, function, values)
        return both.oklahoma.send(both.oklahoma.stranger, peer, data)

    def test_it_pays_within_the_gate(self, both: TwoRegions, peer: str) -> None:
        settlement = both.oklahoma.settlement
        outcome = self.call(both, peer, settlement, "Settlement", "pay", DOLLAR, GOLD, 200, BOB, 300)

        assert outcome.events("Settlement", settlement, "ExchangePaid") == [(peer, BOB, DOLLAR, 200, GOLD, 300)]
        assert both.oklahoma.balance(GOLD, BOB) == START + 300

    @pytest.mark.parametrize(
        ("sells", "buys", "sold", "bought"),
        [
            (2**16 + DOLLAR, GOLD, 200, 300),
            (DOLLAR, 2**16 + GOLD, 200, 300),
            (DOLLAR, 3, 200, 300),
            (DOLLAR, DOLLAR, 200, 300),
            (DOLLAR, GOLD, 0, 0),
            (DOLLAR, GOLD, 2**96, 1),
            (DOLLAR, GOLD, 2**255, 1),
            (DOLLAR, GOLD, 200, 301),
            (DOLLAR, GOLD, 2**95, CAP + 1),
            (DOLLAR, GOLD, 2**95, 2**96 + 1),
            (DOLLAR, GOLD, 2**95, int(ALICE, 16) << 96 | 1),
        ],
    )
    def test_nothing_beyond_it(
        self, both: TwoRegions, peer: str, sells: int, buys: int, sold: int, bought: int
    ) -> None:
        before = both.books()
        outcome = self.call(both, peer, both.oklahoma.settlement, "Settlement", "pay", sells, buys, sold, BOB, bought)
        assert outcome.logs == []
        assert both.books() == before

    def test_nothing_else(self, both: TwoRegions, peer: str) -> None:
        before, oklahoma = both.books(), both.oklahoma
        move = (int(POOL, 16) << 96 | 5, int(BOB, 16) << 96)
        batch = (oklahoma.number + 1, oklahoma.head, ORDER, 2**40, bytes(384))
        for to, name, function, values in (
            (oklahoma.tokens[GOLD], "Token", "settle", move),
            (oklahoma.tokens[GOLD], "Token", "seize", (BOB, ALICE, ORDER, 5)),
            (oklahoma.tokens[GOLD], "Token", "set_eligible", (STRANGER, NEVER_S)),
            (oklahoma.tokens[GOLD], "Token", "set_mint_allowance", (STRANGER, 5, DAY_S)),
            (oklahoma.registry, "Registry", "set_rules", (ORDER, 1)),
            (oklahoma.settlement, "Settlement", "settle", batch),
            (oklahoma.settlement, "Settlement", "administer", batch),
            (oklahoma.settlement, "Settlement", "exchange", batch),
            (oklahoma.settlement, "Settlement", "carry_out", (1, *move, 1)),
            (oklahoma.settlement, "Settlement", "propose_chain_key", (STRANGER,)),
            (oklahoma.settlement, "Settlement", "accept_chain_key", ()),
        ):
            outcome = self.call(both, peer, to, name, function, *values)
            assert outcome.logs == [], function
        assert both.books() == before


def test_with_too_little_gas_the_whole_batch_reverts_and_may_be_sent_again(open_pair: TwoRegions) -> None:
    texas = open_pair.texas
    items = [open_pair.item()] * 5
    data = exchange_calldata(texas.number + 1, texas.head, ORDER, texas.now_s + 60, items)

    errors = {texas.send(texas.chain_key, texas.settlement, data, gas).error for gas in (300_000, 330_000, 400_000)}

    assert errors == {"settlement: gas"}
    assert texas.exchange(*items, gas=exchange_gas_limit(items)).skipped == {}


def test_an_exchange_is_not_taken_for_another_kind_of_batch(open_pair: TwoRegions) -> None:
    """Two exchange items are as long as three value items; the selector keeps them apart."""
    texas = open_pair.texas
    packed = pack_exchange_items([open_pair.item()] * 2)
    value = settle_calldata(
        texas.number + 1,
        texas.head,
        ORDER,
        texas.now_s + 60,
        [ValueItem(ValueKind.TRANSFER, ALICE, BOB, 1, 0, DOLLAR)] * 3,
    )
    before = open_pair.books()
    outcome = texas.send(texas.chain_key, texas.settlement, value[: -len(packed)] + packed)

    assert len(outcome.skipped) == outcome.settled.count == 3
    assert open_pair.books() == before


def deploy_code(region: RegionOnChain, code: bytes) -> str:
    """Put bare code on chain: twelve bytes that copy the rest and return it."""
    address = region.address_after(0)
    start = b"\x61" + len(code).to_bytes(2, "big") + bytes.fromhex("80600c6000396000f3")
    outcome = region.send(region.deployer, None, start + code)
    assert outcome.error is None
    return address
