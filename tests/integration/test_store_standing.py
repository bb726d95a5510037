"""What is in a batch stands where its batch stands, for whoever asks in whatever way; what leaves it, where it went."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import sdt
from domain_messages import texas
from sdt.api.waiting import _done
from sdt.domain.batch import SkipReason
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.store import Store, accounts, batches, events, examinations, ledger, transactions
from sdt.store.accounts import UserRow
from sdt.store.intake import insert_accepted, known_of
from sdt.store.transactions import Change
from sdt.worker.projection import Settled, project
from store_rig import NOW_MS, accepted, address, formed, fund, screened, status_of, transaction_id

FORMED, SIGNED, FINAL = NOW_MS + 1_000, NOW_MS + 2_000, NOW_MS + 3_000


@pytest.fixture(name="region")
def _region() -> Region:
    return texas()


class Killed(Exception):
    """A process dies before its commit."""


def form(store: Store, ids: list[str], number: int = 1, beside: list[str] | None = None) -> None:
    last = batches.last_standing(store)
    parent = last.head if last and last.head else bytes(32)
    batches.form(store, replace(formed(number, parent, count=len(ids), nonce=number), formed_at_ms=FORMED))
    transactions.place_in_batch(store, ids, number, actor="lane", at_ms=FORMED)
    if beside:
        transactions.attach_to_batch(store, beside, number, actor="lane", at_ms=FORMED)


def sign(store: Store, number: int = 1) -> None:
    head = number.to_bytes(32, "big")
    batches.mark_signed(
        store, number, root=head, head=head, gas=1, chain_tx_hash=head, raw_tx=b"raw", signed_at_ms=SIGNED
    )
    transactions.advance_whole_batch(
        store, number, Event.SUBMIT, from_status=Status.BATCHED, actor="lane", at_ms=SIGNED
    )


def settle(store: Store, region: Region, number: int = 1, skipped: dict[int, SkipReason] | None = None) -> None:
    beside = [row.id for row in transactions.attached_to(store, number)]
    project(store, region, Settled(number, transactions.in_batch(store, number), beside, skipped or {}), FINAL)
    batches.mark_final(
        store, number, block_number=9, block_hash=b"\2" * 32, skipped_count=len(skipped or {}), final_at_ms=FINAL
    )


def held(store: Store, *numbers: int, **kind: str) -> list[str]:
    """Payments of user 1 that hold what they move."""
    rows = [accepted(n, **kind) for n in numbers]  # type: ignore[arg-type]
    insert_accepted(store, rows)
    with store.transaction():
        ledger.hold(store, [(row.id, f"Token:TXD:{row.account}", row.units) for row in rows])
        changes = [Change(row.id, Event.SCREEN, held_units=row.units) for row in rows]
        transactions.move(store, changes, actor="screening", at_ms=NOW_MS)
    return [row.id for row in rows]


def seen(store: Store, id: str) -> tuple[set[Status], int]:
    """Ask for a transaction's status in every way there is; return the answers, and when it came there."""
    row = transactions.get(store, id)
    assert row is not None
    answers = {row.status, transactions.get_many(store, [id])[id].status, transactions.lock(store, [id])[id][1]}
    answers |= {known_of(store, [id])[id][1], insert_accepted(store, [accepted(1)])[0].status}
    answers |= {one.status for one in transactions.history(store, address(1)) if one.id == id}
    answers |= {
        status
        for status in Status
        if any(one.id == id for one in transactions.history(store, address(1), status=status))
    }
    answers |= {
        status
        for status in (Status.ACCEPTED, Status.SCREENED, Status.BATCHED, Status.SUBMITTED, Status.SETTLED)
        if any(one.id == id for one in transactions.in_status(store, status, 99))
    }
    return answers, row.updated_at_ms


