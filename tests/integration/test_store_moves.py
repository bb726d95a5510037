"""Transactions move by the domain's table alone, with their events and effects, all or nothing."""

from __future__ import annotations

import json

import pytest

from sdt.domain.transaction import NEXT, Event, Status
from sdt.store import Store, batches, events, outbox, transactions
from sdt.store.transactions import Change
from store_rig import NOW_MS, accepted, address, formed, screened, status_of, transaction_id


def _stand(store: Store, id: str, status: Status) -> None:
    store.execute("UPDATE transactions SET status = ? WHERE id = ?", (status.value, id))


def test_every_pair_of_the_domain_moves_and_leaves_an_event(store: Store) -> None:
    pairs = [(status, event) for status, event in NEXT if status is not Status.REQUESTED]
    transactions.insert_accepted(store, [accepted(n) for n in range(len(pairs))])
    for n, (status, _) in enumerate(pairs):
        _stand(store, transaction_id(n), status)
    transactions.move(
        store, [Change(transaction_id(n), event) for n, (_, event) in enumerate(pairs)], actor="t", at_ms=NOW_MS + 9
    )
    for n, pair in enumerate(pairs):
        row = transactions.get(store, transaction_id(n))
        assert row is not None
        assert (row.status, row.updated_at_ms) == (NEXT[pair], NOW_MS + 9)
        last = events.of(store, row.id)[-1]
        assert (last.event, last.status, last.actor) == (pair[1], NEXT[pair], "t")


def test_an_unknown_pair_undoes_the_whole_call(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1), accepted(2)])
    changes = [Change(transaction_id(1), Event.SCREEN), Change(transaction_id(2), Event.SETTLE)]
    with pytest.raises(AssertionError, match="settle cannot happen"):
        transactions.move(store, changes, actor="t", at_ms=NOW_MS)
    assert status_of(store, transaction_id(1)) is Status.ACCEPTED
    assert len(events.of(store, transaction_id(1))) == 1


def test_a_transaction_that_is_not_there_is_a_bug(store: Store) -> None:
    with pytest.raises(AssertionError, match="there is no transaction"):
        transactions.move(store, [Change(transaction_id(1), Event.SCREEN)], actor="t", at_ms=NOW_MS)


def test_why_it_was_refused_is_kept_and_shown_in_the_event_by_code_alone(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1)])
    change = Change(
        transaction_id(1),
        Event.REJECT,
        code="transaction_cap",
        detail="The amount is above the limit.",
        rule="TX-CAP-1",
        statute="Texas Finance Code, section 1",
        effective="2026-01-01",
    )
    transactions.move(store, [change], actor="worker:screening", at_ms=NOW_MS)
    row = transactions.get(store, transaction_id(1))
    assert row is not None
    assert row[-5:] == change[2:7]
    assert events.of(store, row.id)[-1].detail == "transaction_cap"


def test_several_events_of_one_transaction_follow_each_other(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1)])
    id = transaction_id(1)
    steps = [Change(id, Event.HOLD, code="approval_required"), Change(id, Event.REVIEW, held_units=7)]
    transactions.move(store, steps, actor="t", at_ms=NOW_MS)
    row = transactions.get(store, id)
    assert row is not None
    assert (row.status, row.code, row.held_units) == (Status.IN_REVIEW, "approval_required", 7)
    assert [e.status for e in events.of(store, id)] == [Status.ACCEPTED, Status.HELD, Status.IN_REVIEW]


def test_what_is_let_through_no_longer_says_what_it_was_held_for(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1)])
    id = transaction_id(1)
    held = Change(id, Event.HOLD, code="approval_required", detail="A second officer must approve.")
    transactions.move(store, [held], actor="t", at_ms=NOW_MS)
    transactions.move(store, [Change(id, Event.SCREEN)], actor="t", at_ms=NOW_MS)
    row = transactions.get(store, id)
    assert row is not None
    assert (row.code, row.detail) == (None, None)
    assert [e.detail for e in events.of(store, id)] == [None, "approval_required", None]


def test_what_is_not_named_stays(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1, linked_id=transaction_id(7))])
    id = transaction_id(1)
    transactions.move(store, [Change(id, Event.SCREEN, held_units=5)], actor="t", at_ms=NOW_MS)
    transactions.move(store, [Change(id, Event.CANCEL)], actor="t", at_ms=NOW_MS)
    row = transactions.get(store, id)
    assert row is not None
    assert (row.held_units, row.linked_id) == (5, transaction_id(7))


