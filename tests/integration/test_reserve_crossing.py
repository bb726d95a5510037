"""Transfers into the reserve that crossed the word to leave them come back, once, whatever else happens to them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from test_bank_entries import DAY, E, deposit, kinds_of_cases, known, payout, tell

from domain_messages import texas
from sdt.ports.statement import Flow, StatementLine
from sdt.store import Store, reserve_moves, transactions
from sdt.worker.clock import Clock
from sdt.worker.statements import Statements
from sdt.workflows import blocking, payouts
from store_rig import NOW_MS, TOKEN, transaction_id

pytestmark = pytest.mark.usefixtures("store")
ONE = transaction_id(1)


class Desk:
    """The custodian's own doing: what it transfers shows on the statements, whatever the books ask meanwhile."""

    def __init__(self, store: Store) -> None:
        self.store, self.lines = store, Counter[str]()
        self.reader = Statements(store, texas(), None, 0, Clock(), one_by_one=False)  # type: ignore[arg-type]

    def transfers(self, purpose: str, units: int) -> None:
        self.lines[purpose] += 1
        n, flow = self.lines[purpose], Flow.IN if units > 0 else Flow.OUT
        amount = texas().token(TOKEN).amount(abs(units))
        line = StatementLine(n, "book", flow, amount, f"{purpose}-{n}", ONE, datetime(2026, 11, 2, tzinfo=UTC))
        with self.store.transaction():
            self.reader._take_in(self.store, TOKEN, purpose, (line,))  # type: ignore[arg-type]


def asked(store: Store) -> list[tuple[str, str]]:
    return [(m.direction, m.reason) for m in reserve_moves.open_moves(store, 9, TOKEN)]


def in_the_reserve(store: Store) -> int:
    """What the books think of it once the custodian has done all that they ask for."""
    moves = [m for m in reserve_moves.of_transaction(store, ONE) if not m.canceled]
    return sum(m.units * {"in": 1, "out": -1, "blocked": 0}[m.direction] for m in moves)


@pytest.fixture
def passed(store: Store) -> Desk:
    """A deposit whose window has passed, and a custodian that has read its task."""
    tell(store, deposit(store, 1), E.FILE, E.SETTLE, E.OUTLAST)
    assert asked(store) == [("in", "deposit")]
    return Desk(store)


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


def test_dollars_set_apart_after_their_block_had_ended_are_an_officers(store: Store, passed: Desk) -> None:
    block(store)
    blocking.release(store, ONE, actor="office", at_ms=NOW_MS)
    passed.transfers("blocked", 100)
    assert kinds_of_cases(store) == ["ach_unmatched"]
