"""Entries that the bank takes one by one: what comes back long after its window is learnt from the statement."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ach_rig import FIRST_DAY, ROUTING
from nacl.signing import SigningKey
from sandbox_servers import Sandbox, sandbox
from test_bank_entries import deposit, kinds_of_cases, known, mint, minted, net, owed, payout, tell

from domain_messages import envelope_claims, sealed, texas
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.money import Amount
from sdt.ports.bank import AchDirection, AchOrder, AchStatus, Bank, ExternalAccount, SecCode
from sdt.ports.statement import Flow, StatementLine
from sdt.sandbox.control import SandboxControl
from sdt.store import Store, banking, undone
from sdt.store.banking import BankEntryRow
from sdt.worker.clock import Clock
from sdt.worker.counterparties import Counterparties
from sdt.worker.statements import Statements
from store_rig import TOKEN, address, transaction_id

E = EntryEvent
USD = texas().token(TOKEN).asset


@dataclass
class Stated:
    """A statement that says more than the bank tells of its entries, or other things."""

    lines: list[StatementLine] = field(default_factory=list)
    status: AchStatus = AchStatus.WINDOW_PASSED
    code: str = "R10"
    asked: list[str] = field(default_factory=list)

    def say(self, flow: Flow, units: int, subject: str, reference: str) -> None:
        at = datetime(2026, 12, 1, tzinfo=UTC)
        line = StatementLine(len(self.lines) + 1, "ach_return", flow, Amount(units, USD), subject, reference, at)
        self.lines.append(line)

    async def statement(self, account: str, after: int) -> Any:
        lines = tuple(self.lines[after:]) if account == f"{TOKEN}-clearing" else ()
        return SimpleNamespace(lines=lines, more=False)

    async def ach_entry(self, entry_id: str) -> Any:
        self.asked.append(entry_id)
        code = self.code if self.status is AchStatus.RETURNED else None
        return SimpleNamespace(status=self.status, settled_day=2, window_passed_day=4, return_code=code)


@dataclass
class Worker:
    """The parts that follow a bank."""

    store: Store
    bank: Any
    one_by_one: bool = True
    clock: Any = field(default_factory=Clock)

    async def look(self) -> None:
        vendors: Any = SimpleNamespace(bank=self.bank)
        await Statements(self.store, texas(), vendors, 1, self.clock, one_by_one=self.one_by_one).look()
        await Counterparties(self.store, texas(), vendors, 1, self.clock).look()

    def status(self, entry: BankEntryRow) -> EntryStatus:
        found = banking.entry(self.store, entry.id)
        assert found is not None
        return EntryStatus(found.status)


def by_message(store: Store, n: int, kind: str = "deposit") -> None:
    """Let a transaction have the message that asked for it: a return may say something of the account that it names."""
    place = {"source": "bank:ref"} if kind == "deposit" else {"destination": "bank:ref", "fee_max": "0"}
    claims = {"token": TOKEN, "account": address(1), "amount": "100", "expires_at": "2026-12-01T00:00:00Z"}
    raw = sealed(kind, envelope_claims(kind) | claims | place, SigningKey(bytes([99]) * 32))
    store.execute("UPDATE transactions SET raw = ? WHERE id = ?", (raw, transaction_id(n)))


@pytest.fixture
def stated() -> Stated:
    return Stated()


@pytest.fixture
def worker(store: Store, stated: Stated) -> Worker:
    return Worker(store, stated)


async def test_a_return_that_the_statement_tells_is_asked_of_the_bank_and_told_once(
    worker: Worker, stated: Stated
) -> None:
    entry = minted(worker.store, 1)
    by_message(worker.store, 1)
    await worker.look()
    assert stated.asked == [], "what passed its window is not asked about for ever"
    stated.status = AchStatus.RETURNED
    stated.say(Flow.OUT, 100, "bank-1", transaction_id(1))
    for _ in range(3):
        await worker.look()
    assert stated.asked == ["bank-1"]
    assert worker.status(entry) is EntryStatus.RETURNED
    assert owed(worker.store, 1) == 100
    assert kinds_of_cases(worker.store) == ["receivable"]
    # a second return of it takes money once more, and nothing known explains it
    stated.say(Flow.OUT, 100, "bank-1", transaction_id(1))
    await worker.look()
    assert kinds_of_cases(worker.store) == ["ach_unmatched", "receivable"]


async def test_a_line_that_comes_before_the_banks_word_waits_for_it_and_is_a_case_after_a_day(
    worker: Worker, stated: Stated
) -> None:
    # the house of the statements has a number of its own: the entry is known by ours
    entry = minted(worker.store, 1)
    by_message(worker.store, 1)
    stated.say(Flow.OUT, 100, "theirs", transaction_id(1))
    await worker.look()
    assert worker.status(entry) is EntryStatus.WINDOW_PASSED
    assert kinds_of_cases(worker.store) == []
    worker.store.execute("UPDATE entry_facts SET at_ms = at_ms - 86400000 WHERE event = 'return_stated'")
    for _ in range(2):
        await worker.look()
    assert kinds_of_cases(worker.store) == ["ach_unmatched"]
    stated.status = AchStatus.RETURNED
    await worker.look()
    assert worker.status(entry) is EntryStatus.RETURNED


@pytest.mark.parametrize(("code", "cases"), [("R01", []), ("R16", ["ach_return"]), ("R25", ["ach_return"])])
async def test_a_return_that_nothing_but_an_officer_follows_up_is_a_case(
    worker: Worker, stated: Stated, code: str, cases: list[str]
) -> None:
    entry = deposit(worker.store, 1)
    tell(worker.store, entry, E.FILE)
    banking.update_entry(worker.store, entry.id, status="filed", code=None, at_ms=1, external_id="bank-1")
    stated.status, stated.code = AchStatus.RETURNED, code
    for _ in range(2):
        await worker.look()
    assert worker.status(entry) is EntryStatus.RETURNED
    assert kinds_of_cases(worker.store) == cases


async def test_a_return_seen_before_its_line_is_explained_by_it(worker: Worker, stated: Stated) -> None:
    entry = deposit(worker.store, 1)
    tell(worker.store, entry, E.FILE, E.SETTLE)
    tell(worker.store, entry, E.RETURN, code="R01")
    stated.say(Flow.OUT, 100, "bank-1", transaction_id(1))
    await worker.look()
    assert stated.asked == []
    assert kinds_of_cases(worker.store) == []


@pytest.mark.parametrize(
    ("flow", "units", "subject", "reference"),
    [
        (Flow.OUT, 100, "nobodys", "nobodys"),
        (Flow.OUT, 99, "bank-1", transaction_id(1)),
        (Flow.IN, 100, "bank-1", transaction_id(1)),
    ],
)
@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_return_of_nothing_known_is_a_case_where_no_file_tells_it(
    worker: Worker, stated: Stated, flow: Flow, units: int, subject: str, reference: str, one_by_one: bool
) -> None:
    worker.one_by_one = one_by_one
    minted(worker.store, 1)
    stated.say(flow, units, subject, reference)
    await worker.look()
    assert stated.asked == []
    assert kinds_of_cases(worker.store) == ["ach_unmatched"] * one_by_one


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", TOKEN, "--begins", FIRST_DAY) as (running, _):
        yield running


@dataclass
class AtBank:
    """A running bank and its clock."""

    bank: Bank
    control: SandboxControl

    async def time(self, **order: Any) -> None:
        await self.control.post("/v1/clock", order, f"clock.{uuid.uuid4()}")

    async def originate(self, store: Store, entry: BankEntryRow, number: str) -> None:
        """Hand an entry over, as the worker does; the other account's number says what becomes of it."""
        direction = AchDirection(entry.direction)
        other = ExternalAccount(ROUTING, number, "checking", "Alice Example")
        sec = SecCode.WEB if direction is AchDirection.DEBIT else SecCode.PPD
        order = AchOrder(direction, f"{TOKEN}-clearing", Amount(entry.units, USD), other, sec, entry.transaction_id)
        taken = await self.bank.originate(order, entry.id)
        banking.update_entry(store, entry.id, status=entry.status, code=None, at_ms=1, external_id=taken.entry_id)