def test_many_advance_together_or_not_at_all(store: Store) -> None:
    ids = screened(store, accepted(1), accepted(2), accepted(3))
    transactions.move(store, [Change(ids[1], Event.CANCEL)], actor="t", at_ms=NOW_MS)
    with pytest.raises(AssertionError, match="2 of 3 transactions were screened"):
        transactions.advance_batch(store, ids, Event.BATCH, from_status=Status.SCREENED, actor="t", at_ms=NOW_MS)
    assert status_of(store, ids[0]) is Status.SCREENED
    both = [ids[0], ids[2]]
    transactions.advance_batch(store, both, Event.BATCH, from_status=Status.SCREENED, actor="t", at_ms=NOW_MS)
    assert [status_of(store, id) for id in ids] == [Status.BATCHED, Status.CANCELED, Status.BATCHED]


def test_several_events_at_once_leave_one_event_row_each(store: Store) -> None:
    ids = screened(store, accepted(1), accepted(2))
    transactions.advance_batch(
        store,
        ids,
        [Event.BATCH, Event.SUBMIT, Event.SETTLE, Event.COMPLETE],
        from_status=Status.SCREENED,
        actor="t",
        at_ms=NOW_MS,
    )
    assert [e.status for e in events.of(store, ids[1])][2:] == [
        Status.BATCHED,
        Status.SUBMITTED,
        Status.SETTLED,
        Status.COMPLETED,
    ]


def test_nothing_advances_of_nothing(store: Store) -> None:
    transactions.advance_batch(store, [], Event.BATCH, from_status=Status.SCREENED, actor="t", at_ms=NOW_MS)
    transactions.move(store, [], actor="t", at_ms=NOW_MS)


@pytest.mark.parametrize("many", [True, False])
def test_effects_are_written_once_with_the_status_that_caused_them(store: Store, many: bool) -> None:
    rows = [accepted(1, type="redeem"), accepted(2), accepted(3, type="deposit")]
    ids = screened(store, *rows[:2])
    for id in ids:
        _stand(store, id, Status.SUBMITTED)
    if many:
        transactions.advance_batch(store, ids, Event.SETTLE, from_status=Status.SUBMITTED, actor="t", at_ms=NOW_MS)
    else:
        transactions.move(store, [Change(id, Event.SETTLE) for id in ids], actor="t", at_ms=NOW_MS)
    transactions.insert_accepted(store, rows[2:])
    transactions.move(store, [Change(rows[2].id, Event.AWAIT_FUNDS)], actor="t", at_ms=NOW_MS + 1)
    due = outbox.due(store, ["instruct"], NOW_MS + 1, 10)
    assert [row.key for row in due] == [f"{rows[0].id}:settled", f"{rows[2].id}:awaiting_funds"]
    assert json.loads(due[0].payload) == {"transaction_id": rows[0].id, "status": "settled"}


def test_a_change_undone_leaves_no_effect_behind(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1, type="deposit")])
    change = Change(transaction_id(1), Event.AWAIT_FUNDS)

    def move_and_fail() -> None:
        with store.transaction():
            transactions.move(store, [change], actor="t", at_ms=NOW_MS)
            raise RuntimeError("something else failed later")

    with pytest.raises(RuntimeError, match="later"):
        move_and_fail()
    assert outbox.due(store, ["instruct"], NOW_MS, 10) == []
    assert status_of(store, transaction_id(1)) is Status.ACCEPTED


def test_the_oldest_screened_are_claimed_as_far_as_they_are_of_one_kind(store: Store) -> None:
    screened(
        store,
        accepted(1),
        accepted(2),
        accepted(3, type="approve"),
        accepted(4),
        accepted(5, type="freeze", administrative=True),
        accepted(6, type="fund", administrative=True),
        accepted(7),
    )

    def claimed(limit: int) -> list[str]:
        return [row.id for row in transactions.claim_screened(store, limit)]

    assert claimed(500) == [transaction_id(n) for n in (1, 2, 4)]
    assert claimed(2) == [transaction_id(n) for n in (1, 2)]
    transactions.place_in_batch(store, claimed(500), 1, actor="t", at_ms=NOW_MS)
    assert claimed(500) == [transaction_id(n) for n in (5, 6)]


def test_items_keep_their_places_and_approvals_travel_beside_them(store: Store) -> None:
    ids = screened(store, accepted(1), accepted(2), accepted(3, type="approve"))
    with store.transaction():
        batches.form(store, formed(1, count=2))
        transactions.place_in_batch(store, [ids[1], ids[0]], 1, actor="lane", at_ms=NOW_MS)
        transactions.attach_to_batch(store, ids[2:], 1, actor="lane", at_ms=NOW_MS)
    assert [(row.id, row.position) for row in transactions.in_batch(store, 1)] == [(ids[1], 0), (ids[0], 1)]
    assert [row.id for row in transactions.attached_to(store, 1)] == ids[2:]


