"""The sandbox bank, through the adapter that real banks get."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from sandbox_servers import DAY_S, FAMILIES, Sandbox, sandbox

from sdt.adapters.bank import HttpBank
from sdt.adapters.vendor.trace import read_trace
from sdt.domain.errors import Conflict, NotFound, Unavailable, Unprocessable
from sdt.domain.money import USD, Amount
from sdt.ports.bank import (
    AchDirection,
    AchEntry,
    AchOrder,
    AchStatus,
    BookTransfer,
    BookTransferOrder,
    BookTransferStatus,
    ExternalAccount,
    SecCode,
)
from sdt.ports.evidence import StateUnknown, VendorFault
from sdt.ports.statement import Flow

pytestmark = pytest.mark.slow
PREFUND = Amount(100_000_000, USD)


@pytest.fixture(scope="module", params=FAMILIES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("bank")
    with sandbox(home, "bank", "--speed", str(DAY_S), "--program", "TXD", family=request.param) as (running, _):
        yield running


@dataclass(frozen=True)
class Program:
    """A program's accounts at the bank, and what is done with them."""

    name: str
    bank: HttpBank

    def account(self, role: str) -> str:
        return f"{self.name}-{role}"

    async def balance(self, role: str = "clearing") -> Amount:
        return (await self.bank.statement(self.account(role))).balance

    def deposit(self, cents: int, number: str = "123456789", role: str = "clearing") -> AchOrder:
        return self._order(AchDirection.DEBIT, cents, number, role)

    def payout(self, cents: int, number: str = "123456789") -> AchOrder:
        return self._order(AchDirection.CREDIT, cents, number, "clearing")

    def _order(self, direction: AchDirection, cents: int, number: str, role: str) -> AchOrder:
        person = ExternalAccount("111000025", number, "checking", "Alice Example")
        return AchOrder(direction, self.account(role), Amount(cents, USD), person, SecCode.WEB, str(uuid4()))

    async def book(self, source: str, destination: str, cents: int, key: str, reference: str = "x") -> BookTransfer:
        order = BookTransferOrder(self.account(source), self.account(destination), Amount(cents, USD), reference)
        return await self.bank.book_transfer(order, key)


@pytest.fixture
async def mine(server: Sandbox) -> AsyncIterator[Program]:
    """A program of its own for each test, so that each begins with the same balances."""
    program = Program(f"T{uuid4().hex[:8]}", server.bank())
    client = server.client("bank")
    await client.post("/v1/programs", {"program": program.name}, program.name)
    await client.close()
    yield program
    await program.bank.close()


@pytest.fixture
def bank(mine: Program) -> HttpBank:
    return mine.bank


async def until(bank: HttpBank, entry_id: str, wanted: Callable[[AchEntry], bool]) -> AchEntry:
    async with asyncio.timeout(15):
        while not wanted(entry := await bank.ach_entry(entry_id)):
            await asyncio.sleep(DAY_S / 5)
    return entry


async def test_a_deposit_reaches_clearing_at_settlement_and_its_window_passes_two_days_later(
    mine: Program, bank: HttpBank
) -> None:
    created = await bank.originate(mine.deposit(50_000), "deposit-1")
    assert (created.status, created.filed_day, created.return_code) == (AchStatus.CREATED, None, None)

    passed = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.WINDOW_PASSED)

    assert passed.settled_day is not None
    assert passed.settled_day > created.created_day
    assert passed.window_passed_day == passed.settled_day + 2
    assert await mine.balance() == PREFUND + Amount(50_000, USD)
    [prefund, line] = (await bank.statement(mine.account("clearing"))).lines
    assert (prefund.kind, line.kind, line.flow) == ("prefund", "ach_debit", Flow.IN)
    assert (line.subject, line.reference) == (created.entry_id, created.reference)


