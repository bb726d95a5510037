"""Facts about bank entries against a real store: what each posts and moves, and what it never does twice."""

from __future__ import annotations

from datetime import date

import pytest

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.ledger import redeem_postings
from sdt.domain.transaction import Event, Status
from sdt.store import Store, banking, ledger, transactions
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change
from sdt.worker import bank_entries
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, fund, status_of, transaction_id

pytestmark = pytest.mark.usefixtures("store")
DAY = date(2026, 11, 25)
E = EntryEvent


def deposit(store: Store, n: int, units: int = 100) -> BankEntryRow:
    """A deposit that waits for its debit, which is wanted and in no file yet."""
    transactions.insert_accepted(store, [accepted(n, units=units, type="deposit")])
    transactions.move(store, [Change(transaction_id(n), Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
    return _entry(store, n, "debit", units)


def payout(store: Store, n: int, units: int = 100) -> BankEntryRow:
    """A redemption that is burnt, and its credit."""
    fund(store, 1, units)
    transactions.insert_accepted(store, [accepted(n, units=units, type="redeem")])
    burnt = redeem_postings(TOKEN, transaction_id(n), address(1), units, 0, FEE_ACCOUNT)
    ledger.post(store, [(transaction_id(n), p) for p in burnt], release=[], at_ms=NOW_MS)
    steps = (Event.SCREEN, Event.BATCH, Event.SUBMIT, Event.SETTLE)
    for step in steps:
        transactions.move(store, [Change(transaction_id(n), step)], actor="lane", at_ms=NOW_MS)
    return _entry(store, n, "credit", units)


def _entry(store: Store, n: int, direction: str, units: int) -> BankEntryRow:
    row = BankEntryRow(
        f"ach:{transaction_id(n)}", transaction_id(n), direction, TOKEN, units, f"bank-{n}", "created", None, NOW_MS
    )
    assert banking.put_entry(store, row)
    return row


def tell(store: Store, entry: BankEntryRow, *events: EntryEvent, code: str | None = None) -> EntryStatus:
    """Tell facts of an entry, in order, and return where it stands."""
    for event in events:
        of = code if event is E.RETURN else None
        bank_entries.apply(store, texas(), entry, event, code=of, on=DAY, at_ms=NOW_MS)
    found = banking.entry(store, entry.id)
    assert found is not None
    return EntryStatus(found.status)


def net(store: Store, name: str) -> int:
    """What stands on the debit side of an account."""
    found = ledger.account_balance(store, name)
    return found.debits - found.credits


def kinds_of_cases(store: Store) -> list[str]:
    return [kind for (kind,) in store.rows("SELECT kind FROM cases ORDER BY kind")]


def test_a_debit_settles_and_outlasts_its_window(store: Store) -> None:
    entry = deposit(store, 1)
    assert tell(store, entry, E.FILE) is EntryStatus.FILED
    assert net(store, f"InFlight:{TOKEN}") == 100
    assert tell(store, entry, E.ACKNOWLEDGE, E.SETTLE, E.OUTLAST) is EntryStatus.WINDOW_PASSED
    assert net(store, f"InFlight:{TOKEN}") == 0
    assert net(store, f"Clearing:{TOKEN}") == 100
    assert net(store, f"Pending:{TOKEN}:{transaction_id(1)}") == -100
    assert ledger.discrepancies(store) == []


def test_what_is_told_again_changes_nothing_and_is_nobodys_case(store: Store) -> None:
    entry = deposit(store, 1)
    told = (E.FILE, E.ACKNOWLEDGE, E.SETTLE, E.OUTLAST)
    tell(store, entry, *told)
    assert tell(store, entry, *told) is EntryStatus.WINDOW_PASSED
    assert net(store, f"Clearing:{TOKEN}") == 100
    assert kinds_of_cases(store) == []


@pytest.mark.parametrize("before", [(E.FILE,), (E.FILE, E.SETTLE), (E.LOSE,), (E.FILE, E.SETTLE, E.OUTLAST)])
def test_a_debit_that_came_back_before_the_mint_leaves_no_trace_in_the_balances(
    store: Store, before: tuple[EntryEvent, ...]
) -> None:
    entry = deposit(store, 1)
    tell(store, entry, *before)
    assert tell(store, entry, E.RETURN, code="R01") is EntryStatus.RETURNED
    for account in (f"InFlight:{TOKEN}", f"Clearing:{TOKEN}", f"Pending:{TOKEN}:{transaction_id(1)}"):
        assert net(store, account) == 0
    row = transactions.get(store, transaction_id(1))
    assert row is not None and row.status is Status.RETURNED and row.code == "R01"


def test_a_second_return_of_one_entry_is_a_case_and_changes_nothing(store: Store) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE)
    tell(store, entry, E.RETURN, E.RETURN, E.RETURN, code="R01")
    assert net(store, f"Clearing:{TOKEN}") == 0
    assert kinds_of_cases(store) == ["ach_unmatched"]


def test_a_fact_that_cannot_follow_is_a_case_and_changes_nothing(store: Store) -> None:
    entry = deposit(store, 1)
    assert tell(store, entry, E.SETTLE) is EntryStatus.CREATED
    assert net(store, f"Clearing:{TOKEN}") == 0
    assert kinds_of_cases(store) == ["ach_unmatched"]


def test_a_debit_that_the_bank_refused_ends_its_deposit(store: Store) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.REFUSE)
    assert net(store, f"InFlight:{TOKEN}") == 0
    assert status_of(store, transaction_id(1)) is Status.REJECTED


def test_a_payout_that_is_paid_completes_its_redemption(store: Store) -> None:
    entry = payout(store, 1)
    tell(store, entry, E.FILE, E.SETTLE)
    assert net(store, f"Clearing:{TOKEN}") == -100
    assert status_of(store, transaction_id(1)) is Status.COMPLETED
    assert ledger.discrepancies(store) == []
