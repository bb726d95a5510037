"""Random days at the bank: deposits, returns early and late, payouts that fail, freezes, blocks, holidays, crashes.

The real store and the real code of books, screening and settlement; the bank and the chain's gate are models of a few
numbers. At every moment: reserve account ≥ supply, every posting balances, clearing explains itself to the cent,
nothing happens twice, and what is suspected looks like anything else that is in review.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from nacl.signing import SigningKey
from peewee import IntegrityError

from databases import database_at
from domain_messages import texas
from sdt.domain import reserve_plan
from sdt.domain.ach.calendar import add_banking_days, banking_day_of, is_banking_day
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.authority import parties
from sdt.domain.batch import SkipReason
from sdt.domain.envelope import kid_of, message_digest, seal_envelope
from sdt.domain.errors import SdtError
from sdt.domain.ledger import fund_postings, release_postings
from sdt.domain.message import format_time, read_message
from sdt.domain.money import Amount
from sdt.domain.registry import NEVER_S, Role
from sdt.domain.transaction import Event, Status
from sdt.domain.transaction_id import uuid7
from sdt.ports.statement import Flow, StatementLine
from sdt.store import Store, banking, batches, blocked, ledger, registry, reserve_moves, transactions, undone
from sdt.store.accounts import UserRow, create_user
from sdt.store.banking import BankEntryRow
from sdt.store.batches import FormedBatch
from sdt.store.registry import FreezeRow, IdentityRow, KeyRow
from sdt.store.transactions import AcceptedRow, Change
from sdt.worker import bank_entries, judging, projection
from sdt.worker.projection import Settled, project
from sdt.worker.statements import Statements
from sdt.workflows import adjusting, blocking, debts, payouts, setting_apart
from sdt.workflows.clearing import explain_clearing
from store_rig import address, empty

TOKEN, REGION = "TXD", texas()
USD = REGION.token(TOKEN).asset
ISSUER, APPROVER, CLIENT = (SigningKey(bytes([n]) * 32) for n in (1, 2, 3))
USERS, UNITS, PICK, CRASH = st.integers(1, 3), st.integers(1, 50), st.integers(0, 10**6), st.booleans()
LEFT_OUT = st.sets(st.integers(0, 15), max_size=4)
PREFUND = 500
APART = ("blocked", "freed")
WHAT = (
    ["day"] * 12 + ["deposit"] * 6 + ["redeem"] * 4 + ["returned", "payout fails"] * 3 + ["pay"] * 2
    + ["time", "settles", "outlasts", "dishonored", "states", "moves", "releases", "read", "issues", "adjusts"]
    + ["returned in flight"] * 3
    + ["frozen", "deposit blocked", "payout blocked", "repaid", "batch", "final", "interest"]
    + ["released"] * 4 + ["deposit blocked", "payout blocked"]
)  # fmt: skip
E = EntryEvent


SEEN: Counter[str] = Counter()
"""What the days brought about: a run that never came so far would show nothing."""


class Interruption(Exception):
    """A process dies in the middle of a database transaction."""


class StoppedClock:
    """The clock of whoever reads statements."""

    def __init__(self) -> None:
        self.day = date(2026, 11, 2)

    def now_ms(self) -> int:
        return int(datetime(self.day.year, self.day.month, self.day.day, 15, tzinfo=UTC).timestamp()) * 1000

    def now_s(self) -> int:
        return self.now_ms() // 1000


@dataclass
class Bank:
    """Three accounts, their statements, and what the bank has done once and for all."""

    balance: Counter[str] = field(default_factory=Counter)
    lines: defaultdict[str, list[StatementLine]] = field(default_factory=lambda: defaultdict(list))
    keys: set[str] = field(default_factory=set)

    def bears_interest(self, units: int) -> None:
        """What is set apart bears interest, which is the owners' and blocked as well."""
        if self.balance["blocked"]:
            self.post("blocked", units, "interest", "")

    def post(self, account: str, units: int, kind: str, reference: str) -> None:
        self.balance[account] += units
        n = len(self.lines[account]) + 1
        flow, at = Flow.IN if units > 0 else Flow.OUT, datetime(2026, 11, 2, tzinfo=UTC)
        line = StatementLine(n, kind, flow, Amount(abs(units), USD), f"{account}-{n}", reference, at)
        self.lines[account].append(line)

    def transfer(self, source: str, to: str, units: int, reference: str, key: str) -> None:
        """The same key is the same transfer."""
        if key not in self.keys:
            self.keys.add(key)
            self.post(source, -units, "book", reference)
            self.post(to, units, "book", reference)


