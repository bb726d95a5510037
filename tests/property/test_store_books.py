"""Whatever happens in whatever order, the books agree with a model of three dictionaries, and value is conserved."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sdt.domain.ledger import Posting, redeem_postings, token_account, transfer_postings
from sdt.domain.transaction import Event, Status
from sdt.store import Store, events, ledger, transactions
from sdt.store.transactions import AcceptedRow, Change
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, empty, fund, transaction_id

USERS = st.integers(1, 3)
UNITS = st.integers(1, 60)
LANE = "lane"


class Interruption(Exception):
    """A process dies in the middle of a transaction."""


class Books(RuleBasedStateMachine):
    """Deposits, payments, redemptions, refusals, cancellations, skipped items and crashes, over a real database."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.posted: defaultdict[str, int] = defaultdict(int)
        self.held: defaultdict[str, int] = defaultdict(int)
        self.waiting: dict[str, AcceptedRow] = {}
        self.in_supply = 0
        self.made = 0

    @initialize()
    def begin(self) -> None:
        empty(self.store)
        for user in (1, 2, 3):
            self.deposit(user, 100)

    def _available(self, account: str) -> int:
        return self.posted[account] - self.held[account]

    @rule(user=USERS, units=UNITS)
    def deposit(self, user: int, units: int) -> None:
        self.made += 1
        fund(self.store, user, units, deposit=transaction_id(self.made))
        self.posted[address(user)] += units
        self.in_supply += units

    @rule(orders=st.lists(st.tuples(USERS, USERS, UNITS, st.integers(0, 2), st.booleans()), min_size=2, max_size=6))
    def screen(self, orders: list[tuple[int, int, int, int, bool]]) -> None:
        """Several payments at once: each gets its hold or is rejected, in order."""
        rows = []
        for payer, payee, units, fee, redeem in orders:
            self.made += 1
            to = payee if payee != payer else payer + 1
            rows.append(accepted(self.made, payer, to, units, fee, type="redeem" if redeem else "transfer"))
        transactions.insert_accepted(self.store, rows)
        expected = []
        for row in rows:
            account, want = row.account or "", row.units + row.fee_units
            enough = self._available(account) >= want
            expected.append(enough)
            if enough:
                self.held[account] += want
                self.waiting[row.id] = row
        with self.store.transaction():
            wants = [(row.id, _ledger_account(row), row.units + row.fee_units) for row in rows]
            granted = ledger.hold(self.store, wants)
            changes = [
                Change(row.id, Event.SCREEN, held_units=row.units + row.fee_units)
                if enough
                else Change(row.id, Event.REJECT, code="insufficient_funds")
                for row, enough in zip(rows, granted, strict=True)
            ]
            transactions.move(self.store, changes, actor="screening", at_ms=NOW_MS)
        assert granted == expected

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """A batch of whatever waits becomes final, with some of its items skipped by the contract."""
        chosen = self._choose(data)
        skipped = {id for id in chosen if data.draw(st.integers(0, 4)) == 0}
        good = [self.waiting[id] for id in chosen if id not in skipped]
        with self.store.transaction():
            steps = [Event.BATCH, Event.SUBMIT]
            transactions.advance_batch(self.store, chosen, steps, from_status=Status.SCREENED, actor=LANE, at_ms=NOW_MS)
            ledger.post(
                self.store,
                [(row.id, posting) for row in good for posting in _postings(row)],
                release=[(_ledger_account(row), row.units + row.fee_units) for row in good],
                at_ms=NOW_MS,
            )
            transactions.advance_batch(
                self.store,
                [row.id for row in good],
                Event.SETTLE,
                from_status=Status.SUBMITTED,
                actor=LANE,
                at_ms=NOW_MS,
            )
            self._give_up(sorted(skipped), Event.REJECT)
        for row in good:
            self._settled(self.waiting.pop(row.id))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Senders change their minds: what was held is free again."""
        with self.store.transaction():
            self._give_up(self._choose(data), Event.CANCEL)

    @rule(user=USERS, units=UNITS)
    def die_between_hold_and_commit(self, user: int, units: int) -> None:
        with pytest.raises(Interruption):
            self._hold_and_die(user, units)

    def _hold_and_die(self, user: int, units: int) -> None:
        with self.store.transaction():
            fund(self.store, user, units, deposit=transaction_id(999_999))
            ledger.hold(self.store, [(transaction_id(1), token_account(TOKEN, address(user)), units)])
            raise Interruption

    @rule(user=USERS, extra=UNITS)
    def overdraw(self, user: int, extra: int) -> None:
        """A bug elsewhere would spend what is not there: the table refuses, and nothing of it stays."""
        units = self._available(address(user)) + extra
        postings = transfer_postings(TOKEN, address(user), FEE_ACCOUNT, units, 0, FEE_ACCOUNT)
        with pytest.raises(Exception, match="not_overdrawn"):
            ledger.post(self.store, [(transaction_id(1), p) for p in postings], release=[], at_ms=NOW_MS)

    @rule()
    def seal(self) -> None:
        events.seal(self.store, NOW_MS)

    def _choose(self, data: st.DataObject) -> list[str]:
        if not self.waiting:
            return []
        everything = sorted(self.waiting)
        some = st.lists(st.sampled_from(everything), unique=True, max_size=6)
        return data.draw(st.one_of(st.permutations(everything), some))

    def _give_up(self, ids: list[str], event: Event) -> None:
        rows = [self.waiting.pop(id) for id in ids]
        ledger.release_holds(self.store, [(_ledger_account(row), row.units + row.fee_units) for row in rows])
        transactions.move(self.store, [Change(row.id, event) for row in rows], actor=LANE, at_ms=NOW_MS)
        for row in rows:
            self.held[row.account or ""] -= row.units + row.fee_units

    def _settled(self, row: AcceptedRow) -> None:
        payer, total = row.account or "", row.units + row.fee_units
        self.held[payer] -= total
        self.posted[payer] -= total
        self.posted[FEE_ACCOUNT] += row.fee_units
        if row.type == "redeem":
            self.in_supply -= row.units
        else:
            self.posted[row.counterparty or ""] += row.units

    @invariant()
    def the_books_are_the_model(self) -> None:
        found = ledger.token_balances(self.store, TOKEN)
        for account in found.keys() | self.posted.keys():
            balance = found.get(account)
            seen = (balance.posted, balance.held, balance.available) if balance else (0, 0, 0)
            assert seen == (self.posted[account], self.held[account], self._available(account))

    @invariant()
    def value_is_conserved(self) -> None:
        assert ledger.supply(self.store, TOKEN) == self.in_supply == sum(self.posted.values())
        debits, credits_ = self.store.row("SELECT sum(debits), sum(credits) FROM ledger_accounts")
        assert debits == credits_
        assert ledger.discrepancies(self.store) == []

    def teardown(self) -> None:
        events.verify_seals(self.store)


def _ledger_account(row: AcceptedRow) -> str:
    return token_account(TOKEN, row.account or "")


def _postings(row: AcceptedRow) -> list[Posting]:
    payer, payee = row.account or "", row.counterparty or ""
    if row.type == "redeem":
        return redeem_postings(TOKEN, row.id, payer, row.units, row.fee_units, FEE_ACCOUNT)
    return transfer_postings(TOKEN, payer, payee, row.units, row.fee_units, FEE_ACCOUNT)


@pytest.mark.slow
def test_the_books_agree_with_a_model_whatever_happens(store: Store) -> None:
    def machine() -> Any:
        return Books(store)

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            derandomize=True,
            deadline=None,
            database=None,
            # Making a failure smaller would take minutes over a database; its steps are printed as they were.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
