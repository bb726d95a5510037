"""Transfers into the reserve that crossed the word to leave them come back, once, whatever else happens to them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from test_bank_entries import DAY, E, deposit, kinds_of_cases, known, payout, tell

from domain_messages import texas
from sdt.domain.errors import Conflict
from sdt.domain.transaction import Status
from sdt.ports.statement import Flow, StatementLine
from sdt.store import Store, banking, blocked, ledger, reserve_moves, transactions
from sdt.worker.clock import Clock
from sdt.worker.statements import Statements
from sdt.workflows import blocking, debts, payouts, sanctions_acts
from sdt.workflows.clearing import explain_clearing
from store_rig import NOW_MS, TOKEN, transaction_id

pytestmark = pytest.mark.usefixtures("store")
ONE = transaction_id(1)


class Desk:
    """The custodian's own doing: what it transfers shows on the statements, whatever the books ask meanwhile."""

    def __init__(self, store: Store) -> None:
        self.store, self.lines = store, Counter[str]()
        self.reader = Statements(store, texas(), None, 0, Clock(), one_by_one=False)  # type: ignore[arg-type]

    def transfers(self, purpose: str, units: int, kind: str = "book") -> None:
        self.lines[purpose] += 1
        n, flow = self.lines[purpose], Flow.IN if units > 0 else Flow.OUT
        amount = texas().token(TOKEN).amount(abs(units))
        line = StatementLine(n, kind, flow, amount, f"{purpose}-{n}", ONE, datetime(2026, 11, 2, tzinfo=UTC))
        with self.store.transaction():
            self.reader._take_in(self.store, TOKEN, purpose, (line,))  # type: ignore[arg-type]


def asked(store: Store) -> list[tuple[str, str]]:
    return [(m.direction, m.reason) for m in reserve_moves.open_moves(store, 9, TOKEN)]


def in_the_reserve(store: Store) -> int:
    """What the books think of it once the custodian has done all that they ask for."""
    moves = [m for m in reserve_moves.of_transaction(store, ONE) if not m.canceled]
    return sum(m.units * {"in": 1, "out": -1, "blocked": 0, "freed": 0}[m.direction] for m in moves)


@pytest.fixture
def passed(store: Store) -> Desk:
    """A deposit whose window has passed, and a custodian that has read its task."""
    tell(store, deposit(store, 1), E.FILE, E.SETTLE, E.OUTLAST)
    assert asked(store) == [("in", "deposit")]
    return Desk(store)


def status(store: Store) -> Status:
    row = transactions.get(store, ONE)
    assert row is not None
    return row.status


def block(store: Store) -> None:
    blocking.block_deposit(store, ONE, reference="case", actor="office", at_ms=NOW_MS)


def test_what_crossed_a_block_comes_back(store: Store, passed: Desk) -> None:
    block(store)
    passed.transfers("reserve", 100)
    assert sorted(asked(store)) == [("blocked", "blocked"), ("out", "crossed-1")]
    passed.transfers("reserve", -100)
    passed.transfers("blocked", 100)
    assert asked(store) == []
    assert kinds_of_cases(store) == []


@pytest.mark.parametrize("released_first", [False, True])
def test_what_crossed_a_block_that_was_released_counts_once(store: Store, passed: Desk, released_first: bool) -> None:
    block(store)
    steps = [lambda: passed.transfers("reserve", 100), lambda: blocking.release(store, ONE, actor="x", at_ms=NOW_MS)]
    for step in reversed(steps) if released_first else steps:
        step()
    assert in_the_reserve(store) == 100
    # and a block that follows asks back no more than is there
    block(store)
    assert in_the_reserve(store) == 0


def test_a_transfer_asked_for_anew_is_the_one_that_is_done(store: Store, passed: Desk) -> None:
    block(store)
    blocking.release(store, ONE, actor="office", at_ms=NOW_MS)
    passed.transfers("reserve", 100)
    assert asked(store) == []
    # and the first one, should the custodian have made it as well, comes back
    passed.transfers("reserve", 100)
    assert asked(store) == [("out", "crossed-1")]


@pytest.mark.parametrize("status", ["returned", "rejected", "expired"])
def test_what_crossed_the_end_of_its_deposit_comes_back(store: Store, passed: Desk, status: str) -> None:
    store.execute("UPDATE transactions SET status = ?", (status,))
    passed.transfers("reserve", 100)
    assert asked(store) == [("out", "crossed-1")]


def test_what_crossed_a_freeze_comes_back_once(store: Store) -> None:
    known(store)
    tell(store, payout(store, 1), E.FILE, E.SETTLE, E.RETURN, code="R03")
    desk = Desk(store)
    payouts.account_stopped(store, transactions.get(store, ONE).value[1], [TOKEN], DAY, NOW_MS)  # type: ignore[union-attr]
    assert asked(store) == []
    desk.transfers("reserve", 100)
    assert asked(store) == [("out", "crossed-1")]
    # kept apart a second time, nothing more is asked back
    redemption = transactions.get(store, ONE)
    assert redemption is not None
    payouts.let_out(store, TOKEN, ONE, NOW_MS)
    payouts.suspend(store, redemption, "frozen", DAY, NOW_MS)
    assert asked(store) == [("out", "crossed-1")]


