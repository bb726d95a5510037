"""An instruction that failed: what is tried again, what is given to an officer, and that neither forgets its key."""

from __future__ import annotations

import json

import pytest

from sdt.domain.errors import Conflict, Invalid, NotFound, RateLimited, SdtError, Unavailable, Unprocessable
from sdt.ports.evidence import StateUnknown, VendorFault
from sdt.store import Store, outbox
from sdt.store.outbox import OutboxRow
from sdt.worker.dead_letters import AGE_MS_MAX, ATTEMPTS_MAX, PAUSE_MS, PAUSE_MS_MAX, is_hopeless, put_off
from store_rig import NOW_MS


def instruction(store: Store) -> OutboxRow:
    outbox.put(store, "instruct", "t:settled", {"transaction_id": "t"}, NOW_MS)
    return due(store, NOW_MS)


def due(store: Store, at_ms: int) -> OutboxRow:
    (row,) = outbox.due(store, ["instruct"], at_ms, 10)
    return row


@pytest.mark.parametrize(
    ("error", "hopeless"),
    [
        (Unprocessable, True),
        (Invalid, True),
        (Conflict, True),
        (NotFound, True),
        (VendorFault, True),
        (StateUnknown, False),
        (Unavailable, False),
        (RateLimited, False),
    ],
)
def test_a_refusal_or_an_unreadable_answer_is_hopeless(error: type[SdtError], hopeless: bool) -> None:
    assert is_hopeless(error("x")) is hopeless


def test_an_unanswered_instruction_waits_longer_each_time(store: Store) -> None:
    row = instruction(store)
    put_off(store, row, Unavailable("x"), NOW_MS)
    assert outbox.due(store, ["instruct"], NOW_MS + PAUSE_MS - 1, 10) == []
    row = due(store, NOW_MS + PAUSE_MS)
    put_off(store, row, Unavailable("x"), NOW_MS + PAUSE_MS)
    assert outbox.due(store, ["instruct"], NOW_MS + 3 * PAUSE_MS - 1, 10) == []
    row = due(store, NOW_MS + 3 * PAUSE_MS)
    assert (row.attempts, row.failed_since_ms) == (2, NOW_MS)
    put_off(store, row._replace(attempts=50), Unavailable("x"), NOW_MS)
    assert due(store, NOW_MS + PAUSE_MS_MAX).attempts == 3
    assert outbox.dead_count(store) == 0


def test_a_refusal_is_dead_at_once_and_opens_one_case_without_a_word_of_the_vendor(store: Store) -> None:
    row = instruction(store)
    refusal = Unprocessable("The bank refused Alice Example.", code="routing_number")

    put_off(store, row, refusal, NOW_MS)
    put_off(store, row, refusal, NOW_MS)

    (dead,) = outbox.dead(store)
    assert (dead.key, dead.last_error) == ("t:settled", "routing_number")
    ((kind, transaction_id, facts),) = store.rows("SELECT kind, transaction_id, facts FROM cases")
    assert (kind, transaction_id) == ("vendor", "t")
    assert json.loads(facts) == {"instruction": row.id, "key": "t:settled", "code": "routing_number", "tries": 1}


def test_too_many_tries_or_too_old_is_dead(store: Store) -> None:
    row = instruction(store)
    put_off(store, row._replace(attempts=ATTEMPTS_MAX - 2), Unavailable("x"), NOW_MS)
    assert outbox.dead_count(store) == 0
    put_off(store, row._replace(attempts=ATTEMPTS_MAX - 1), Unavailable("x"), NOW_MS)
    assert outbox.dead_count(store) == 1

    outbox.revive(store, row.id, NOW_MS)
    put_off(store, row._replace(failed_since_ms=NOW_MS - AGE_MS_MAX + 1), StateUnknown("x"), NOW_MS)
    assert outbox.dead_count(store) == 0
    put_off(store, row._replace(failed_since_ms=NOW_MS - AGE_MS_MAX), StateUnknown("x"), NOW_MS)
    assert outbox.dead_count(store) == 1


def test_each_death_is_a_case_of_its_own(store: Store) -> None:
    row = instruction(store)
    put_off(store, row, Unprocessable("x"), NOW_MS)
    outbox.revive(store, row.id, NOW_MS + 1)
    put_off(store, row, Unprocessable("x"), NOW_MS + 2)

    assert store.rows("SELECT count(*) FROM cases") == [(2,)]