def test_every_way_to_ask_says_what_the_batch_says(store: Store, region: Region) -> None:
    fund(store, 1, 1_000)
    ids = held(store, 1, 2)
    assert seen(store, ids[0]) == ({Status.SCREENED}, NOW_MS)
    form(store, ids)
    assert seen(store, ids[0]) == ({Status.BATCHED}, FORMED)
    assert transactions.counts_by_status(store) == {Status.BATCHED: 2}
    sign(store)
    assert seen(store, ids[0]) == ({Status.SUBMITTED}, SIGNED)
    batches.mark_included(store, 1, block_number=9, block_hash=b"\2" * 32)
    assert seen(store, ids[0]) == ({Status.SUBMITTED}, SIGNED)
    assert transactions.counts_by_status(store) == {Status.SUBMITTED: 2}
    assert transactions.oldest_live_age_ms(store, NOW_MS + 501) == 500
    assert (_done(store, ids), ledger.discrepancies(store)) == ([], [])
    settle(store, region)
    assert seen(store, ids[0]) == ({Status.COMPLETED}, FINAL)
    assert (transactions.counts_by_status(store), transactions.oldest_live_age_ms(store, FINAL)) == ({}, 0)
    assert (sorted(_done(store, ids)), ledger.discrepancies(store)) == (ids, [])


def test_the_log_of_each_has_what_happened_to_its_batch_and_is_sealed(store: Store, region: Region) -> None:
    fund(store, 1, 1_000)
    (good, skipped, paid_out) = [*held(store, 1, 2), *held(store, 3, type="redeem")]
    beside = screened(store, accepted(4, type="approve"))
    form(store, [good, skipped, paid_out], beside=beside)
    assert transactions.counts_by_status(store) == {Status.BATCHED: 4}
    sign(store)
    settle(store, region, skipped={1: SkipReason.PAYEE_FROZEN})
    until_sent = ["accepted", "screened", "batched", "submitted"]
    assert [e.status for e in events.of(store, good)] == [*until_sent, "settled", "completed"]
    assert [e.status for e in events.of(store, beside[0])] == [*until_sent, "settled", "completed"]
    assert [e.status for e in events.of(store, skipped)] == [*until_sent, "rejected"]
    assert [e.status for e in events.of(store, paid_out)] == [*until_sent, "settled"]
    assert {e.transaction_id for e in events.of(store, good)} == {good}
    assert [status_of(store, id) for id in (good, skipped, paid_out)] == ["completed", "rejected", "settled"]
    # a payout that the bank acknowledges afterwards goes on by itself
    transactions.move(store, [Change(paid_out, Event.COMPLETE)], actor="bank", at_ms=FINAL + 1)
    assert [e.status for e in events.of(store, paid_out)] == [*until_sent, "settled", "completed"]
    assert ledger.discrepancies(store) == []
    events.seal(store, FINAL)
    assert events.verify_seals(store) == 1
    store.execute("UPDATE events SET at_ms = at_ms + 1 WHERE transaction_id = 'batch/1' AND event = 'submit'")
    with pytest.raises(events.SealBroken):
        events.verify_seals(store)


@pytest.mark.parametrize("sign_first", [False, True])
def test_a_number_that_is_formed_again_speaks_only_for_what_is_in_it_now(
    store: Store, region: Region, sign_first: bool
) -> None:
    fund(store, 1, 1_000)
    first, second = held(store, 1, 2)
    form(store, [first])
    if sign_first:
        sign(store)
    with store.transaction():
        before = Status.SUBMITTED if sign_first else Status.BATCHED
        transactions.advance_batch(store, [first], Event.UNBATCH, from_status=before, actor="lane", at_ms=FORMED)
        batches.void(store, [1])
    assert status_of(store, first) is Status.SCREENED
    form(store, [second])
    sign(store)
    settle(store, region)
    sent = ["submitted"] if sign_first else []
    assert [e.status for e in events.of(store, first)] == ["accepted", "screened", "batched", *sent, "screened"]
    assert (status_of(store, first), status_of(store, second)) == (Status.SCREENED, Status.COMPLETED)
    form(store, [first], number=2)
    assert [e.status for e in events.of(store, first)][-1] == status_of(store, first) == Status.BATCHED
    assert ledger.discrepancies(store) == []


@pytest.mark.parametrize("step", ["form", "sign", "settle"])
def test_killed_before_the_commit_of_a_step_nothing_of_it_shows(store: Store, region: Region, step: str) -> None:
    fund(store, 1, 1_000)
    ids = held(store, 1, 2)
    steps: dict[str, Callable[[], None]] = {
        "form": lambda: form(store, ids),
        "sign": lambda: sign(store),
        "settle": lambda: settle(store, region),
    }

    def killed(work: Callable[[], None]) -> None:
        with store.transaction():
            work()
            raise Killed

    for name, work in steps.items():
        if name == step:
            before = [events.of(store, id) for id in ids], transactions.get_many(store, ids)
            balances = ledger.balances(store, address(1))
            with pytest.raises(Killed):
                killed(work)
            assert ([events.of(store, id) for id in ids], transactions.get_many(store, ids)) == before
            assert (ledger.balances(store, address(1)), ledger.discrepancies(store)) == (balances, [])
        with store.transaction():
            work()
    assert {status_of(store, id) for id in ids} == {Status.COMPLETED}