async def test_an_amount_ending_in_420_comes_back_r01_before_the_window_passes(mine: Program, bank: HttpBank) -> None:
    created = await bank.originate(mine.deposit(10_420), "deposit-420")

    returned = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert (returned.return_code, returned.window_passed_day) == ("R01", None)
    assert await mine.balance() == PREFUND
    assert [line.kind for line in (await bank.statement(mine.account("clearing"), after=1)).lines] == [
        "ach_debit",
        "ach_return",
    ]


@pytest.mark.parametrize("code", ["R02", "R03", "R29"])
async def test_a_magic_account_number_names_the_return(mine: Program, bank: HttpBank, code: str) -> None:
    created = await bank.originate(mine.deposit(5_000, f"99900000{code[1:]}"), f"deposit-{code}")

    returned = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert returned.return_code == code
    assert returned.returned_day == (returned.settled_day or 0) + 1


async def test_r10_comes_late_and_may_overdraw_clearing(mine: Program, bank: HttpBank) -> None:
    created = await bank.originate(mine.deposit(5_000, "9990000010"), "deposit-late")
    passed = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.WINDOW_PASSED)
    assert passed.return_code is None
    await mine.book("clearing", "operating", PREFUND.units + 5_000, "spend")

    returned = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert returned.return_code == "R10"
    assert returned.window_passed_day is not None
    statement = await bank.statement(mine.account("clearing"))
    assert (statement.balance, statement.overdraft) == (Amount(0, USD), Amount(5_000, USD))