@pytest.fixture
async def at_bank(server: Sandbox) -> AsyncIterator[AtBank]:
    found = AtBank(server.bank(), server.client("bank"))
    yield found
    await found.control.close()
    await found.bank.close()


async def difference(store: Store, at_bank: AtBank) -> int:
    """By how much the books say more of clearing than the bank does."""
    statement = await at_bank.bank.statement(f"{TOKEN}-clearing")
    return net(store, f"Clearing:{TOKEN}") - statement.balance.units


@pytest.mark.slow
async def test_a_debit_that_comes_back_on_day_45_is_owed_and_a_payout_after_its_window_too(
    store: Store, at_bank: AtBank
) -> None:
    worker = Worker(store, at_bank.bank)
    known(store)
    debit, credit = deposit(store, 1), payout(store, 2)
    by_message(store, 1)
    by_message(store, 2, "redeem")
    for entry, number in ((debit, "9990000010"), (credit, "9990000203")):
        await at_bank.originate(store, entry, number)
        tell(store, entry, E.FILE)
    await at_bank.time(action="advance", days=4)
    await worker.look()
    assert (worker.status(debit), worker.status(credit)) == (EntryStatus.WINDOW_PASSED,) * 2
    mint(store, 1)
    apart = await difference(store, at_bank)
    await at_bank.time(action="advance", days=2)
    await worker.look()
    assert worker.status(credit) is EntryStatus.RETURNED
    assert undone.get(store, transaction_id(2)) is not None
    await at_bank.time(action="advance", days=40)
    await worker.look()
    assert worker.status(debit) is EntryStatus.RETURNED
    assert owed(store, 1) == 100
    assert await difference(store, at_bank) == apart
