"""The migration after which batches speak for what is in them: live transactions in every status come through."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

from sdt.domain.transaction import Event, Status
from sdt.store import Store, batches, events, ledger, transactions
from store_rig import NOW_MS, accepted, formed, status_of, transaction_id

MIGRATION: Any = importlib.import_module("sdt.store.migrations.0003_batch_says")
BATCH_OF = {"formed": 1, "signed": 2, "sent": 3, "included": 4, "final": 5, "void": 6}


def old_rows(store: Store) -> dict[str, Status]:
    """One transaction in every status as the version before wrote it, those of the lane in batches of each kind."""
    standing = [(status, None) for status in Status if status is not Status.REQUESTED]
    standing += [(Status.BATCHED, 1), (Status.SUBMITTED, 2), (Status.SUBMITTED, 3), (Status.SUBMITTED, 4)]
    standing += [(status, 5) for status in (Status.SETTLED, Status.COMPLETED, Status.REJECTED, Status.RETURNED)]
    standing = [one for one in standing if one[1] or one[0] not in (Status.BATCHED, Status.SUBMITTED)]
    transactions.insert_accepted(store, [accepted(n) for n in range(len(standing))])
    for n, (status, number) in enumerate(standing):
        store.execute(
            "UPDATE transactions SET status = ?, batch_number = ?, position = ?, updated_at_ms = ? WHERE id = ?",
            (status.value, number, 0 if number else None, NOW_MS + 100 + n, transaction_id(n)),
        )
    for kind, number in BATCH_OF.items():
        batch = replace(formed(number), nonce=number)
        store.execute(
            "INSERT INTO batches (number, kind, status, parent, deadline_s, nonce, count, skipped_count, formed_at_ms) "
            "VALUES (?, 'value', ?, ?, ?, ?, 1, 0, ?)",
            (number, kind, batch.parent, batch.deadline_s, number, NOW_MS),
        )
    return {transaction_id(n): status for n, (status, _) in enumerate(standing)}


def standing_of(store: Store, ids: dict[str, Status]) -> dict[str, Status]:
    return {id: status_of(store, id) for id in ids}


def test_every_status_comes_through_and_goes_on(store: Store) -> None:
    # given a database of the version before
    MIGRATION.down(None, store.database)
    expected = old_rows(store)
    submitted = [id for id, status in expected.items() if status is Status.SUBMITTED]
    # when it is migrated
    MIGRATION.up(None, store.database)
    # then each transaction stands where it stood, since when it stood there
    assert standing_of(store, expected) == expected
    found = transactions.get_many(store, list(expected))
    assert {id: row.updated_at_ms for id, row in found.items()} == {
        id: NOW_MS + 100 + n for n, id in enumerate(expected)
    }
    assert transactions.counts_by_status(store) == {
        Status.ACCEPTED: 1, Status.AWAITING_FUNDS: 1, Status.HELD: 1, Status.IN_REVIEW: 1, Status.SCREENED: 1,
        Status.BATCHED: 1, Status.SUBMITTED: 3, Status.SETTLED: 2,
    }  # fmt: skip
    # and what was on its way ends with its batch, in the log too
    for number in (2, 3, 4):
        transactions.advance_whole_batch(
            store, number, (Event.SETTLE, Event.COMPLETE), from_status=Status.SUBMITTED, actor="lane", at_ms=NOW_MS
        )
        batches.mark_final(store, number, block_number=1, block_hash=b"", skipped_count=0, final_at_ms=NOW_MS + 999)
    assert {status_of(store, id) for id in submitted} == {Status.COMPLETED}
    assert ledger.discrepancies(store) == []


def test_the_log_of_what_was_on_its_way_goes_on_with_its_batch(store: Store) -> None:
    # given a transaction whose events the version before wrote one by one, without its batch's number
    transactions.insert_accepted(store, [accepted(1)])
    id = transaction_id(1)
    for event, status in ((Event.SCREEN, "screened"), (Event.BATCH, "batched"), (Event.SUBMIT, "submitted")):
        events.append(store, [id], event, Status(status), actor="lane", at_ms=NOW_MS)
    store.execute("UPDATE transactions SET status = 'batched', batch_number = 7, position = 0 WHERE id = ?", (id,))
    for event, status in ((Event.SETTLE, Status.SETTLED), (Event.COMPLETE, Status.COMPLETED)):
        events.append_of_batch(store, 7, event, status, actor="lane", at_ms=NOW_MS)
    assert [e.status for e in events.of(store, id)] == [
        "accepted", "screened", "batched", "submitted", "settled", "completed",
    ]  # fmt: skip


def test_taken_back_each_row_says_again_where_it_stands(store: Store) -> None:
    MIGRATION.down(None, store.database)
    expected = old_rows(store)
    MIGRATION.up(None, store.database)
    store.execute("UPDATE transactions SET status = 'batched' WHERE status = 'completed' AND batch_number = 5")
    MIGRATION.down(None, store.database)
    written = dict(store.rows("SELECT id, status FROM transactions"))
    assert written == {id: status.value for id, status in expected.items()}
    MIGRATION.up(None, store.database)