async def test_a_payout_leaves_clearing_at_settlement_and_comes_back_when_returned(
    mine: Program, bank: HttpBank
) -> None:
    paid = await bank.originate(mine.payout(7_000), "payout-good")
    failed = await bank.originate(mine.payout(3_000, "9990000003"), "payout-r03")

    await until(bank, paid.entry_id, lambda entry: entry.status is AchStatus.WINDOW_PASSED)
    await until(bank, failed.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert await mine.balance() == PREFUND - Amount(7_000, USD)


async def test_what_is_promised_to_payouts_cannot_be_promised_again(mine: Program, bank: HttpBank) -> None:
    await bank.originate(mine.payout(PREFUND.units - 1_000), "payout-large")

    with pytest.raises(Unprocessable) as refusal:
        await bank.originate(mine.payout(1_001), "payout-more")

    assert refusal.value.code == "insufficient_funds"


async def test_ach_never_touches_the_reserve(mine: Program, bank: HttpBank) -> None:
    with pytest.raises(Unprocessable) as refusal:
        await bank.originate(mine.deposit(1_000, role="reserve"), "reserve-ach")

    assert refusal.value.code == "not_clearing"


async def test_a_book_transfer_moves_money_to_the_reserve_and_is_confirmed(mine: Program, bank: HttpBank) -> None:
    transfer = await mine.book("clearing", "reserve", 50_000, "book-1", "tx-1")

    assert transfer.status is BookTransferStatus.CONFIRMED
    assert await mine.balance("reserve") == Amount(50_000, USD)
    assert await mine.balance() == PREFUND - Amount(50_000, USD)
    assert await bank.transfer(transfer.transfer_id) == transfer
    [line] = (await bank.statement(mine.account("reserve"))).lines
    assert (line.kind, line.subject, line.reference) == ("book", transfer.transfer_id, "tx-1")


async def test_a_book_transfer_needs_the_money_and_stays_within_its_program(mine: Program, bank: HttpBank) -> None:
    with pytest.raises(Unprocessable, match="insufficient_funds"):
        await mine.book("reserve", "clearing", 1, "book-empty", "x")
    across = BookTransferOrder("TXD-clearing", mine.account("reserve"), Amount(1, USD), "x")
    with pytest.raises(Unprocessable, match="not_one_program"):
        await bank.book_transfer(across, "book-across")


async def test_a_statement_comes_in_pages_and_goes_on_from_a_number(mine: Program, bank: HttpBank) -> None:
    for n in range(5):
        await mine.book("clearing", "reserve", n + 1, f"b{n}", f"r{n}")

    first = await bank.statement(mine.account("reserve"), after=0, limit=2)
    rest = await bank.statement(mine.account("reserve"), after=2)

    assert ([line.sequence for line in first.lines], first.more, first.last_sequence) == ([1, 2], True, 5)
    assert ([line.sequence for line in rest.lines], rest.more) == ([3, 4, 5], False)
    assert first.balance == rest.balance == Amount(15, USD)
    assert (await bank.statement(mine.account("reserve"), after=5)).lines == ()


async def test_a_repeated_key_answers_the_same_and_another_order_under_it_conflicts(
    mine: Program, bank: HttpBank
) -> None:
    wanted = mine.deposit(1_000)

    first, again = await asyncio.gather(bank.originate(wanted, "same"), bank.originate(wanted, "same"))
    with pytest.raises(Conflict) as refusal:
        await bank.originate(mine.deposit(2_000), "same")

    assert first == again
    assert first.evidence.document == again.evidence.document
    assert refusal.value.code == "idempotency_key_reused"


async def test_an_order_that_was_not_answered_is_asked_for_and_done_once(mine: Program, server: Sandbox) -> None:
    impatient = Program(mine.name, server.bank(timeout_s=0.4))

    entry = await impatient.bank.originate(mine.deposit(10_000, "9990000408"), "unanswered")
    transfer = await impatient.book("clearing", "reserve", 1_000, "unanswered", "x-408")

    assert (await mine.bank.ach_entry(entry.entry_id)).entry_id == entry.entry_id
    assert await mine.bank.transfer(transfer.transfer_id) == transfer
    assert await mine.balance("reserve") == Amount(1_000, USD)
    await impatient.bank.close()


async def test_a_try_that_failed_before_doing_anything_is_made_again(mine: Program, bank: HttpBank) -> None:
    transfer = await mine.book("clearing", "reserve", 2_000, "fails-once", "x-503")
    entry = await bank.originate(mine.deposit(3_000, "9990000503"), "fails-once")

    assert (transfer.status, entry.status) == (BookTransferStatus.CONFIRMED, AchStatus.CREATED)
    assert await mine.balance("reserve") == Amount(2_000, USD)


async def test_a_read_only_key_looks_and_never_orders(mine: Program, server: Sandbox) -> None:
    desk = Program(mine.name, server.bank(read_only=True))

    assert await desk.balance() == PREFUND
    with pytest.raises(VendorFault, match="read_only_key"):
        await desk.bank.originate(mine.deposit(1_000), "by-desk")
    await desk.bank.close()


async def test_what_is_not_there_is_not_found(mine: Program, bank: HttpBank) -> None:
    with pytest.raises(NotFound):
        await bank.ach_entry("ach_none/../../healthz")
    with pytest.raises(NotFound):
        await bank.transfer("book_none")


async def test_the_calendar_says_that_it_is_compressed(mine: Program, bank: HttpBank) -> None:
    first = await bank.calendar()
    await asyncio.sleep(3 * DAY_S)

    assert (first.compressed, first.seconds_per_banking_day) == (True, DAY_S)
    assert (await bank.calendar()).banking_day >= first.banking_day + 3


async def test_a_frozen_clock_lets_nothing_happen_until_it_is_put_on(tmp_path: Path) -> None:
    with sandbox(tmp_path, "bank", "--speed", "0.05", "--program", "TXD") as (running, _):
        client, bank = running.client("bank"), running.bank()
        await client.post("/v1/clock", {"action": "freeze"}, "freeze")
        entry = await bank.originate(Program("TXD", bank).deposit(50_000), "frozen")
        await asyncio.sleep(0.3)
        still = await bank.ach_entry(entry.entry_id)

        await client.post("/v1/clock", {"action": "advance", "days": 4}, "advance")

        assert still.status is AchStatus.CREATED
        assert (await bank.calendar()).frozen
        assert (await bank.ach_entry(entry.entry_id)).status is AchStatus.WINDOW_PASSED
        with pytest.raises(Conflict, match="clock_backwards"):
            await client.post("/v1/clock", {"action": "set", "date": "2026-01-02"}, "back")
        for body in ({"action": "advance"}, {"action": "freeze", "days": 1}, {"action": "set", "date": "2026-13-01"}):
            with pytest.raises(Unprocessable, match="clock"):
                await client.post("/v1/clock", body, str(uuid4()))
        await client.close()
        await bank.close()


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Authorization": ""}, b"{}", 401, "api_key"),
        ({"Authorization": "Bearer é"}, b"{}", 401, "api_key"),
        ({"Idempotency-Key": ""}, b"{}", 400, "idempotency_key"),
        ({}, b"", 400, "schema"),
        ({}, b'{"program": 1}', 400, "schema"),
        ({}, b'{"program": "A", "other": 1}', 400, "schema"),
        ({}, b'{"program": "\xff"}', 400, "schema"),
        ({}, b'{"program": "' + b"A" * 70_000 + b'"}', 400, "body_too_large"),
    ],
)
async def test_a_bad_request_is_a_problem_and_never_a_5xx(
    server: Sandbox, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    sent = {"Authorization": f"Bearer {server.key('bank')}", "Idempotency-Key": uuid4().hex} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url('bank')}/v1/programs", data=body, headers=sent) as response,
    ):
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["status"], problem["code"]) == (status, status, code)


