"""A batch is taken once, in order, in time, from the chain key alone; one bad item never stops the others."""

from __future__ import annotations

import pytest
from region_on_chain import ALICE, BOB, CAROL, DAN, DOLLAR, GOLD, MINTER, SILVER, RegionOnChain

from sdt.domain.batch import (
    AdminItem,
    SkipReason,
    ValueItem,
    ValueKind,
    administer_calldata,
    next_head,
    settle_calldata,
)

ROOT = b"\x77" * 32


def payment(amount: int = 10, payer: str = ALICE, payee: str = BOB, token: int = DOLLAR) -> ValueItem:
    return ValueItem(ValueKind.TRANSFER, payer, payee, amount, 0, token)


def next_batch(region: RegionOnChain, **other: object) -> bytes:
    place = {"number": region.number + 1, "parent": region.head, "root": ROOT, "deadline_s": region.now_s + 60}
    return settle_calldata(**{**place, **other}, items=[payment()])  # type: ignore[arg-type]


def test_number_and_head_advance_as_everybody_computes_them(region: RegionOnChain) -> None:
    before, number = region.head, region.number + 1

    outcome = region.send(region.chain_key, region.settlement, next_batch(region))

    head = next_head(before, number, ROOT)
    assert (outcome.settled.number, outcome.settled.root, outcome.settled.head) == (number, ROOT, head)
    assert region.read("Settlement", region.settlement, "number") == number
    assert region.read("Settlement", region.settlement, "head") == head


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"number": 2}, "settlement: number"),
        ({"number": 4}, "settlement: number"),
        ({"parent": bytes(32)}, "settlement: parent"),
        ({"deadline_s": 1}, "settlement: deadline"),
    ],
)
def test_a_batch_out_of_place_or_time_is_refused(region: RegionOnChain, other: dict[str, object], error: str) -> None:
    assert region.number == 2

    outcome = region.send(region.chain_key, region.settlement, next_batch(region, **other))

    assert outcome.error == error
    assert region.balance(DOLLAR, BOB) == 0


def test_the_deadline_is_the_last_second_that_counts(region: RegionOnChain) -> None:
    in_the_next_block = region.now_s + 1

    outcome = region.send(region.chain_key, region.settlement, next_batch(region, deadline_s=in_the_next_block))

    assert outcome.error is None


def test_the_same_batch_twice_is_refused(region: RegionOnChain) -> None:
    batch = next_batch(region)
    assert region.send(region.chain_key, region.settlement, batch).error is None

    assert region.send(region.chain_key, region.settlement, batch).error == "settlement: number"
    assert region.balance(DOLLAR, BOB) == 10


def test_only_the_chain_key_may_settle_or_administer(region: RegionOnChain) -> None:
    place = (region.number + 1, region.head, ROOT, region.now_s + 60)
    value = settle_calldata(*place, [payment()])
    admin = administer_calldata(*place, [AdminItem.pause(DOLLAR, True)])

    for key in (region.stranger, region.deployer):
        for batch in (value, admin):
            assert region.send(key, region.settlement, batch).error == "settlement: not the chain key"


@pytest.mark.parametrize("length", [0, 1, 63, 65, 127])
def test_items_of_the_wrong_length_are_refused(region: RegionOnChain, length: int) -> None:
    place = (region.number + 1, region.head, ROOT, region.now_s + 60)

    for function in ("settle", "administer"):
        outcome = region.write(region.chain_key, "Settlement", region.settlement, function, *place, b"\1" * length)
        assert outcome.error == "settlement: length"


def test_more_than_five_hundred_items_are_refused(region: RegionOnChain) -> None:
    place = (region.number + 1, region.head, ROOT, region.now_s + 60)

    for function, size in (("settle", 64), ("administer", 128)):
        outcome = region.write(region.chain_key, "Settlement", region.settlement, function, *place, bytes(501 * size))
        assert outcome.error is not None


def test_five_hundred_items_are_taken_and_the_bitmap_reaches_the_last(region: RegionOnChain) -> None:
    bad = {0, 1, 255, 256, 257, 499}
    items = [payment(0 if position in bad else 1) for position in range(500)]

    outcome = region.settle(*items)

    assert outcome.skipped == dict.fromkeys(sorted(bad), SkipReason.BAD_ITEM)
    assert [outcome.settled.settled(position) for position in (255, 256, 258)] == [False, False, True]
    assert region.balance(DOLLAR, BOB) == 500 - len(bad)


