"""Facts about bank entries against a real store: what each posts and moves, and what it never does twice."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.errors import Conflict, NotFound
from sdt.domain.ledger import fund_postings, issue_postings, prefunded, redeem_postings, token_account
from sdt.domain.transaction import Event, Status
from sdt.store import Store, banking, ledger, registry, reserve_moves, sanctions, transactions, undone
from sdt.store.accounts import UserRow, create_user
from sdt.store.banking import BankEntryRow
from sdt.store.registry import FreezeRow, IdentityRow
from sdt.store.sanctions import StandingRow
from sdt.store.transactions import Change
from sdt.worker import bank_entries
from sdt.worker.bank_entries import dishonor_arrived, dishonor_taken
from sdt.workflows import blocking, debts, payouts, settling
from sdt.workflows.adjusting import adjustments_due
from sdt.workflows.clearing import explain_clearing
from sdt.workflows.cover import cover_of
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, fund, screened, status_of, transaction_id

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


def test_a_deposit_blocked_released_and_blocked_again_is_asked_for_anew_each_time(store: Store) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST)
    for _ in range(2):
        assert blocking.block_deposit(store, transaction_id(1), reference="case", actor="officer", at_ms=NOW_MS)
        assert [m.direction for m in reserve_moves.open_moves(store, 10)] == ["blocked"]
        blocking.release(store, transaction_id(1), actor="officer", at_ms=NOW_MS)
        assert [m.direction for m in reserve_moves.open_moves(store, 10)] == ["in"]


@pytest.mark.parametrize("eligible", [False, True])
def test_a_payout_whose_return_was_dishonored_is_not_minted_as_well(store: Store, eligible: bool) -> None:
    if eligible:
        known(store)
    entry = payout(store, 1)
    tell(store, entry, E.FILE, E.SETTLE)
    paid = net(store, f"Clearing:{TOKEN}")
    tell(store, entry, E.RETURN, code="R03")
    assert tell(store, entry, E.DISHONOR) is EntryStatus.DISHONORED
    assert net(store, f"Clearing:{TOKEN}") == paid
    assert payouts.due(store, TOKEN, transaction_id(1)) == 0
    assert undone.get(store, transaction_id(1)) is None
    assert [m.direction for m in reserve_moves.open_moves(store, 10) if m.direction == "in"] == []
    assert "ach_return" in kinds_of_cases(store)

    tell(store, entry, E.CONTEST)
    assert net(store, f"Clearing:{TOKEN}") == paid + 100
    assert net(store, f"Suspense:{TOKEN}:{transaction_id(1)}") == -100
    assert ledger.discrepancies(store) == []


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


# --- after the mint ---


def minted(store: Store, n: int, units: int = 100) -> BankEntryRow:
    """A deposit of user 1 whose window has passed and that was minted."""
    entry = deposit(store, n, units)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST)
    mint(store, n, units)
    return entry


def mint(store: Store, n: int, units: int = 100) -> None:
    """Mint for a deposit of user 1."""
    ledger.post(store, [(transaction_id(n), p) for p in fund_postings(TOKEN, units)], release=[], at_ms=NOW_MS)
    made = issue_postings(TOKEN, transaction_id(n), address(1), units)
    ledger.post(store, [(transaction_id(n), p) for p in made], release=[], at_ms=NOW_MS)
    transactions.move(
        store, [Change(transaction_id(n), event) for event in (Event.ISSUED, Event.COMPLETE)], actor="lane", at_ms=1
    )


def owed(store: Store, n: int) -> int:
    return debts.owed(store, TOKEN, transaction_id(n))


def test_the_window_asks_for_the_funding_once(store: Store) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST, E.OUTLAST)
    [move] = reserve_moves.open_moves(store, 10, TOKEN)
    assert (move.transaction_id, move.direction, move.units, move.reason) == (transaction_id(1), "in", 100, "deposit")


def test_a_late_return_is_the_depositors_debt_and_holds_the_account(store: Store) -> None:
    entry = minted(store, 1)
    # given a payment of the depositor that waits with held funds
    [payment] = screened(store, accepted(2, units=60))
    assert ledger.hold(store, [(payment, token_account(TOKEN, address(1)), 60)]) == [True]
    store.execute("UPDATE transactions SET held_units = 60 WHERE id = ?", (payment,))
    # when the debit comes back on day 45
    assert tell(store, entry, E.RETURN, code="R10") is EntryStatus.RETURNED
    # then the original says so, the debt stands, clearing is down, the tokens are untouched
    assert status_of(store, transaction_id(1)) is Status.RETURNED
    assert owed(store, 1) == 100
    assert net(store, f"Clearing:{TOKEN}") == -100
    assert ledger.supply(store, TOKEN) == 100
    assert undone.on_hold(store, [address(1), address(2)]) == {(address(1), TOKEN)}
    # and the payment is refused in neutral words, its funds are free, an officer has the case
    row = transactions.get(store, payment)
    assert row is not None and (row.status, row.code) == (Status.REJECTED, "account_on_hold")
    assert ledger.account_balance(store, token_account(TOKEN, address(1))).held == 0
    assert kinds_of_cases(store) == ["receivable"]
    assert ledger.discrepancies(store) == []


@pytest.mark.parametrize("way", ["repaid", "write_off"])
def test_a_debt_that_is_settled_ends_the_hold(store: Store, way: str) -> None:
    tell(store, minted(store, 1), E.RETURN, code="R10")
    settle = getattr(debts, way)
    settle(store, TOKEN, transaction_id(1), 40, NOW_MS)
    assert owed(store, 1) == 60
    assert undone.on_hold(store, [address(1)])
    settle(store, TOKEN, transaction_id(1), 60, NOW_MS)
    assert owed(store, 1) == 0
    assert not undone.on_hold(store, [address(1)])
    assert net(store, f"Clearing:{TOKEN}") == 0
    with pytest.raises(AssertionError):
        settle(store, TOKEN, transaction_id(1), 1, NOW_MS)


def test_a_dishonored_return_settles_the_debt_and_a_contested_one_brings_it_back(store: Store) -> None:
    entry = minted(store, 1)
    tell(store, entry, E.RETURN, code="R10")
    assert tell(store, entry, E.DISHONOR) is EntryStatus.DISHONORED
    assert (owed(store, 1), net(store, f"Clearing:{TOKEN}")) == (0, 0)
    assert not undone.on_hold(store, [address(1)])
    assert tell(store, entry, E.CONTEST) is EntryStatus.CONTESTED
    assert (owed(store, 1), net(store, f"Clearing:{TOKEN}")) == (100, -100)
    assert undone.on_hold(store, [address(1)])
    assert ledger.discrepancies(store) == []


def test_a_return_that_we_dishonored_is_the_banks_debt_until_it_settles(store: Store) -> None:
    entry = minted(store, 1)
    tell(store, entry, E.RETURN, code="R01")
    dishonor_taken(store, texas(), entry, code="R68", on=date(2026, 12, 7), at_ms=NOW_MS)
    due = f"DueFromBank:{TOKEN}:{transaction_id(1)}"
    # Nobody but the bank owes it: the account is free before the dollars are here.
    assert (owed(store, 1), net(store, due), net(store, f"Clearing:{TOKEN}")) == (0, 100, -100)
    assert not undone.on_hold(store, [address(1)])
    for _ in range(2):
        dishonor_arrived(store, entry, at_ms=NOW_MS)
        assert (net(store, due), net(store, f"Clearing:{TOKEN}")) == (0, 0)
    # A second time it is no return any more: a case, and nothing is owed.
    dishonor_taken(store, texas(), entry, code="R68", on=date(2026, 12, 7), at_ms=NOW_MS)
    assert (net(store, due), "ach_unmatched" in kinds_of_cases(store)) == (0, True)
    assert tell(store, entry, E.CONTEST) is EntryStatus.CONTESTED
    assert (owed(store, 1), net(store, due), net(store, f"Clearing:{TOKEN}")) == (100, 0, -100)
    assert undone.on_hold(store, [address(1)])
    assert ledger.discrepancies(store) == []


def test_dollars_of_a_dishonored_return_that_nobody_owes_wait_for_an_officer(store: Store) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE)
    tell(store, entry, E.RETURN, code="R01")
    tell(store, entry, E.DISHONOR)
    assert net(store, f"Suspense:{TOKEN}:{transaction_id(1)}") == -100
    assert kinds_of_cases(store) == ["ach_return"]
    tell(store, entry, E.CONTEST)
    assert net(store, f"Suspense:{TOKEN}:{transaction_id(1)}") == 0
    assert net(store, f"Clearing:{TOKEN}") == 0


# --- while it is being minted ---


def issue_of(store: Store, n: int, *events: Event) -> str:
    """An issue of deposit n, with its approval, as far as these events brought it."""
    issue, approval = 100 + n, 200 + n
    rows = [
        accepted(issue, type="issue", linked_id=transaction_id(n), units=100),
        accepted(approval, type="approve", linked_id=transaction_id(issue)),
    ]
    transactions.insert_accepted(store, rows)
    for id_ in (transaction_id(issue), transaction_id(approval)):
        for event in events:
            transactions.move(store, [Change(id_, event)], actor="lane", at_ms=NOW_MS)
    return transaction_id(issue)


@pytest.mark.parametrize("reached", [(), (Event.HOLD,), (Event.HOLD, Event.SCREEN)])
@pytest.mark.parametrize("funded", [False, True])
def test_a_return_before_the_batch_stops_the_mint(store: Store, reached: tuple[Event, ...], funded: bool) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST)
    issue = issue_of(store, 1, *reached)
    if funded:
        assert reserve_moves.done(store, transaction_id(1), "in", 100, "book-1", NOW_MS)
    tell(store, entry, E.RETURN, code="R01")
    assert status_of(store, issue) is Status.REJECTED
    assert status_of(store, transaction_id(1)) is Status.RETURNED
    assert net(store, f"Clearing:{TOKEN}") == 0
    # and dollars that went ahead go back, or are not asked for any more
    moves = [(m.direction, m.reason) for m in reserve_moves.open_moves(store, 10, TOKEN)]
    assert moves == ([("out", "returned")] if funded else [])


@pytest.mark.parametrize("reached", [(Event.HOLD, Event.SCREEN, Event.BATCH)])
@pytest.mark.parametrize("submitted", [False, True])
@pytest.mark.parametrize("mints", [True, False])
def test_a_return_after_the_batch_is_followed_up_when_the_batch_is_final(
    store: Store, reached: tuple[Event, ...], submitted: bool, mints: bool
) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST)
    steps = (*reached, Event.SUBMIT) if submitted else reached
    issue = issue_of(store, 1, *steps)
    reserve_moves.done(store, transaction_id(1), "in", 100, "book-1", NOW_MS)
    # when the bank takes it back while nothing can stop the mint: the account is on hold at once
    tell(store, entry, E.RETURN, code="R01")
    assert status_of(store, transaction_id(1)) is Status.AWAITING_FUNDS
    assert (owed(store, 1), net(store, f"Clearing:{TOKEN}")) == (100, 0)
    assert undone.on_hold(store, [address(1)])
    rows = [row for row in (transactions.get(store, issue),) if row is not None]
    if mints:
        made = issue_postings(TOKEN, transaction_id(1), address(1), 100)
        ledger.post(store, [(issue, p) for p in made], release=[], at_ms=NOW_MS)
        through = [Change(transaction_id(1), event) for event in (Event.ISSUED, Event.COMPLETE)]
        transactions.move(store, through, actor="lane", at_ms=NOW_MS)
        deposits = [row for row in (transactions.get(store, transaction_id(1)),) if row is not None]
        settling.minted(store, deposits, NOW_MS)
        assert owed(store, 1) == 100
        assert kinds_of_cases(store) == ["receivable"]
    else:
        transactions.move(store, [Change(issue, Event.REJECT)], actor="lane", at_ms=NOW_MS)
        settling.skipped(store, texas(), rows, NOW_MS)
        assert owed(store, 1) == 0
        assert not undone.on_hold(store, [address(1)])
        assert net(store, f"Pending:{TOKEN}:{transaction_id(1)}") == 0
        assert [m.reason for m in reserve_moves.open_moves(store, 10, TOKEN)] == ["returned"]
    assert status_of(store, transaction_id(1)) is Status.RETURNED
    assert ledger.discrepancies(store) == []


# --- payouts ---


def known(store: Store, n: int = 1, *, frozen: bool = False) -> None:
    far_s = NOW_MS // 1000 + 10_000
    if not registry.facts(store, [address(n)]):
        create_user(store, UserRow(f"user{n}", address(n), f"user{n}.tx", "US-TX", NOW_MS, registered=True))
    registry.set_identity(store, IdentityRow(address(n), "dollar", 1, True, far_s))
    if frozen:
        registry.set_freeze(store, FreezeRow(address(n), TOKEN, b"\1" * 32, far_s))


def test_a_failed_payout_is_owed_again_and_asks_for_its_reserve(store: Store) -> None:
    known(store)
    entry = payout(store, 1)
    tell(store, entry, E.FILE, E.SETTLE)
    tell(store, entry, E.RETURN, code="R03")
    assert status_of(store, transaction_id(1)) is Status.RETURNED
    assert (payouts.due(store, TOKEN, transaction_id(1)), net(store, f"Clearing:{TOKEN}")) == (100, 0)
    [move] = reserve_moves.open_moves(store, 10, TOKEN)
    assert (move.direction, move.reason) == ("in", "remint")
    assert kinds_of_cases(store) == []


@pytest.mark.parametrize(("frozen", "code"), [(True, "R23"), (False, "R15"), (False, "R16"), (None, "R03")])
def test_a_payout_to_a_closed_frozen_or_dead_account_goes_to_suspense(
    store: Store, frozen: bool | None, code: str
) -> None:
    if frozen is not None:
        known(store, frozen=frozen)
    entry = payout(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.RETURN, code=code)
    assert payouts.due(store, TOKEN, transaction_id(1)) == 0
    assert net(store, f"Suspense:{TOKEN}:{transaction_id(1)}") == -100
    assert kinds_of_cases(store) == ["payout_suspense"]
    assert reserve_moves.open_moves(store, 10, TOKEN) == []


@pytest.mark.parametrize("funded", [False, True])
def test_a_freeze_before_the_remint_sends_it_to_suspense_and_an_officer_may_let_it_out(
    store: Store, funded: bool
) -> None:
    known(store)
    entry = payout(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.RETURN, code="R03")
    if funded:
        assert reserve_moves.done(store, transaction_id(1), "in", 100, "book-1", NOW_MS)
    payouts.account_stopped(store, address(1), [TOKEN], DAY, NOW_MS)
    assert kinds_of_cases(store) == ["payout_suspense"]
    moves = reserve_moves.open_moves(store, 10, TOKEN)
    assert [m.direction for m in moves] == (["out"] if funded else [])
    row = transactions.get(store, transaction_id(1))
    assert row is not None
    assert payouts.out_of_suspense(store, row, NOW_MS) == 100
    assert [m.reason for m in reserve_moves.open_moves(store, 10, TOKEN) if m.direction == "in"] == ["remint-2"]
    assert payouts.due(store, TOKEN, transaction_id(1)) == 100


def test_a_payout_is_held_by_an_order_or_a_block_and_by_nothing_else(store: Store) -> None:
    known(store)
    payout(store, 1)
    row = transactions.get(store, transaction_id(1))
    assert row is not None
    assert payouts.held_because(store, row, NOW_MS // 1000) is None
    known(store, frozen=True)
    assert payouts.held_because(store, row, NOW_MS // 1000) == "frozen"
    registry.clear_freeze(store, address(1), TOKEN)
    assert blocking.block_payout(store, row.id, reference="case-1", actor="office", at_ms=NOW_MS)
    assert payouts.held_because(store, row, NOW_MS // 1000) == "blocked"


# --- sanctions ---


@pytest.mark.parametrize("before", [(), (E.FILE,), (E.FILE, E.SETTLE), (E.FILE, E.SETTLE, E.OUTLAST)])
def test_a_blocked_deposit_is_never_minted_nor_refunded(store: Store, before: tuple[EntryEvent, ...]) -> None:
    entry = deposit(store, 1)
    tell(store, entry, *before)
    assert blocking.block_deposit(store, transaction_id(1), reference="case-1", actor="office", at_ms=NOW_MS)
    assert not blocking.block_deposit(store, transaction_id(1), reference="case-1", actor="office", at_ms=NOW_MS)
    rest = [e for e in (E.FILE, E.SETTLE, E.OUTLAST) if e not in before]
    tell(store, entry, *rest)
    # then it is in review, as anything else may be; the dollars are set apart and go into no reserve
    assert status_of(store, transaction_id(1)) is Status.IN_REVIEW
    assert net(store, f"Blocked:{TOKEN}:{transaction_id(1)}") == -100
    assert [m.direction for m in reserve_moves.open_moves(store, 10, TOKEN)] == ["blocked"]
    # and what the bank takes back all the same is owed, for the law lets nobody release it
    tell(store, entry, E.RETURN, code="R10")
    assert (net(store, f"Blocked:{TOKEN}:{transaction_id(1)}"), owed(store, 1)) == (-100, 100)


@pytest.mark.parametrize("funded", [False, True])
def test_a_payout_that_came_back_is_blocked_and_after_a_licence_minted_again(store: Store, funded: bool) -> None:
    known(store)
    entry, id = payout(store, 1), transaction_id(1)
    tell(store, entry, E.FILE, E.SETTLE, E.RETURN, code="R03")
    if funded:
        assert reserve_moves.done(store, id, "in", 100, "book-1", NOW_MS)
        assert [one.amount for one in adjustments_due(store, texas(), TOKEN, NOW_MS // 1000)] == [100]
    assert blocking.block_payout(store, id, reference="case-1", actor="office", at_ms=NOW_MS)
    # then nothing is to be minted any more, and what went into the reserve for it comes out to be set apart
    assert (payouts.due(store, TOKEN, id), net(store, f"Blocked:{TOKEN}:{id}")) == (0, -100)
    assert undone.get(store, id) is None
    wanted = {move.direction for move in reserve_moves.open_moves(store, 10, TOKEN)}
    assert wanted == ({"out", "blocked"} if funded else {"blocked"})
    # and what a licence lets go is owed as before
    blocking.release(store, id, actor="office", at_ms=NOW_MS)
    assert payouts.due(store, TOKEN, id) == 100
    assert reserve_moves.done(store, id, "in", 100, "book-2", NOW_MS)
    assert [one.amount for one in adjustments_due(store, texas(), TOKEN, NOW_MS // 1000)] == [100]


@pytest.mark.parametrize("steps", [(), (Event.SCREEN,), (Event.SCREEN, Event.BATCH)])
def test_a_block_refuses_a_remint_that_waits_and_comes_too_late_for_one_on_its_way(
    store: Store, steps: tuple[Event, ...]
) -> None:
    known(store)
    entry = payout(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.RETURN, code="R03")
    remint = accepted(2, type="adjust", linked_id=transaction_id(1))
    transactions.insert_accepted(store, [remint])
    for step in steps:
        transactions.move(store, [Change(remint.id, step)], actor="lane", at_ms=NOW_MS)
    if Event.BATCH in steps:
        with pytest.raises(Conflict, match="freeze"):
            blocking.block_payout(store, transaction_id(1), reference="case-1", actor="office", at_ms=NOW_MS)
        assert payouts.due(store, TOKEN, transaction_id(1)) == 100
    else:
        assert blocking.block_payout(store, transaction_id(1), reference="case-1", actor="office", at_ms=NOW_MS)
        assert status_of(store, remint.id) is Status.REJECTED


@pytest.mark.parametrize(("standing", "due"), [("clear", 1), ("review", 0), ("blocked", 0)])
def test_nothing_is_adjusted_for_an_account_that_is_blocked_or_in_review(store: Store, standing: str, due: int) -> None:
    known(store)
    tell(store, payout(store, 1), E.FILE, E.SETTLE, E.RETURN, code="R03")
    assert reserve_moves.done(store, transaction_id(1), "in", 100, "book-1", NOW_MS)
    sanctions.put_standing(store, StandingRow(address(1), standing, "p" * 64, "l" * 64, 1, NOW_MS))
    assert len(adjustments_due(store, texas(), TOKEN, NOW_MS // 1000)) == due


def test_a_block_that_a_licence_lifts_lets_the_deposit_go_on(store: Store) -> None:
    entry = deposit(store, 1)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST)
    blocking.block_deposit(store, transaction_id(1), reference="case-1", actor="office", at_ms=NOW_MS)
    blocking.release(store, transaction_id(1), actor="office", at_ms=NOW_MS)
    assert status_of(store, transaction_id(1)) is Status.AWAITING_FUNDS
    assert net(store, f"Pending:{TOKEN}:{transaction_id(1)}") == -100
    assert [m.direction for m in reserve_moves.open_moves(store, 10, TOKEN)] == ["in"]


def test_what_is_minted_paid_or_with_the_bank_is_not_blocked_here(store: Store) -> None:
    minted(store, 1)
    entry = payout(store, 2)
    tell(store, entry, E.FILE)
    for block, n in ((blocking.block_deposit, 1), (blocking.block_payout, 2)):
        with pytest.raises(Conflict, match=r"."):
            block(store, transaction_id(n), reference="case-1", actor="office", at_ms=NOW_MS)
    with pytest.raises(NotFound):
        blocking.block_deposit(store, transaction_id(2), reference="case-1", actor="office", at_ms=NOW_MS)


# --- clearing ---


def test_clearing_explains_itself_item_by_item(store: Store) -> None:
    ledger.post(store, [("prefund", p) for p in prefunded(TOKEN, 1_000)], release=[], at_ms=NOW_MS)
    known(store)
    tell(store, deposit(store, 1, 10), E.FILE, E.SETTLE)
    tell(store, minted(store, 2, 20), E.RETURN, code="R10")
    tell(store, payout(store, 3, 40), E.FILE)
    tell(store, payout(store, 4, 80), E.FILE, E.SETTLE, E.RETURN, code="R15")
    found = {(item.kind, item.reference): item.units for item in explain_clearing(store, TOKEN)}
    assert found[("prefund", "")] == 1_000
    assert found[("deposit", transaction_id(1))] == 10
    assert found[("receivable", transaction_id(2))] == -20
    assert found[("payout", transaction_id(3))] == 40
    assert found[("suspense", transaction_id(4))] == 80
    assert sum(found.values()) == net(store, f"Clearing:{TOKEN}")


def test_cover_counts_what_may_still_come_back(store: Store) -> None:
    minted(store, 1, 1_000)
    region = texas()
    state = cover_of(store, region, TOKEN, DAY)
    # the three largest users whole
    assert (state.exposure, state.required, state.short) == (1_000, 1_000, 1_000)
    ledger.post(store, [("prefund", p) for p in prefunded(TOKEN, 900)], release=[], at_ms=NOW_MS)
    assert cover_of(store, region, TOKEN, DAY).short == 100
    # the sixtieth day is a Sunday: what came back on it is here on Monday
    assert cover_of(store, region, TOKEN, DAY + timedelta(days=61)).exposure == 1_000
    assert cover_of(store, region, TOKEN, DAY + timedelta(days=62)).exposure == 0
    # what was taken back is a debt: it counts no longer as exposure, and eats the prefund
    [entry] = banking.entries_of(store, [transaction_id(1)])
    tell(store, entry, E.RETURN, code="R10")
    found = cover_of(store, region, TOKEN, DAY)
    assert (found.exposure, found.prefund) == (0, -100)
