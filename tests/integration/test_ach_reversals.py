"""Reversals on a real store: each order is carried out or refused, and nothing is minted for what goes back."""

from __future__ import annotations

from datetime import date

import pytest
from nacl.signing import SigningKey
from test_money_acts import (
    NAMED,
    E,
    act,
    agree,
    officers,  # noqa: F401  (fixture)
    refused,
    tell,
)

from domain_messages import envelope_claims, sealed, texas
from sdt.api.desk import custodian_tasks
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.claims import format_time
from sdt.domain.envelope import message_digest
from sdt.domain.message import Issue
from sdt.domain.transaction import Event, Status
from sdt.store import Store, ach, banking, reserve_moves, transactions
from sdt.store.ach import AchEntryRow
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change
from sdt.worker.ach.facts import Facts
from sdt.worker.judging import judge_issue
from sdt.workflows.ach_reversal import BANK_DAY
from store_rig import NOW_MS, TOKEN, accepted, address, status_of, transaction_id

pytestmark = pytest.mark.usefixtures("store", "officers")
SETTLED_ON, TODAY = date(2026, 11, 25), date(2026, 11, 30)
PASSES = "2026-11-30 08:30"
TRACE = "111000020000001"
DEPOSIT, ENTRY = transaction_id(1), f"ach:{transaction_id(1)}"
CLAIMS = {"trace": TRACE, "discovered_on": TODAY.isoformat(), **NAMED}


