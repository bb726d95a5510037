"""The smaller tables: outbox, bank, reserves, proofs."""

from __future__ import annotations

import pytest

from sdt.domain.errors import Conflict
from sdt.store import Store, banking, outbox, proofs, reserves
from sdt.store.banking import BankAccountRow, BankEntryRow
from store_rig import NOW_MS, TOKEN, address, transaction_id

ACCOUNT = BankAccountRow("ba_1", "user-1", address(1), b"sealed", "****6789", "pending", NOW_MS)
ENTRY = BankEntryRow("ach:1", transaction_id(1), "debit", TOKEN, 500, "x-1", "created", None, NOW_MS)


def test_the_outbox_tells_once_what_it_is_asked_twice(store: Store) -> None:
    assert outbox.put(store, "instruct", "k", {"a": 1}, NOW_MS)
    assert not outbox.put(store, "instruct", "k", {"a": 2}, NOW_MS)
    assert outbox.put(store, "other", "k", {}, NOW_MS)
    (row,) = outbox.due(store, ["instruct"], NOW_MS, 10)
    assert (row.key, row.payload, row.attempts) == ("k", '{"a":1}', 0)
    outbox.done(store, [row.id], NOW_MS)
    assert outbox.due(store, ["instruct"], NOW_MS, 10) == []
    assert not outbox.put(store, "instruct", "k", {"a": 3}, NOW_MS)


def test_the_outbox_gives_what_is_due_longest_first_and_later_what_failed(store: Store) -> None:
    for n in (3, 1, 2):
        outbox.put(store, "instruct", f"k{n}", {}, NOW_MS + n)
    first, second = outbox.due(store, ["instruct", "other"], NOW_MS + 2, 10)
    assert (first.key, second.key) == ("k1", "k2")
    outbox.retry(store, first.id, "bank_unavailable", NOW_MS + 50, at_ms=NOW_MS)
    assert [row.key for row in outbox.due(store, ["instruct"], NOW_MS + 10, 10)] == ["k2", "k3"]
    last = outbox.due(store, ["instruct"], NOW_MS + 50, 10)[-1]
    assert (last.key, last.attempts) == ("k1", 1)
    assert len(outbox.due(store, ["instruct"], NOW_MS + 50, 2)) == 2
    assert outbox.due(store, ["nothing"], NOW_MS + 50, 10) == []


def test_a_dead_one_is_told_again_only_when_it_is_revived_and_under_its_own_key(store: Store) -> None:
    outbox.put(store, "instruct", "k", {"a": 1}, NOW_MS)
    (row,) = outbox.due(store, ["instruct"], NOW_MS, 10)
    outbox.retry(store, row.id, "bank_unavailable", NOW_MS + 5, at_ms=NOW_MS)
    assert outbox.bury(store, row.id, "routing_number", NOW_MS + 9)
    assert not outbox.bury(store, row.id, "other", NOW_MS + 10)
    assert outbox.due(store, ["instruct"], NOW_MS + 10, 10) == []
    (dead,) = outbox.dead(store)
    assert (dead.attempts, dead.last_error, dead.failed_since_ms, dead.dead_at_ms) == (
        2,
        "routing_number",
        NOW_MS,
        NOW_MS + 9,
    )
    assert outbox.dead_count(store) == 1
    assert outbox.revive(store, row.id, NOW_MS + 20)
    assert not outbox.revive(store, row.id, NOW_MS + 20)
    (again,) = outbox.due(store, ["instruct"], NOW_MS + 20, 10)
    assert (again.id, again.key, again.payload, again.attempts) == (row.id, row.key, row.payload, 0)
    assert outbox.dead(store) == []


def test_the_outbox_forgets_what_was_told_long_ago(store: Store) -> None:
    for n in range(5):
        outbox.put(store, "instruct", f"k{n}", {}, NOW_MS)
    ids = [row.id for row in outbox.due(store, ["instruct"], NOW_MS, 10)]
    outbox.done(store, ids[:3], NOW_MS + 1)
    outbox.done(store, ids[3:4], NOW_MS + 9)
    assert outbox.prune(store, NOW_MS + 5, limit=2) == 2
    assert outbox.prune(store, NOW_MS + 5) == 1
    assert [row.id for row in outbox.due(store, ["instruct"], NOW_MS, 10)] == ids[4:]