async def test_a_bad_check_digit_is_refused(mine: Program, bank: HttpBank) -> None:
    wrong = ExternalAccount("111000026", "123456789", "checking", "Alice Example")
    bad = AchOrder(AchDirection.DEBIT, mine.account("clearing"), Amount(1, USD), wrong, SecCode.WEB, "x")

    with pytest.raises(Unprocessable, match="routing_number"):
        await bank.originate(bad, "bad-number")
    assert "111000026" not in repr(bad)


async def test_a_killed_bank_forgets_nothing(tmp_path: Path) -> None:
    with sandbox(tmp_path, "bank", "--speed", "0.05", "--program", "TXD") as (running, process):
        before = Program("TXD", running.bank())
        wanted = before.deposit(50_000)
        entry = await before.bank.originate(wanted, "kept")
        await before.book("clearing", "reserve", 7, "kept")
        day = (await before.bank.calendar()).banking_day
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(Unavailable):
            await before.bank.calendar()
        await before.bank.close()

    with sandbox(tmp_path, "bank", "--speed", "0.2", "--program", "TXD") as (running, _):
        after = Program("TXD", running.bank())
        assert await after.bank.originate(wanted, "kept") == entry
        assert await after.balance("reserve") == Amount(7, USD)
        assert (await after.bank.calendar()).banking_day >= day
        await until(after.bank, entry.entry_id, lambda found: found.status is AchStatus.WINDOW_PASSED)
        assert await after.balance() == PREFUND + Amount(50_000 - 7, USD)
        await after.bank.close()


async def test_an_order_that_cannot_be_asked_about_is_unknown(tmp_path: Path) -> None:
    with sandbox(tmp_path, "bank", "--program", "TXD") as (running, process):
        bank = running.bank(timeout_s=0.4)
        wanted = Program("TXD", bank).deposit(10_000, "9990000408")
        ordering = asyncio.create_task(bank.originate(wanted, "lost"))
        await asyncio.sleep(0.2)
        process.send_signal(signal.SIGSTOP)

        with pytest.raises(StateUnknown):
            await ordering

        process.send_signal(signal.SIGCONT)
        entry = await bank.originate(wanted, "lost")
        assert (entry.status, entry.reference) == (AchStatus.CREATED, wanted.reference)
        await bank.close()


async def test_what_is_asked_all_day_is_written_down_only_when_it_fails(server: Sandbox, tmp_path: Path) -> None:
    bank = HttpBank(server.vendor("ach", "bank"), server.vendor("treasury", "bank", trace=tmp_path))
    await bank.calendar()
    await bank.statement("TXD-clearing")
    await bank.calendar()
    assert [entry["operation"] for entry in read_trace(tmp_path, 9)] == ["statement"]
    await bank.close()