def deposit(store: Store, *events: EntryEvent) -> BankEntryRow:
    """A deposit of 100 by ACH whose debit went out and settled, and what came after."""
    claims = envelope_claims("deposit") | {
        "transaction_id": DEPOSIT,
        "token": TOKEN,
        "account": address(1),
        "amount": "100",
        "source": "bank:ref-1",
        "expires_at": format_time(NOW_MS // 1000 + 900),
    }
    raw = sealed("deposit", claims, SigningKey(bytes([99]) * 32))
    row = accepted(1, units=100, type="deposit")
    transactions.insert_accepted(store, [row._replace(raw=raw, digest=message_digest(raw))])
    transactions.move(store, [Change(DEPOSIT, Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
    entry = BankEntryRow(ENTRY, DEPOSIT, "debit", TOKEN, 100, TRACE, "created", None, NOW_MS)
    assert banking.put_entry(store, entry)
    wanted = AchEntryRow(ENTRY, "payment", "ref-1", address(1), TOKEN, False, 100, "WEB", False, DEPOSIT, NOW_MS)
    assert ach.want(store, wanted)
    ach.put_into_file(store, "TXD-20261124-A.ach", [(1, TRACE, SETTLED_ON.isoformat(), ENTRY)])
    ach.set_fields(store, ENTRY, settled_on=SETTLED_ON.isoformat(), follow_at=None if E.OUTLAST in events else PASSES)
    tell(store, entry, E.FILE, E.SETTLE, *events)
    with store.transaction():
        ach.set_counter(store, BANK_DAY, TODAY.toordinal())
    return entry


def order(store: Store) -> AchEntryRow:
    """Two officers take the entry back; returns the reversing entry."""
    told = agree(store, act(store, "reverse_entry", "treasury", **CLAIMS), "approver")
    row = ach.entry(store, told["reversal"])
    assert row is not None
    return row


def of_reversal(store: Store, row: AchEntryRow, *events: EntryEvent) -> None:
    for event in events:
        fresh = ach.entry(store, row.id)
        assert fresh is not None
        with store.transaction():
            Facts(texas()).tell(store, fresh, event, on=TODAY, at_ms=NOW_MS)


def asked_for(store: Store) -> list[str]:
    """The transfers into the reserve that wait."""
    return [m.transaction_id for m in reserve_moves.open_moves(store, 9) if m.direction == "in"]


def issue(store: Store, n: int = 7) -> Change:
    """What screening says to an issue for the deposit."""
    claims = envelope_claims("issue") | {
        "transaction_id": transaction_id(n),
        "token": TOKEN,
        "account": address(1),
        "amount": "100",
        "deposit": DEPOSIT,
        "evidence": "ab" * 32,
    }
    message = Issue(**{name: value for name, value in claims.items() if name != "type"})
    row = transactions.get(store, transaction_id(n))
    assert row is not None
    with store.transaction():
        return judge_issue(store, texas(), row, message, NOW_MS, [])


def issued(store: Store, n: int, *steps: Event) -> None:
    """An issue for the deposit that went so far."""
    transactions.insert_accepted(store, [accepted(n, units=100, type="issue")])
    first = Change(transaction_id(n), Event.SCREEN, linked_id=DEPOSIT)
    changes = [first, *(Change(transaction_id(n), step) for step in steps)]
    for change in changes:
        transactions.move(store, [change], actor="screening", at_ms=NOW_MS)


def test_a_reversal_that_the_bank_refused_is_ordered_again(store: Store) -> None:
    deposit(store)
    first = order(store)
    of_reversal(store, first, E.FILE, E.REFUSE)
    second = order(store)
    assert (second.id, second.stage, second.status) == (f"reversal:2:{ENTRY}", "wanted", "created")
    of_reversal(store, second, E.FILE, E.ACKNOWLEDGE, E.SETTLE)
    [entry] = banking.entries_of(store, [DEPOSIT])
    assert (entry.status, status_of(store, DEPOSIT)) == (EntryStatus.REVERSED, Status.RETURNED)


def test_a_second_order_is_refused_while_the_first_is_under_way(store: Store) -> None:
    deposit(store)
    other = act(store, "reverse_entry", "treasury", **CLAIMS)
    order(store)
    with refused("ach_not_reversible"):
        agree(store, other, "approver")
    with refused("ach_not_reversible"):
        act(store, "reverse_entry", "treasury", **CLAIMS)


def test_nothing_is_minted_for_what_passed_its_window_and_is_taken_back(store: Store) -> None:
    deposit(store, E.OUTLAST)
    issued(store, 6)
    assert asked_for(store) == [DEPOSIT]
    assert [task["transaction_id"] for task in custodian_tasks(store) if task["kind"] == "deposit"] == [DEPOSIT]
    reversal = order(store)
    # What waited is stopped, and nothing new begins
    assert (status_of(store, transaction_id(6)), asked_for(store)) == (Status.REJECTED, [])
    assert custodian_tasks(store) == []
    transactions.insert_accepted(store, [accepted(7, units=100, type="issue")])
    assert (issue(store).event, issue(store).code) == (Event.REJECT, "deposit_used")
    # The reversal comes to nothing: the deposit goes on
    of_reversal(store, reversal, E.FILE, E.REFUSE)
    assert asked_for(store) == [DEPOSIT]
    assert issue(store).code != "deposit_used"


def test_a_window_that_passes_beside_a_reversal_funds_nothing(store: Store) -> None:
    entry = deposit(store)
    reversal = order(store)
    tell(store, entry, E.OUTLAST)
    assert asked_for(store) == []
    of_reversal(store, reversal, E.REFUSE)
    assert asked_for(store) == [DEPOSIT]


def test_a_transfer_into_the_reserve_that_crossed_the_order_goes_back_and_is_asked_for_anew(store: Store) -> None:
    deposit(store, E.OUTLAST)
    reversal = order(store)
    # as `sdt.worker.statements` follows a line of the bank's for what was asked for no longer
    crossed = reserve_moves.done(store, DEPOSIT, "in", 100, "book-1", NOW_MS)
    assert crossed is not None
    assert crossed.canceled
    reserve_moves.want(store, DEPOSIT, "out", TOKEN, 100, "crossed-1", NOW_MS)
    of_reversal(store, reversal, E.FILE, E.REFUSE)
    assert asked_for(store) == [DEPOSIT]
    assert not reserve_moves.stands_ahead(store, DEPOSIT)


def test_dollars_that_had_gone_into_the_reserve_before_the_order_are_asked_for_once(store: Store) -> None:
    deposit(store, E.OUTLAST)
    assert reserve_moves.done(store, DEPOSIT, "in", 100, "book-1", NOW_MS) is not None
    reversal = order(store)
    of_reversal(store, reversal, E.FILE, E.REFUSE)
    assert asked_for(store) == []
    assert reserve_moves.stands_ahead(store, DEPOSIT)


def test_what_is_being_minted_is_not_taken_back_before_that_is_final(store: Store) -> None:
    deposit(store, E.OUTLAST)
    waiting = act(store, "reverse_entry", "treasury", **CLAIMS)
    issued(store, 6, Event.BATCH, Event.SUBMIT)
    with refused("mint_on_the_way"):
        agree(store, waiting, "approver")
    assert asked_for(store) == [DEPOSIT]