def test_a_bank_account_is_linked_once(store: Store) -> None:
    banking.link_account(store, ACCOUNT)
    with pytest.raises(Conflict):
        banking.link_account(store, ACCOUNT._replace(user_id="user-2"))
    banking.set_account_status(store, "ba_1", "verified")
    assert banking.bank_account(store, "ba_1") == ACCOUNT._replace(status="verified")
    assert banking.bank_account(store, "ba_2") is None
    assert [row.ref for row in banking.accounts_of(store, "user-1")] == ["ba_1"]
    assert banking.accounts_of(store, "user-2") == []


def test_an_entry_is_recorded_once_and_followed(store: Store) -> None:
    assert banking.put_entry(store, ENTRY)
    assert not banking.put_entry(store, ENTRY._replace(units=9))
    banking.update_entry(store, "ach:1", status="settled", code=None, at_ms=NOW_MS + 1)
    expected = ENTRY._replace(status="settled", updated_at_ms=NOW_MS + 1)
    assert banking.entries(store, ["created", "settled"]) == [expected]
    assert banking.entries(store, ["created"]) == []
    banking.update_entry(store, "ach:1", status="returned", code="R01", at_ms=NOW_MS + 2, external_id="x-2")
    assert banking.entries_of(store, [transaction_id(1), transaction_id(2)]) == [
        expected._replace(status="returned", code="R01", external_id="x-2", updated_at_ms=NOW_MS + 2)
    ]


def test_one_transaction_has_one_entry_in_each_direction(store: Store) -> None:
    banking.put_entry(store, ENTRY)
    assert banking.put_entry(store, ENTRY._replace(id="book:1", direction="book"))
    with pytest.raises(Exception, match="(?i)unique"):
        banking.put_entry(store, ENTRY._replace(id="ach:2"))


def test_an_unknown_direction_or_an_empty_entry_is_refused_by_the_table(store: Store) -> None:
    with pytest.raises(Exception, match="direction_known"):
        banking.put_entry(store, ENTRY._replace(direction="sideways"))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="units_positive"):
        banking.put_entry(store, ENTRY._replace(units=0))


def test_the_reserve_counts_what_flowed_after_the_attestation(store: Store) -> None:
    """The contract's arithmetic: an attestation may include older flows only, later ones still count."""
    assert reserves.get(store, TOKEN).backing == 0
    reserves.fund(store, TOKEN, 500, 1)
    assert reserves.get(store, TOKEN).backing == 500
    reserves.attest(store, TOKEN, 500, 10, 20, 1)
    reserves.fund(store, TOKEN, 300, 2)
    reserves.release(store, TOKEN, 100, 3)
    assert reserves.get(store, TOKEN) == (TOKEN, 500, 10, 20, 1, 3, 300, 100)
    assert reserves.get(store, TOKEN).backing == 700
    reserves.attest(store, TOKEN, 800, 30, 40, 2)
    assert reserves.get(store, TOKEN) == (TOKEN, 800, 30, 40, 2, 3, 0, 100)
    assert reserves.get(store, "TXG").sequence == 0


@pytest.mark.parametrize("sequence", [0, 1, 3])
def test_a_flow_is_counted_once_and_none_is_left_out(store: Store, sequence: int) -> None:
    reserves.fund(store, TOKEN, 500, 1)
    with pytest.raises(AssertionError, match="cannot follow"):
        reserves.release(store, TOKEN, 500, sequence)


def test_a_proof_counts_once_while_it_lives(store: Store) -> None:
    assert proofs.use(store, "a", 160, 100)
    assert not proofs.use(store, "a", 160, 101)
    assert proofs.use(store, "b", 160, 160)
    assert not proofs.use(store, "a", 160, 160)
    assert proofs.use(store, "c", 300, 161)
    assert [jti for (jti,) in store.rows("SELECT jti FROM proofs_seen")] == ["c"]
