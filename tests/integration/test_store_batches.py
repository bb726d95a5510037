"""Batches follow each other by number and parent; what is void gives its number and nonce back."""

from __future__ import annotations

import pytest

from sdt.store import Store, batches, lane
from store_rig import NOW_MS, formed


def _sign(store: Store, number: int) -> bytes:
    head = number.to_bytes(32, "big")
    batches.mark_signed(
        store,
        number,
        root=bytes(32),
        head=head,
        gas=1_000,
        chain_tx_hash=b"\1" * 32,
        raw_tx=b"raw" * 999,
        signed_at_ms=NOW_MS + 3,
    )
    return head


def _finish(store: Store, number: int) -> None:
    batches.mark_final(store, number, block_number=number, block_hash=b"\2" * 32, skipped_count=0, final_at_ms=NOW_MS)


def test_the_life_of_a_batch(store: Store) -> None:
    batches.form(store, formed(1, count=3))
    head = _sign(store, 1)
    batches.mark_sent(store, 1)
    batches.mark_included(store, 1, block_number=7, block_hash=b"\3" * 32)
    batches.mark_final(store, 1, block_number=7, block_hash=b"\3" * 32, skipped_count=2, final_at_ms=NOW_MS + 5)
    found = batches.get(store, 1)
    assert found is not None
    assert (found.status, found.head, found.block_number, found.skipped_count) == ("final", head, 7, 2)
    assert (found.raw_tx, found.signed_at_ms, found.final_at_ms) == (b"raw" * 999, NOW_MS + 3, NOW_MS + 5)
    assert batches.last_final(store) == batches.last_standing(store) == found
    assert batches.unfinished(store) == []


def test_a_block_that_left_the_chain_takes_the_inclusion_with_it(store: Store) -> None:
    batches.form(store, formed(1))
    _sign(store, 1)
    batches.mark_included(store, 1, block_number=7, block_hash=b"\3" * 32)
    batches.mark_sent(store, 1)
    (row,) = batches.unfinished(store)
    assert (row.status, row.block_number, row.block_hash) == ("sent", None, None)


@pytest.mark.parametrize(
    ("number", "parent"), [(1, bytes(32)), (3, (1).to_bytes(32, "big")), (2, bytes(32)), (2, b"\7" * 32)]
)
def test_a_batch_follows_the_last_one_that_stands(store: Store, number: int, parent: bytes) -> None:
    batches.form(store, formed(1))
    _sign(store, 1)
    with pytest.raises(AssertionError, match="follow"):
        batches.form(store, formed(number, parent=parent))


def test_none_follows_one_that_is_not_signed(store: Store) -> None:
    batches.form(store, formed(1))
    with pytest.raises(AssertionError, match="head it follows"):
        batches.form(store, formed(2))


def test_a_voided_number_is_formed_again(store: Store) -> None:
    batches.form(store, formed(1))
    head = _sign(store, 1)
    batches.form(store, formed(2, parent=head))
    batches.void(store, [2])
    assert [row.number for row in batches.unfinished(store)] == [1]
    batches.form(store, formed(2, parent=head))
    batches.void(store, [2])
    batches.form(store, formed(2, parent=head))
    assert [(row.number, row.status) for row in batches.unfinished(store)] == [(1, "signed"), (2, "formed")]


def test_what_is_final_or_void_stays(store: Store) -> None:
    batches.form(store, formed(1))
    with pytest.raises(AssertionError, match="could become final"):
        _finish(store, 1)
    _sign(store, 1)
    with pytest.raises(AssertionError, match="could become signed"):
        _sign(store, 1)
    _finish(store, 1)
    with pytest.raises(AssertionError, match="could become void"):
        batches.void(store, [1])


def test_a_voided_batch_gives_its_nonce_back_unless_a_block_has_spent_it(store: Store) -> None:
    assert batches.next_nonce(store) == 0
    lane.raise_nonce(store, 5)
    lane.raise_nonce(store, 3)
    assert batches.next_nonce(store) == 5
    batches.form(store, formed(1, nonce=5))
    assert batches.next_nonce(store) == 6
    batches.void(store, [1])
    assert batches.next_nonce(store) == 5
    batches.form(store, formed(1, nonce=5))
    _sign(store, 1)
    batches.void(store, [1], block_number=9)
    assert batches.next_nonce(store) == 6


def test_an_empty_batch_is_refused_by_the_table(store: Store) -> None:
    with pytest.raises(Exception, match="count_positive"):
        batches.form(store, formed(1, count=0))


def test_the_lane_remembers_how_far_it_followed(store: Store) -> None:
    assert lane.state(store) is None
    lane.set_followed(store, 3, b"\3" * 32)
    lane.raise_nonce(store, 2)
    lane.set_followed(store, 4, b"\4" * 32)
    assert lane.state(store) == (2, 4, b"\4" * 32)
    assert lane.state(store, "another") is None