def test_only_what_is_screened_is_placed(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(1)])
    with pytest.raises(AssertionError, match="screened"):
        transactions.place_in_batch(store, [transaction_id(1)], 1, actor="lane", at_ms=NOW_MS)


def test_refused_before_signing_leaves_its_batch_and_the_others_close_up(store: Store) -> None:
    ids = screened(store, accepted(1), accepted(2), accepted(3))
    batches.form(store, formed(1, count=3))
    transactions.place_in_batch(store, ids, 1, actor="lane", at_ms=NOW_MS)
    transactions.move(store, [Change(ids[0], Event.REJECT, code="bad_signature")], actor="signers", at_ms=NOW_MS)
    transactions.renumber(store, ids[1:])
    assert [(row.id, row.position) for row in transactions.in_batch(store, 1)] == [(ids[1], 0), (ids[2], 1)]
    batch = batches.get(store, 1)
    assert batch is not None
    assert batch.count == 2


def test_skipped_on_chain_keeps_its_place_as_evidence(store: Store) -> None:
    ids = screened(store, accepted(1), accepted(2))
    transactions.place_in_batch(store, ids, 1, actor="lane", at_ms=NOW_MS)
    transactions.advance_batch(store, ids, Event.SUBMIT, from_status=Status.BATCHED, actor="lane", at_ms=NOW_MS)
    transactions.move(store, [Change(ids[1], Event.REJECT, code="payee_frozen")], actor="lane", at_ms=NOW_MS)
    assert [row.status for row in transactions.in_batch(store, 1)] == [Status.SUBMITTED, Status.REJECTED]


def test_sent_back_leaves_no_trace_of_the_batch(store: Store) -> None:
    ids = screened(store, accepted(1), accepted(2))
    transactions.place_in_batch(store, ids, 1, actor="lane", at_ms=NOW_MS)
    transactions.advance_batch(store, ids[:1], Event.UNBATCH, from_status=Status.BATCHED, actor="t", at_ms=NOW_MS)
    transactions.move(store, [Change(ids[1], Event.UNBATCH)], actor="t", at_ms=NOW_MS)
    assert transactions.in_batch(store, 1) == []
    assert [row.id for row in transactions.claim_screened(store, 9)] == ids


def test_history_shows_both_sides_newest_first_and_goes_on(store: Store) -> None:
    rows = [accepted(n, payer=1 + n % 2, payee=2 - n % 2) for n in range(10)]
    rows += [accepted(20, payer=8, payee=9), accepted(21, payer=1, payee=1)]
    transactions.insert_accepted(store, rows)
    expected = [rows[11].id, *(row.id for row in reversed(rows[:10]))]

    def ids(**filters: object) -> list[str]:
        return [row.id for row in transactions.history(store, address(1), **filters)]  # type: ignore[arg-type]

    assert ids() == expected
    assert ids(limit=3) == expected[:3]
    third = transactions.history(store, address(1), limit=3)[-1]
    assert ids(before_seq=third.seq, limit=3) == expected[3:6]
    assert ids(token="TXG") == []
    assert ids(type="transfer", token="TXD", status=Status.ACCEPTED) == expected
    assert ids(status=Status.SETTLED) == []


def test_what_names_another_is_found_from_it_and_by_its_digest(store: Store) -> None:
    issue = accepted(2, type="issue", linked_id=transaction_id(1))
    transactions.insert_accepted(store, [accepted(1, type="deposit"), issue, accepted(3)])
    assert [row.id for row in transactions.linked_to(store, transaction_id(1))] == [issue.id]
    found = transactions.by_digest(store, issue.digest)
    assert found is not None
    assert found.id == issue.id
    assert transactions.by_digest(store, bytes(32)) is None


def test_counts_and_age_are_of_what_is_still_on_its_way(store: Store) -> None:
    screened(store, accepted(1), accepted(2))
    transactions.insert_accepted(store, [accepted(3), accepted(4)])
    transactions.move(store, [Change(transaction_id(1), Event.CANCEL)], actor="t", at_ms=NOW_MS)
    transactions.move(store, [Change(transaction_id(4), Event.HOLD)], actor="t", at_ms=NOW_MS)
    assert transactions.counts_by_status(store) == {Status.SCREENED: 1, Status.ACCEPTED: 1, Status.HELD: 1}
    assert transactions.oldest_live_age_ms(store, NOW_MS + 100) == 98
    everything = transactions.get_many(store, [transaction_id(n) for n in range(9)])
    assert sorted(everything) == sorted(transaction_id(n) for n in (1, 2, 3, 4))