@dataclass
class Chain:
    """The contract's gate, and what it counts on."""

    stated: int = 0
    balances: Counter[str] = field(default_factory=Counter)
    frozen: set[str] = field(default_factory=set)

    @property
    def supply(self) -> int:
        return sum(self.balances.values())

    def carry_out(self, kind: str, m: Any) -> SkipReason | None:
        """One item: the reason to skip it, or None."""
        if kind == "transfer":
            if self.frozen & {m.payer, m.payee}:
                return SkipReason.PAYER_FROZEN
            self.balances[m.payer] -= int(m.amount)
            self.balances[m.payee] += int(m.amount)
            return None
        if m.account in self.frozen:
            return SkipReason.PAYEE_FROZEN
        if kind == "issue" or (kind == "adjust" and m.kind == "remint"):
            if self.supply + int(m.amount) > self.stated:
                return SkipReason.OVER_RESERVE
            self.balances[m.account] += int(m.amount)
            return None
        if self.balances[m.account] < int(m.amount):
            return SkipReason.INSUFFICIENT_FUNDS
        self.balances[m.account] -= int(m.amount)
        return None


class Days(RuleBasedStateMachine):
    """One region's dollars, day by day."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.bank, self.chain, self.clock = Bank(), Chain(), StoppedClock()
        self.made, self.number, self.statements_made = 0, 0, 0
        self.read: Counter[str] = Counter()
        self.flight: list[str] = []
        self.done: Counter[tuple[str, str]] = Counter()
        self.blocked_ids: set[str] = set()
        self.reader = Statements(store, REGION, None, 0, self.clock, one_by_one=False)  # type: ignore[arg-type]

    @initialize()
    def begin(self) -> None:
        empty(self.store)
        with self.store.transaction():
            for n in (1, 2, 3):
                create_user(self.store, UserRow(f"user{n}", address(n), f"user{n}.tx", "US-TX", 1, registered=True))
                registry.set_identity(self.store, IdentityRow(address(n), "dollar", 1, True, NEVER_S))
            for key, role in ((ISSUER, Role.ISSUER), (APPROVER, Role.APPROVER)):
                public = bytes(key.verify_key)
                registry.upsert_key(
                    self.store, KeyRow(kid_of(public), public, None, int(role), 0, "active", NEVER_S, None)
                )
        self.bank.post("clearing", PREFUND, "prefund", "prefund")
        self.read_statement("clearing")

    # --- what everybody needs ---

    def once(self, do: Callable[[], Any], crash: bool) -> Any:
        """Do something in one database transaction; a crash undoes it whole, and it is done again."""
        if crash:
            with contextlib.suppress(Interruption), self.store.transaction():
                do()
                raise Interruption
        with self.store.transaction():
            return do()

    def send(self, kind: str, key: SigningKey, /, **claims: Any) -> str:
        """Store a message as intake does."""
        self.made += 1
        id_ = uuid7(self.clock.now_ms(), self.made.to_bytes(10, "big"))
        base = {"type": kind, "version": 1, "network": "sdt-test", "transaction_id": id_, "region": "US-TX"}
        issued = {"issued_at": format_time(self.clock.now_s())}
        signed = read_message(seal_envelope(kind, base | issued | claims, key))
        account, counterparty = parties(signed.message)
        units = int(getattr(signed.message, "amount", 0))
        row = AcceptedRow(
            id_, kind, False, signed.kid, account, counterparty, getattr(signed.message, "token", None), units, 0,
            signed.digest, signed.raw, signed.issued_at_s, NEVER_S, self.clock.now_ms(),
        )  # fmt: skip
        with self.store.transaction():
            transactions.insert_accepted(self.store, [row])
        return id_

    def move(self, *changes: Change) -> None:
        with self.store.transaction():
            transactions.move(self.store, changes, actor="test", at_ms=self.clock.now_ms())

    def row(self, id_: str) -> Any:
        found = transactions.get(self.store, id_)
        assert found is not None
        return found

    def of_type(self, kind: str, *statuses: Status) -> list[Any]:
        ids = [id_ for (id_,) in self.store.rows("SELECT id FROM transactions WHERE type = ? ORDER BY seq", (kind,))]
        rows = [self.row(id_) for id_ in ids]
        return [row for row in rows if not statuses or row.status in statuses]

    def tell(self, entry: BankEntryRow, event: EntryEvent, crash: bool, code: str | None = None) -> None:
        self.once(
            lambda: bank_entries.apply(
                self.store, REGION, entry, event, code=code, on=self.clock.day, at_ms=self.clock.now_ms()
            ),
            crash,
        )

    def entries(self, direction: str, *statuses: EntryStatus) -> list[BankEntryRow]:
        found = banking.entries(self.store, [status.value for status in statuses])
        return [entry for entry in found if entry.direction == direction]

    def hold_and_screen(self, id_: str) -> None:
        """What screening does with a payment or a redemption."""
        row = self.row(id_)
        if undone.on_hold(self.store, [row.account]):
            self.move(judging.on_hold(row))
            return
        with self.store.transaction():
            enough = ledger.hold(self.store, [(id_, row.ledger_account, row.units)])[0]
            change = Change(id_, Event.SCREEN, held_units=row.units) if enough else Change(id_, Event.REJECT)
            transactions.move(self.store, [change], actor="test", at_ms=self.clock.now_ms())

    def approve(self, id_: str) -> None:
        row = self.row(id_)
        approval = self.send("approve", APPROVER, digest=message_digest(row.raw).hex())
        with self.store.transaction():
            message = read_message(self.row(approval).raw).message
            changes = judging.judge_approval(self.store, REGION, self.row(approval), message, set())
            transactions.move(self.store, changes, actor="test", at_ms=self.clock.now_ms())

    # --- people ---

    def deposit(self, user: int, units: int) -> None:
        far = format_time(self.clock.now_s() + 86_400)
        id_ = self.send(
            "deposit", CLIENT, token=TOKEN, account=address(user), amount=str(units), source="bank:a", expires_at=far
        )
        self.move(Change(id_, Event.AWAIT_FUNDS))
        row = BankEntryRow(f"ach:{id_}", id_, "debit", TOKEN, units, None, "created", None, self.clock.now_ms())
        with self.store.transaction():
            banking.put_entry(self.store, row)
        self.tell(row, E.FILE, False)

    def pay(self, payer: int, payee: int, units: int) -> None:
        if payer != payee:
            far = format_time(self.clock.now_s() + 86_400)
            who = {"payer": address(payer), "payee": address(payee), "payee_handle": "user.tx"}
            id_ = self.send(
                "transfer", CLIENT, token=TOKEN, amount=str(units), fee_max="0", memo="", expires_at=far, **who
            )
            self.hold_and_screen(id_)

    def redeem(self, pick: int, units: int) -> None:
        """Whoever has something takes it out, or more than that."""
        far = format_time(self.clock.now_s() + 86_400)
        user = 1 + pick % 3
        holders = [n for n in (1, 2, 3) if self.chain.balances[address(n)]]
        if holders and pick % 5:
            user = holders[pick % len(holders)]
            units = min(units, self.chain.balances[address(user)])
        id_ = self.send(
            "redeem", CLIENT, token=TOKEN, account=address(user), amount=str(units), fee_max="0",
            destination="bank:a", expires_at=far,
        )  # fmt: skip
        self.hold_and_screen(id_)

    # --- the bank ---

    def time_passes(self, days: int) -> None:
        """The next day on which anything happens is a banking day: never a weekend's, never a holiday."""
        self.day_begins(banking_day_of(self.clock.day + timedelta(days=days)))

    def day_begins(self, day: date) -> None:
        between = [self.clock.day + timedelta(days=n) for n in range(1, (day - self.clock.day).days)]
        if any(each.weekday() < 5 and not is_banking_day(each) for each in between):
            SEEN["holiday"] += 1
        self.clock.day = day

    def debit_settles(self, pick: int, crash: bool, again: bool) -> None:
        if found := self.entries("debit", EntryStatus.FILED):
            entry = found[pick % len(found)]
            self.bank.post("clearing", entry.units, "ach_debit", entry.transaction_id)
            for _ in range(1 + again):
                self.tell(entry, E.SETTLE, crash)

    def window_passes(self, pick: int, crash: bool) -> None:
        if found := self.entries("debit", EntryStatus.SETTLED):
            self.tell(found[pick % len(found)], E.OUTLAST, crash)

    def debit_comes_back(self, pick: int, crash: bool, code: str) -> None:
        found = self.entries("debit", EntryStatus.FILED, EntryStatus.SETTLED, EntryStatus.WINDOW_PASSED)
        if found:
            on_the_way = {self.row(id_).linked_id for id_ in self.flight}
            minting = [e for e in found if e.transaction_id in on_the_way]
            entry = (minting or found)[pick % len(minting or found)]
            if entry.status != EntryStatus.FILED:
                self.bank.post("clearing", -entry.units, "ach_return", entry.transaction_id)
            self.tell(entry, E.RETURN, crash, code)

    def return_is_dishonored_or_contested(self, pick: int, crash: bool) -> None:
        settled = {
            entry_id for (entry_id,) in self.store.rows("SELECT entry_id FROM entry_facts WHERE event = 'settle'")
        }
        if found := [e for e in self.entries("debit", EntryStatus.RETURNED) if e.id in settled]:
            entry = found[pick % len(found)]
            self.bank.post("clearing", entry.units, "ach_debit", entry.transaction_id)
            self.tell(entry, E.DISHONOR, crash)
        elif found := self.entries("debit", EntryStatus.DISHONORED):
            entry = found[pick % len(found)]
            self.bank.post("clearing", -entry.units, "ach_return", entry.transaction_id)
            self.tell(entry, E.CONTEST, crash)

    def payout_goes_to_the_bank(self, pick: int) -> None:
        known = {e.transaction_id for e in self.entries("credit", *EntryStatus)}
        waiting = [row for row in self.of_type("redeem", Status.SETTLED) if row.id not in known]
        if waiting:
            row = waiting[pick % len(waiting)]
            if payouts.held_because(self.store, row, self.clock.now_s()):
                return
            entry = BankEntryRow(
                f"ach:{row.id}", row.id, "credit", TOKEN, row.units, None, "created", None, self.clock.now_ms()
            )
            with self.store.transaction():
                banking.put_entry(self.store, entry)
            self.tell(entry, E.FILE, False)

    def payout_is_paid(self, pick: int, crash: bool) -> None:
        if found := self.entries("credit", EntryStatus.FILED):
            entry = found[pick % len(found)]
            self.bank.post("clearing", -entry.units, "ach_credit", entry.transaction_id)
            self.tell(entry, E.SETTLE, crash)

    def payout_comes_back(self, pick: int, crash: bool, code: str) -> None:
        if found := self.entries("credit", EntryStatus.FILED, EntryStatus.SETTLED):
            entry = found[-1 - pick % len(found)]
            if entry.status == EntryStatus.SETTLED:
                self.bank.post("clearing", entry.units, "ach_return", entry.transaction_id)
            self.tell(entry, E.RETURN, crash, code)

    # --- the custodian, each step by itself, so that a crash may fall between any two ---

    def _leaving(self) -> list[Any]:
        moves = reserve_moves.open_moves(self.store, 1000, TOKEN)
        return [m for m in moves if m.direction == "out" and self._key(m) not in self.bank.keys]

    @staticmethod
    def _key(move: Any) -> str:
        return f"{move.direction}:{move.transaction_id}:{move.nth}"

    def custodian_moves(self, pick: int) -> None:
        """Orders one book transfer that the books ask for, if the evidence at the bank is there."""
        moves = [m for m in reserve_moves.open_moves(self.store, 1000, TOKEN) if m.direction != "out"]
        if moves:
            move = moves[pick % len(moves)]
            entry = next(iter(banking.entries_of(self.store, [move.transaction_id])), None)
            if move.direction in APART:
                way = ("clearing", "blocked") if move.direction == "blocked" else ("blocked", "clearing")
                self.bank.transfer(*way, move.units, move.transaction_id, self._key(move))
            elif entry and entry.status == ("window_passed" if entry.direction == "debit" else "returned"):
                self.bank.transfer("clearing", "reserve", move.units, move.transaction_id, self._key(move))

    def custodian_states(self) -> None:
        lasting = reserve_plan.what_lasts(self.bank.balance["reserve"], [m.units for m in self._leaving()])
        change, self.chain.stated = lasting - self.chain.stated, lasting
        if change:
            self.statements_made += 1
            made = fund_postings(TOKEN, change) if change > 0 else release_postings(TOKEN, -change)
            with self.store.transaction():
                rows = [(f"statement-{self.statements_made}", p) for p in made]
                ledger.post(self.store, rows, release=[], at_ms=self.clock.now_ms())

    def custodian_releases(self, pick: int) -> None:
        if leaving := self._leaving():
            move = leaving[pick % len(leaving)]
            held = self.bank.balance["reserve"]
            if reserve_plan.may_leave(held, move.units, self.chain.supply, self.chain.stated):
                self.bank.transfer("reserve", "clearing", move.units, move.transaction_id, self._key(move))

    def statement_is_read(self, account: str, crash: bool) -> None:
        self.once(lambda: self._take_in(account), crash)
        self.read[account] = len(self.bank.lines[account])

    def read_statement(self, account: str) -> None:
        self.once(lambda: self._take_in(account), False)
        self.read[account] = len(self.bank.lines[account])

    def _take_in(self, account: str) -> None:
        new = tuple(self.bank.lines[account][self.read[account] :])
        self.reader._take_in(self.store, TOKEN, account, new)  # type: ignore[arg-type]

    # --- officers and desks ---

    def issuer_issues(self, pick: int) -> None:
        """What has come in and fits under what the chain counts on."""
        done = {e.transaction_id for e in self.entries("debit", EntryStatus.WINDOW_PASSED)}
        if waiting := [row for row in self.of_type("deposit", Status.AWAITING_FUNDS) if row.id in done]:
            deposit = waiting[pick % len(waiting)]
            claims = {"token": TOKEN, "account": deposit.account, "amount": str(deposit.units)}
            id_ = self.send("issue", ISSUER, deposit=deposit.id, evidence=f"{self.made:064x}", **claims)
            with self.store.transaction():
                message = read_message(self.row(id_).raw).message
                change = judging.judge_issue(self.store, REGION, self.row(id_), message, self.clock.now_ms(), [])
                transactions.move(self.store, [change], actor="test", at_ms=self.clock.now_ms())
            if change.event is Event.HOLD:
                self.approve(id_)

    def issuer_adjusts(self, pick: int) -> None:
        if due := adjusting.adjustments_due(self.store, REGION, TOKEN, self.clock.now_s()):
            one = due[pick % len(due)]
            id_ = self.send(
                "adjust", ISSUER, kind=one.adjust, token=TOKEN, account=one.account, amount=str(one.amount),
                original=one.original, evidence=f"{self.made:064x}",
            )  # fmt: skip
            with self.store.transaction():
                facts = registry.facts(self.store, [one.account])
                message, now_s = read_message(self.row(id_).raw).message, self.clock.now_s()
                change = judging.judge_adjustment(self.store, REGION, self.row(id_), message, facts, now_s)
                transactions.move(self.store, [change], actor="test", at_ms=self.clock.now_ms())
            assert change.event is Event.HOLD, f"what is due can be done: {change.code}"
            self.approve(id_)

    def account_is_frozen_or_freed(self, user: int) -> None:
        who = address(user)
        with self.store.transaction():
            if who in self.chain.frozen:
                self.chain.frozen.discard(who)
                registry.clear_freeze(self.store, who, TOKEN)
            else:
                self.chain.frozen.add(who)
                registry.set_freeze(self.store, FreezeRow(who, TOKEN, bytes(32), NEVER_S))
                payouts.account_stopped(self.store, who, [TOKEN], self.clock.day, self.clock.now_ms())

    def deposit_is_blocked(self, pick: int, crash: bool) -> None:
        waiting = self.of_type("deposit", Status.AWAITING_FUNDS)
        if waiting and not debts.mints_on_the_way(self.store, waiting[pick % len(waiting)].id):
            self._block(blocking.block_deposit, waiting[pick % len(waiting)].id, crash)

    def payout_is_blocked(self, pick: int, crash: bool) -> None:
        known = {e.transaction_id for e in self.entries("credit", *EntryStatus)}
        if waiting := [row for row in self.of_type("redeem", Status.SETTLED) if row.id not in known]:
            id_ = waiting[pick % len(waiting)].id
            before = self.outside(id_)
            self._block(blocking.block_payout, id_, crash)
            assert self.outside(id_) == before, "a payout that is blocked waits as any other"

    def outside(self, id_: str) -> list[tuple[Any, ...]]:
        """What is told of a transaction to whoever it is of: how it stands, and what happened to it."""
        row, told = self.row(id_), "SELECT event, status, detail FROM events WHERE transaction_id = ? ORDER BY seq"
        return [(row.status, row.code, row.detail), *self.store.rows(told, (id_,))]

    def block_is_released(self, pick: int, crash: bool, orders: bool) -> None:
        """By two officers; what was set apart comes back first. Some are blocked again before that.

        `orders`: the custodian has ordered what was asked for before, and nobody has read that it is done.
        """
        if orders:
            for n in range(len(reserve_moves.open_moves(self.store, 1000, TOKEN))):
                self.custodian_moves(n)
        ids = sorted(id_ for id_ in self.blocked_ids if blocked.get(self.store, id_) is not None)
        if ids:
            id_ = ids[pick % len(ids)]
            if blocking.under_way(self.store, id_):
                block = blocking.block_deposit if self.row(id_).type == "deposit" else blocking.block_payout
                self._block(block, id_, crash)
                SEEN["blocked again"] += 1
            else:
                at_ms = self.clock.now_ms()
                at_once = self.once(lambda: blocking.release(self.store, id_, actor="office", at_ms=at_ms), crash)
                SEEN["released at once" if at_once else "released"] += 1

    def _block(self, block: Callable[..., bool], id_: str, crash: bool) -> None:
        self.once(lambda: block(self.store, id_, reference="case", actor="office", at_ms=self.clock.now_ms()), crash)
        self.blocked_ids.add(id_)

    def debtor_repays_or_the_loss_fund_pays(self, pick: int, units: int) -> None:
        open_debts = [row for row in undone.in_force(self.store, TOKEN, 100) if row.kind == "debt"]
        open_debts = [row for row in open_debts if self.row(row.transaction_id).status is Status.RETURNED]
        if open_debts:
            row = open_debts[pick % len(open_debts)]
            busy = sum(int(a.amount) for a in adjusting.live_for(self.store, row.transaction_id))
            taken = sum(n for (kind, id_), n in self.done.items() if kind == "clawback" and id_ == row.transaction_id)
            left = debts.owed(self.store, TOKEN, row.transaction_id) - (busy - taken)
            if left > 0:
                paid = min(units, left)
                self.bank.post("clearing", paid, "ach_debit", row.transaction_id)
                settle = debts.repaid if pick % 2 else debts.write_off
                self.once(lambda: settle(self.store, TOKEN, row.transaction_id, paid, self.clock.now_ms()), False)

    # --- settlement ---

    def lane_forms_a_batch(self, count: int) -> None:
        if not self.flight:
            with self.store.transaction():
                rows = transactions.claim_screened(self.store, count)
                if not rows:
                    return
                self.number += 1
                now_ms = self.clock.now_ms()
                formed = FormedBatch(self.number, "value", bytes(32), NEVER_S, self.number, len(rows), now_ms)
                batches.form(self.store, formed)
                ids = [row.id for row in rows]
                transactions.place_in_batch(self.store, ids, self.number, actor="test", at_ms=now_ms)
                beside = [
                    t.id for id_ in ids for t in transactions.linked_to(self.store, id_)
                    if t.type == "approve" and t.status is Status.SCREENED
                ]  # fmt: skip
                if beside:
                    transactions.attach_to_batch(self.store, beside, self.number, actor="test", at_ms=now_ms)
                signed = {"root": bytes(32), "head": bytes(32), "chain_tx_hash": bytes(32), "raw_tx": b"tx"}
                batches.mark_signed(self.store, self.number, gas=1, signed_at_ms=now_ms, **signed)
                transactions.advance_whole_batch(
                    self.store, self.number, Event.SUBMIT, from_status=Status.BATCHED, actor="test", at_ms=now_ms
                )
            self.flight = ids

    def batch_is_final(self, crash: bool) -> None:
        if self.flight:
            rows = [self.row(id_) for id_ in self.flight]
            skipped = {}
            for position, row in enumerate(rows):
                message = read_message(row.raw).message
                reason = self.chain.carry_out(row.type, message)
                if reason is not None:
                    skipped[position] = reason
                elif row.type in ("issue", "adjust"):
                    what = message.deposit if row.type == "issue" else message.original
                    self.done[getattr(message, "kind", "mint"), what] += row.units
            attached = [row.id for row in transactions.attached_to(self.store, self.number)]
            settled = Settled(self.number, rows, attached, skipped)
            self.once(lambda: self._final(settled), crash)
            self.flight = []

    def _final(self, settled: Settled) -> None:
        now_ms = self.clock.now_ms()
        project(self.store, REGION, settled, now_ms)
        counted = {"skipped_count": len(settled.skipped), "final_at_ms": now_ms}
        batches.mark_final(self.store, settled.number, block_number=1, block_hash=bytes(32), **counted)

    def a_day_goes_on(self, left_out: set[int], pick: int, crash: bool) -> None:
        """What everybody does on an ordinary day, in its order, but for a few who do not come."""
        steps: list[Callable[[], Any]] = [
            lambda: self.debit_settles(pick, crash, False),
            lambda: self.window_passes(pick, crash),
            lambda: [self.custodian_moves(n) for n in range(6)],
            self.custodian_states,
            lambda: self.statement_is_read("reserve", crash),
            lambda: self.issuer_issues(pick),
            lambda: self.lane_forms_a_batch(6),
            lambda: self.batch_is_final(crash),
            lambda: self.payout_goes_to_the_bank(pick),
            lambda: self.payout_is_paid(pick, crash),
            lambda: self.issuer_adjusts(pick),
            lambda: self.lane_forms_a_batch(6),
            lambda: self.batch_is_final(crash),
            self.custodian_states,
            lambda: self.custodian_releases(pick),
            lambda: self.bank.bears_interest(1),
            lambda: self.statement_is_read("blocked", crash),
        ]
        for number, step in enumerate(steps[: 1 + pick // 7 % 40]):  # some days break off
            if number not in left_out:
                step()
                self.every_promise()
        self.day_begins(add_banking_days(self.clock.day, 1))

    def every_promise(self) -> None:
        """Between two steps of a day, too."""
        self.reserve_covers_supply()
        self.books_balance_and_are_the_chains()
        self.clearing_explains_itself()

    @rule(what=st.sampled_from(WHAT), pick=PICK, units=UNITS, crash=CRASH, left_out=LEFT_OUT)
    def something_happens(self, what: str, pick: int, units: int, crash: bool, left_out: set[int]) -> None:
        """One rule draws everything, so that no run goes without some of it."""
        user, other = 1 + pick % 3, 1 + pick // 3 % 3
        happens: dict[str, Callable[[], Any]] = {
            "deposit": lambda: self.deposit(user, units),
            "pay": lambda: self.pay(user, other, units),
            "redeem": lambda: self.redeem(pick, units),
            "time": lambda: self.time_passes(1 + pick % 70),
            "settles": lambda: self.debit_settles(pick, crash, bool(pick % 2)),
            "outlasts": lambda: self.window_passes(pick, crash),
            "returned": lambda: self.debit_comes_back(pick, crash, ("R01", "R10", "R29")[pick % 3]),
            "dishonored": lambda: self.return_is_dishonored_or_contested(pick, crash),
            "payout fails": lambda: self.payout_comes_back(pick, crash, ("R03", "R15", "R23")[pick % 3]),
            "states": self.custodian_states,
            "moves": lambda: self.custodian_moves(pick),
            "releases": lambda: self.custodian_releases(pick),
            "read": lambda: self.statement_is_read(("clearing", "reserve", "blocked")[pick % 3], crash),
            "issues": lambda: self.issuer_issues(pick),
            "adjusts": lambda: self.issuer_adjusts(pick),
            "frozen": lambda: self.account_is_frozen_or_freed(user),
            "deposit blocked": lambda: self.deposit_is_blocked(pick, crash),
            "payout blocked": lambda: self.payout_is_blocked(pick, crash),
            "released": lambda: [
                *[self.statement_is_read("blocked", crash) for _ in range(pick % 2)],
                *[self.block_is_released(pick, crash, orders=units % 2 == 0) for _ in range(1 + pick % 3)],
            ],
            "interest": lambda: self.bank.bears_interest(units),
            "repaid": lambda: self.debtor_repays_or_the_loss_fund_pays(pick, units),
            "batch": lambda: self.lane_forms_a_batch(1 + pick % 6),
            "final": lambda: self.batch_is_final(crash),
            "returned in flight": lambda: [
                self.issuer_issues(pick),
                self.lane_forms_a_batch(6),
                self.debit_comes_back(pick, crash, "R01"),
                self.batch_is_final(crash),
            ],
            "day": lambda: self.a_day_goes_on(left_out, pick, crash),
        }
        happens[what]()

    # --- what holds at every moment ---

    @invariant()
    def reserve_covers_supply(self) -> None:
        assert self.chain.supply <= self.bank.balance["reserve"]
        assert self.chain.stated <= self.bank.balance["reserve"]

    @invariant()
    def books_balance_and_are_the_chains(self) -> None:
        assert ledger.discrepancies(self.store) == []
        (debits, credits) = self.store.row(
            "SELECT coalesce(sum(debits),0), coalesce(sum(credits),0) FROM ledger_accounts"
        )
        assert debits == credits
        in_books = {a: b.posted for a, b in ledger.token_balances(self.store, TOKEN).items() if b.posted}
        assert in_books == {a: n for a, n in self.chain.balances.items() if n}

    @invariant()
    def clearing_explains_itself(self) -> None:
        """The bank's balance is the books' own, but for transfers that are made and not yet stated or read."""
        items = explain_clearing(self.store, TOKEN)
        SEEN.update({"receivable": "debt"}.get(item.kind, item.kind) for item in items)
        assert all(item.units > 0 for item in items if item.kind in ("deposit", "payout", "suspense", "blocked"))
        assert all(item.units < 0 for item in items if item.kind == "receivable")
        lines = [line for line in self.bank.lines["blocked"][self.read["blocked"] :] if line.kind == "book"]
        unread = sum(line.amount.units * (1 if line.flow is Flow.IN else -1) for line in lines)
        # The loss fund's dollars are with the region: what it paid came in as cash, as any repayment.
        on_the_way = self.chain.stated - self.bank.balance["reserve"]
        assert sum(item.units for item in items) + on_the_way - unread == self.bank.balance["clearing"]

    @invariant()
    def nothing_happens_twice(self) -> None:
        SEEN.update(kind for kind, _ in self.done)
        for (kind, original), units in self.done.items():
            assert units <= self.row(original).units, f"{kind} beyond its original"

    @invariant()
    def what_is_set_apart_is_what_is_blocked(self) -> None:
        """Once the bank has done what the books ask for, and they have read it."""
        if self.read["blocked"] < len(self.bank.lines["blocked"]):
            return
        moving = {m.transaction_id for m in reserve_moves.open_moves(self.store, 1000, TOKEN) if m.direction in APART}
        for id_ in self.blocked_ids - moving:
            lines = [line for line in self.bank.lines["blocked"] if line.reference == id_]
            there = sum(line.amount.units * (1 if line.flow is Flow.IN else -1) for line in lines)
            kept = ledger.account_balance(self.store, f"Blocked:{TOKEN}:{id_}")
            assert there == kept.credits - kept.debits
            assert not there or blocked.get(self.store, id_) is not None

    @invariant()
    def a_suspicion_looks_like_any_review(self) -> None:
        for id_ in self.blocked_ids:
            row = self.row(id_)
            SEEN["blocked " + {"redeem": "payout"}.get(row.type, row.type)] += 1
            if row.type == "deposit":
                waits = (row.status, row.code) == (Status.IN_REVIEW, "in_review")
                assert waits or row.status is Status.RETURNED or blocked.get(self.store, id_) is None
            words = str(self.outside(id_))
            assert "block" not in words and "sanction" not in words


def days(path: Path, examples: int, steps: int) -> None:
    from sdt.store import open_store

    store = open_store(database_at(path / "days.db"), migrate=True)
    if not store.postgres:
        store.execute("PRAGMA synchronous = off")
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(lambda: Days(store), settings=profile)
    finally:
        store.close()


@pytest.mark.slow
def test_random_days_keep_every_promise(tmp_path: Path) -> None:
    SEEN.clear()
    days(tmp_path, 60, 60)
    wanted = {"mint", "clawback", "remint", "blocked deposit", "blocked payout", "debt", "suspense", "holiday"}
    wanted |= {"released", "released at once", "blocked again", "blocked_interest"}
    assert wanted - SEEN.keys() == set(), dict(SEEN)


@contextlib.contextmanager
def planted(module: ModuleType, name: str, fault: Any) -> Iterator[None]:
    good = getattr(module, name)
    setattr(module, name, fault)
    try:
        yield
    finally:
        setattr(module, name, good)


def _tells(store: Store, row: Any, side: str, *rest: Any, note: Any = blocking._note) -> None:
    note(store, row, side, *rest)
    if side == "payout":
        store.execute("UPDATE transactions SET code = 'sanctions_block' WHERE id = ?", (row.id,))


def _nothing(*_: Any, **__: Any) -> Any:
    return []


FAULTS: dict[str, tuple[ModuleType, str, Any]] = {
    "the chain counts on more than is there": (reserve_plan, "what_lasts", lambda held, leaving: held + sum(leaving)),
    "anything may leave the reserve": (reserve_plan, "may_leave", lambda *_: True),
    "a late return is not booked": (debts, "returned_late", _nothing),
    "a payout that came back is not booked": (bank_entries, "payout_returned", _nothing),
    "a clawback burns and settles nothing": (projection, "clawback_postings", _nothing),
    "a mint on the way is not seen": (debts, "mints_on_the_way", lambda *_: False),
    "a release does not wait for the bank": (setting_apart, "back", lambda *_: True),
    "what crossed a release stays set apart": (setting_apart, "crossed", _nothing),
    "a payout tells that it is blocked": (blocking, "_note", _tells),
    "known facts count again": (bank_entries, "follow", lambda status, event: EntryStatus.SETTLED),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, name: str) -> None:
    with planted(*FAULTS[name]), pytest.raises((AssertionError, SdtError, IntegrityError)):
        days(tmp_path, 60, 60)