def test_items_of_several_tokens_keep_their_order_and_their_positions(region: RegionOnChain) -> None:
    outcome = region.settle(
        payment(10),
        payment(5, CAROL, DAN, GOLD),
        payment(1, BOB, ALICE),
        payment(7, ALICE, BOB, 9),
        payment(10, BOB, ALICE),
        payment(9, BOB, ALICE),
    )

    assert outcome.skipped == {3: SkipReason.UNKNOWN_TOKEN, 4: SkipReason.INSUFFICIENT_FUNDS}
    assert (region.balance(DOLLAR, ALICE), region.balance(DOLLAR, BOB)) == (50_000, 0)
    assert region.balance(GOLD, CAROL) == 19_995


def test_the_last_token_of_the_list_settles_too(region: RegionOnChain) -> None:
    outcome = region.settle(ValueItem(ValueKind.MINT, MINTER, CAROL, 70, 0, SILVER), payment(30, CAROL, DAN, SILVER))

    assert outcome.skipped == {}
    assert (region.balance(SILVER, CAROL), region.balance(SILVER, DAN)) == (40, 30)


def test_a_skipped_item_does_not_feed_a_later_one(region: RegionOnChain) -> None:
    """Bob is to pay on what he gets from a payment that fails: both fail, nothing else does."""
    outcome = region.settle(payment(60_000), payment(60_000, BOB, ALICE), payment(1))

    assert set(outcome.skipped) == {0, 1}
    assert region.balance(DOLLAR, BOB) == 1


def test_an_unknown_kind_is_a_bad_item_in_either_batch(region: RegionOnChain) -> None:
    value_word = bytes.fromhex(ALICE[2:] + "00" * 11 + "01" + BOB[2:] + "00" * 8 + "0000")
    place = (region.number + 1, region.head, ROOT, region.now_s + 60)
    unknown = [value_word + bytes([kind, zero]) for kind, zero in ((3, 0), (255, 0), (0, 1))]

    outcome = region.write(region.chain_key, "Settlement", region.settlement, "settle", *place, b"".join(unknown))
    assert outcome.skipped == dict.fromkeys(range(3), SkipReason.BAD_ITEM)

    place = (region.number + 2, outcome.settled.head, ROOT, region.now_s + 60)
    unknown = [bytes(31) + bytes([kind]) + bytes(96) for kind in (0, 11, 16 + 10)]
    outcome = region.write(region.chain_key, "Settlement", region.settlement, "administer", *place, b"".join(unknown))
    assert outcome.skipped == dict.fromkeys(range(3), SkipReason.BAD_ITEM)


def test_a_batch_without_enough_gas_changes_nothing(region: RegionOnChain) -> None:
    outcome = region.send(region.chain_key, region.settlement, next_batch(region), gas=70_000)

    assert outcome.error is not None
    assert region.read("Settlement", region.settlement, "number") == region.number
    assert region.balance(DOLLAR, BOB) == 0


class TestSuccession:
    """The chain key hands over to another, with a delay in which people can notice."""

    DELAY_S = 3 * 86_400

    def propose(self, region: RegionOnChain, to: str) -> None:
        outcome = region.write(region.chain_key, "Settlement", region.settlement, "propose_chain_key", to)
        assert outcome.error is None

    def accept(self, region: RegionOnChain) -> str | None:
        return region.write(region.stranger, "Settlement", region.settlement, "accept_chain_key").error

    def test_after_the_delay_the_new_key_settles_and_the_old_one_does_not(self, region: RegionOnChain) -> None:
        self.propose(region, region.stranger.address)
        assert self.accept(region) == "settlement: too early"
        region.now_s += self.DELAY_S

        assert self.accept(region) is None

        assert self.accept(region) == "settlement: not the successor"
        assert region.read("Settlement", region.settlement, "chain_key") == region.stranger.address
        refused = region.send(region.chain_key, region.settlement, next_batch(region))
        assert refused.error == "settlement: not the chain key"
        assert region.send(region.stranger, region.settlement, next_batch(region)).error is None

    def test_nobody_else_may_propose_or_accept(self, region: RegionOnChain) -> None:
        outcome = region.write(
            region.stranger, "Settlement", region.settlement, "propose_chain_key", region.stranger.address
        )
        assert outcome.error == "settlement: not the chain key"
        assert self.accept(region) == "settlement: not the successor"

    def test_a_proposal_can_be_withdrawn(self, region: RegionOnChain) -> None:
        self.propose(region, region.stranger.address)
        self.propose(region, "0x" + "00" * 20)
        region.now_s += self.DELAY_S

        assert self.accept(region) == "settlement: not the successor"