def test_what_was_settled_is_not_settled_again(store: Store, region: Region) -> None:
    fund(store, 1, 1_000)
    settled, _ = held(store, 1, 2)
    form(store, [settled])
    sign(store)
    settle(store, region)
    with pytest.raises(AssertionError, match="could become final"), store.transaction():
        settle(store, region)
    assert [b.posted for b in ledger.balances(store, address(2))] == [100]


def test_a_batch_that_lost_an_item_behind_the_lane_s_back_is_not_settled(store: Store, region: Region) -> None:
    """Given that somebody refused a payment that is on its way, when the chain settles it, then a person must look."""
    fund(store, 1, 1_000)
    ids = held(store, 1, 2)
    form(store, ids)
    sign(store)
    transactions.move(store, [Change(ids[0], Event.REJECT, code="x")], actor="somebody", at_ms=SIGNED)
    with pytest.raises(AssertionError, match="speaks for 1"), store.transaction():
        settle(store, region)
    assert ledger.balances(store, address(2)) == []


def test_a_return_after_completion_is_written_in_its_own_row(store: Store, region: Region) -> None:
    fund(store, 1, 1_000)
    (id,) = held(store, 1)
    form(store, [id])
    sign(store)
    settle(store, region)
    transactions.move(store, [Change(id, Event.RETURN, code="R10")], actor="bank", at_ms=FINAL + 5)
    assert seen(store, id) == ({Status.RETURNED}, FINAL + 5)
    assert transactions.get(store, transaction_id(1)).batch_number == 1  # type: ignore[union-attr]


def test_whose_attestation_is_on_its_way_waits_for_no_second_one(store: Store, region: Region) -> None:
    """From the moment it is stored until it is final; then the desk is asked again if it still stands otherwise."""
    accounts.create_user(store, UserRow("user-1", address(2), "ann", "US-TX", NOW_MS))
    accounts.mark_registered(store, address(2))
    accounts.set_kyc(store, address(2), "kyc_1", "passed", [])

    def wait_for_desk() -> list[str]:
        return [row.account for row in examinations.waiting_for_desk(store, 10)]

    assert wait_for_desk() == [address(2)]
    row = accepted(1, payer=9, payee=2, type="attest_identity", administrative=True)
    insert_accepted(store, [row])
    assert wait_for_desk() == []
    transactions.move(store, [Change(row.id, Event.SCREEN)], actor="screening", at_ms=NOW_MS)
    assert wait_for_desk() == []
    batches.form(store, replace(formed(1), kind="admin", nonce=1))
    transactions.place_in_batch(store, [row.id], 1, actor="lane", at_ms=FORMED)
    assert wait_for_desk() == []
    sign(store)
    assert wait_for_desk() == []
    batches.mark_final(store, 1, block_number=1, block_hash=b"", skipped_count=0, final_at_ms=FINAL)
    assert wait_for_desk() == [address(2)]


READS_TRANSACTIONS = {
    "api/waiting.py", "store/bank_facts.py", "store/carried.py", "store/cases.py", "store/examinations.py",
    "store/intake.py",
    "store/ledger.py", "store/movements.py", "store/moves.py", "store/outbox.py", "store/reviews.py",
    "store/sanctions.py", "store/standstill.py", "store/transactions.py",
    "workflows/erasure.py", "workflows/sanctions_acts.py",
}  # fmt: skip
"""Files with SQL over transactions, each looked at: they take a status from `store.standing`, or want one of those that
are always written in the row itself (held, in_review, awaiting_funds), or none."""


def test_nobody_reads_a_row_s_own_status_unaware() -> None:
    """A row in a batch says `batched` for ever: SQL that means where a transaction stands asks with STATUS."""
    root = Path(sdt.__file__).parent
    found = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if re.search(r"(FROM|JOIN) transactions\b", file.read_text()) and file.parent.name != "migrations"
    }
    assert found - {"store/events.py", "store/standing.py"} <= READS_TRANSACTIONS, (
        "read sdt.store.standing, then add it"
    )
