"""Messages come in: new, same and conflict, hundreds at once, on both databases."""

from __future__ import annotations

import threading

import pytest

from sdt.domain.transaction import Event, Status
from sdt.store import Store, events, open_store, transactions
from sdt.store.transactions import Change, Stored
from store_rig import NOW_MS, accepted, address, transaction_id

NEW = Stored("new", Status.ACCEPTED)


def test_a_new_message_is_stored_byte_for_byte_with_its_event(store: Store) -> None:
    row = accepted(1, fee=3)
    assert transactions.insert_accepted(store, [row]) == [NEW]
    found = transactions.get(store, row.id)
    assert found is not None
    assert {name: getattr(found, name) for name in row._fields} == row._asdict()
    assert (found.status, found.held_units, found.batch_number) == (Status.ACCEPTED, 0, None)
    assert [(e.event, e.status, e.at_ms, e.actor) for e in events.of(store, row.id)] == [
        (Event.ACCEPT, Status.ACCEPTED, row.accepted_at_ms, "api")
    ]


def test_the_same_bytes_answer_same_with_the_status_of_now(store: Store) -> None:
    row = accepted(1)
    transactions.insert_accepted(store, [row])
    transactions.move(store, [Change(row.id, Event.SCREEN)], actor="t", at_ms=NOW_MS)
    assert transactions.insert_accepted(store, [row]) == [Stored("same", Status.SCREENED)]
    assert len(events.of(store, row.id)) == 2


def test_other_bytes_under_a_known_id_are_a_conflict_and_change_nothing(store: Store) -> None:
    row = accepted(1)
    transactions.insert_accepted(store, [row])
    other = accepted(2)._replace(id=row.id)
    assert transactions.insert_accepted(store, [other]) == [Stored("conflict", Status.ACCEPTED)]
    found = transactions.get(store, row.id)
    assert found is not None
    assert found.raw == row.raw
    assert len(events.of(store, row.id)) == 1


def test_duplicates_within_one_call_are_answered_like_later_ones(store: Store) -> None:
    old, row = accepted(1), accepted(2)
    transactions.insert_accepted(store, [old])
    other = accepted(3)._replace(id=row.id)
    answers = transactions.insert_accepted(store, [row, old, row, other, accepted(4)])
    assert [a.outcome for a in answers] == ["new", "same", "same", "conflict", "new"]
    assert len(events.of(store, row.id)) == 1


def test_five_hundred_in_one_call_keep_their_order(store: Store) -> None:
    rows = [accepted(n) for n in range(500, 0, -1)]
    assert transactions.insert_accepted(store, rows) == [NEW] * 500
    stored = transactions.in_status(store, Status.ACCEPTED, 1000)
    assert [row.id for row in stored] == [row.id for row in rows]
    assert transactions.counts_by_status(store) == {Status.ACCEPTED: 500}


def test_nothing_comes_in_of_nothing(store: Store) -> None:
    assert transactions.insert_accepted(store, []) == []


def test_what_was_never_queued_is_found_again(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(n, payer=n) for n in (1, 2, 3, 4)])
    transactions.mark_queued(store, [transaction_id(1)], NOW_MS)
    transactions.move(store, [Change(transaction_id(2), Event.SCREEN)], actor="t", at_ms=NOW_MS)
    assert transactions.unqueued(store, NOW_MS + 4, 10) == [(transaction_id(3), address(3))]
    assert transactions.unqueued(store, NOW_MS + 3, 10) == []
    assert transactions.unqueued(store, NOW_MS + 99, 1) == [(transaction_id(3), address(3))]


def test_a_failed_call_stores_none_of_its_messages(store: Store) -> None:
    with pytest.raises(Exception, match="units"):
        transactions.insert_accepted(store, [accepted(1), accepted(2, units=-1)])
    assert transactions.get(store, transaction_id(1)) is None
    assert transactions.insert_accepted(store, [accepted(1)]) == [NEW]


def test_two_writers_of_the_same_ids_store_each_once(store_url: str) -> None:
    """Given two processes that get the same 200 messages at once, each message is new to exactly one of them."""
    rows = [accepted(n) for n in range(200)]
    answers: dict[int, list[Stored]] = {}
    ready = threading.Barrier(2)

    def write(writer: int) -> None:
        store = open_store(store_url)
        ready.wait()
        answers[writer] = [
            answer
            for start in range(0, 200, 20)
            for answer in transactions.insert_accepted(store, rows[start : start + 20])
        ]
        store.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all({a.outcome, b.outcome} == {"new", "same"} for a, b in zip(answers[0], answers[1], strict=True))
    store = open_store(store_url)
    assert all(len(events.of(store, row.id)) == 1 for row in rows[::20])
    store.close()