def release(store: Store) -> bool:
    return blocking.release(store, ONE, actor="office", at_ms=NOW_MS)


def apart(store: Store) -> int:
    """What stands in the blocked account, as the books have it from the statement's lines."""
    found = ledger.account_balance(store, f"BlockedBank:{TOKEN}")
    return found.debits - found.credits


def test_dollars_set_apart_after_their_block_had_ended_come_back(store: Store, passed: Desk) -> None:
    block(store)
    assert release(store)
    passed.transfers("blocked", 100)
    assert sorted(asked(store)) == [("freed", "crossed-1"), ("in", "unblocked-2")]
    passed.transfers("blocked", -100)
    assert (apart(store), asked(store), kinds_of_cases(store)) == (0, [("in", "unblocked-2")], [])


def test_a_release_after_the_dollars_were_set_apart_goes_on_when_the_bank_has_brought_them_back(
    store: Store, passed: Desk
) -> None:
    block(store)
    passed.transfers("blocked", 100)
    assert not release(store)
    assert asked(store) == [("freed", "unblocked")]
    assert status(store) is Status.IN_REVIEW
    assert blocking.under_way(store, ONE)
    with pytest.raises(Conflict) as refusal:
        release(store)
    assert refusal.value.code == "release_under_way"
    passed.transfers("blocked", -100)
    assert (apart(store), status(store)) == (0, Status.AWAITING_FUNDS)
    assert asked(store) == [("in", "unblocked-2")]
    # and all of it once more
    block(store)
    passed.transfers("blocked", 100)
    assert not release(store)
    assert asked(store) == [("freed", "unblocked-2")]
    passed.transfers("blocked", -100)
    assert asked(store) == [("in", "unblocked-3")]
    assert kinds_of_cases(store) == []


@pytest.mark.parametrize("crosses", [False, True])
def test_a_second_block_undoes_a_release_that_is_under_way(store: Store, passed: Desk, crosses: bool) -> None:
    block(store)
    passed.transfers("blocked", 100)
    row = transactions.get(store, ONE)
    assert row is not None
    # whoever confirms a new hit finds it only while it is on its way out
    assert sanctions_acts._under_way(store, row.value[1]) == []
    release(store)
    assert sanctions_acts._under_way(store, row.value[1]) == [(ONE, "deposit")]
    assert blocking.block_deposit(store, ONE, reference="case-2", actor="office", at_ms=NOW_MS)
    assert not blocking.block_deposit(store, ONE, reference="case-2", actor="office", at_ms=NOW_MS)
    known = blocked.get(store, ONE)
    assert known is not None
    assert known.reference == "case-2"
    if crosses:
        # the custodian had ordered it already: set apart again, and nobody gets it
        passed.transfers("blocked", -100)
        assert asked(store) == [("blocked", "crossed-1")]
        passed.transfers("blocked", 100)
    assert (asked(store), apart(store), status(store)) == ([], 100, Status.IN_REVIEW)
    # a release that follows asks once
    assert not release(store)
    assert [direction for direction, _ in asked(store)] == ["freed"]
    passed.transfers("blocked", -100)
    assert (apart(store), status(store)) == (0, Status.AWAITING_FUNDS)
    assert kinds_of_cases(store) == []


def test_a_release_asked_for_twice_takes_no_more_out_than_stood_there(store: Store, passed: Desk) -> None:
    """The custodian makes the first transfer after all, and the second: one of them is set apart again."""
    block(store)
    passed.transfers("blocked", 100)
    release(store)
    block(store)
    release(store)
    passed.transfers("blocked", -100)
    assert status(store) is Status.AWAITING_FUNDS
    passed.transfers("blocked", -100)
    assert ("blocked", "crossed-1") in asked(store)
    passed.transfers("blocked", 100)
    assert (apart(store), kinds_of_cases(store)) == (0, [])


def test_dollars_brought_back_before_anybody_asked_are_booked_and_released_at_once(store: Store, passed: Desk) -> None:
    block(store)
    passed.transfers("blocked", 100)
    passed.transfers("blocked", -100)
    assert (apart(store), kinds_of_cases(store), status(store)) == (0, ["ach_unmatched"], Status.IN_REVIEW)
    assert release(store)
    assert (status(store), asked(store)) == (Status.AWAITING_FUNDS, [("in", "unblocked-2")])


def test_a_deposit_that_its_bank_took_back_while_it_was_blocked_ends_with_its_release(
    store: Store, passed: Desk
) -> None:
    block(store)
    passed.transfers("blocked", 100)
    [entry] = banking.entries_of(store, [ONE])
    tell(store, entry, E.RETURN, code="R10")
    assert not release(store)
    passed.transfers("blocked", -100)
    assert (status(store), debts.owed(store, TOKEN, ONE)) == (Status.RETURNED, 0)
    assert asked(store) == []


def test_interest_of_what_is_set_apart_is_blocked_too(store: Store, passed: Desk) -> None:
    block(store)
    passed.transfers("blocked", 100)
    passed.transfers("blocked", 3, kind="interest")
    assert kinds_of_cases(store) == []
    items = {item.kind: item.units for item in explain_clearing(store, TOKEN)}
    assert (items["set_apart"], items["blocked_interest"]) == (-103, 3)
