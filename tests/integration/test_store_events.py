"""The event log is sealed: whatever changes in what was sealed is found, whoever changed it."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading

import pytest

from sdt.store import Store, events, open_store, transactions
from sdt.store.events import GENESIS, SealBroken
from store_rig import NOW_MS, accepted, screened, transaction_id


def _sealed_twice(store: Store) -> None:
    """Given eight events: four under a first seal, four under a second."""
    screened(store, accepted(1), accepted(2))
    events.seal(store, NOW_MS)
    screened(store, accepted(3), accepted(4))
    events.seal(store, NOW_MS + 1)


def test_a_seal_can_be_computed_by_anybody_from_the_rows(store: Store) -> None:
    """The canonical form is a promise to auditors: plain JSON, one event a line, after the seal before it."""
    transactions.insert_accepted(store, [accepted(1)])
    first = events.seal(store, NOW_MS)
    line = f'[1,"{transaction_id(1)}","accept","accepted",{NOW_MS + 1},"api",null]\n'
    assert first == hashlib.sha256(GENESIS + line.encode()).digest()
    transactions.insert_accepted(store, [accepted(2)])
    line = f'[2,"{transaction_id(2)}","accept","accepted",{NOW_MS + 2},"api",null]\n'
    assert events.seal(store, NOW_MS) == hashlib.sha256(first + line.encode()).digest()


def test_seals_are_computed_again_and_agree(store: Store) -> None:
    assert events.seal(store, NOW_MS) == GENESIS
    assert events.verify_seals(store) == 0
    _sealed_twice(store)
    last = events.seal(store, NOW_MS + 2)
    assert events.seal(store, NOW_MS + 3) == last
    assert events.verify_seals(store) == 2


TAMPERINGS = (
    "UPDATE events SET transaction_id = '{other}' WHERE seq = {seq}",
    "UPDATE events SET event = 'reject' WHERE seq = {seq}",
    "UPDATE events SET status = 'rejected' WHERE seq = {seq}",
    "UPDATE events SET at_ms = at_ms + 1 WHERE seq = {seq}",
    "UPDATE events SET actor = 'nobody' WHERE seq = {seq}",
    "UPDATE events SET detail = '' WHERE seq = {seq}",
    "UPDATE events SET seq = 100 WHERE seq = {seq}",
    "DELETE FROM events WHERE seq = {seq}",
)


class _UndoError(Exception):
    pass


def test_any_changed_row_is_found_and_its_run_named(store: Store) -> None:
    _sealed_twice(store)
    for seq, tampering in itertools.product((1, 4, 5, 8), TAMPERINGS):
        with contextlib.suppress(_UndoError), store.transaction():
            assert store.execute(tampering.format(seq=seq, other=transaction_id(99))).rowcount == 1
            with pytest.raises(SealBroken) as broken:
                events.verify_seals(store)
            assert broken.value.facts["first_event"] == (1 if seq <= 4 else 5), tampering
            raise _UndoError
    assert events.verify_seals(store) == 2


def test_a_row_slipped_between_two_runs_is_found(store: Store) -> None:
    """Given a gap in the numbers between two seals, as an undone PostgreSQL transaction leaves one."""
    screened(store, accepted(1))
    events.seal(store, NOW_MS)
    transactions.insert_accepted(store, [accepted(2)])
    store.execute("UPDATE events SET seq = 10 WHERE seq = 3")
    events.seal(store, NOW_MS)
    assert events.verify_seals(store) == 2
    store.execute(
        "INSERT INTO events (seq, transaction_id, event, status, at_ms, actor) "
        "VALUES (5, ?, 'settle', 'settled', 1, 'x')",
        (transaction_id(1),),
    )
    with pytest.raises(SealBroken):
        events.verify_seals(store)


@pytest.mark.parametrize("tampering", ["UPDATE event_seals SET digest = previous WHERE seq = 1",
                                       "UPDATE event_seals SET previous = digest WHERE seq = 2",
                                       "UPDATE event_seals SET last_event = 3 WHERE seq = 1",
                                       "DELETE FROM event_seals WHERE seq = 1"])  # fmt: skip
def test_a_changed_seal_is_found(store: Store, tampering: str) -> None:
    _sealed_twice(store)
    store.execute(tampering)
    with pytest.raises(SealBroken):
        events.verify_seals(store)


def test_a_seal_may_stand_in_the_commit_of_the_last_event_it_covers(store: Store) -> None:
    with store.transaction():
        transactions.insert_accepted(store, [accepted(1)])
        events.seal(store, NOW_MS)
    assert events.verify_seals(store) == 1
    assert store.rows("SELECT last_event FROM event_seals") == [(1,)]


def test_what_is_not_sealed_yet_is_not_verified(store: Store) -> None:
    _sealed_twice(store)
    transactions.insert_accepted(store, [accepted(9)])
    store.execute("DELETE FROM events WHERE seq = 9")
    assert events.verify_seals(store) == 2


def test_a_log_longer_than_a_page_is_sealed_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PAGE", 7)
    transactions.insert_accepted(store, [accepted(n) for n in range(30)])
    events.seal(store, NOW_MS)
    assert events.verify_seals(store) == 1
    store.execute("UPDATE events SET actor = 'x' WHERE seq = 29")
    with pytest.raises(SealBroken):
        events.verify_seals(store)


def test_a_seal_waits_for_events_that_are_on_their_way(store_url: str) -> None:
    """Numbers are drawn before the commit: a seal that passed over a writer would accuse it of tampering later."""
    writer, sealer = open_store(store_url), open_store(store_url)
    transactions.insert_accepted(writer, [accepted(1)])
    sealing = threading.Thread(target=lambda: (events.seal(sealer, NOW_MS), sealer.database.close()))
    with writer.transaction():
        transactions.insert_accepted(writer, [accepted(2)])
        other = open_store(store_url)
        if other.postgres:  # SQLite has one writer at a time anyway
            transactions.insert_accepted(other, [accepted(3)])
        other.close()
        sealing.start()
        sealing.join(0.2)
        assert sealing.is_alive()
    sealing.join(10)
    assert events.verify_seals(writer) == 1
    ((first, last),) = writer.rows("SELECT first_event, last_event FROM event_seals")
    assert (first, last) == (1, 3 if writer.postgres else 2)
    writer.close()
    sealer.close()
