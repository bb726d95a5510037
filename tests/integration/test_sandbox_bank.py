"""The sandbox bank, through the adapter that real banks get."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from sandbox_servers import DAY_S, Sandbox, sandbox

from sdt.adapters.bank.http import HttpBank
from sdt.domain.errors import Conflict, NotFound, Unavailable, Unprocessable
from sdt.domain.money import USD, Amount
from sdt.ports import (
    AchDirection,
    AchEntry,
    AchOrder,
    AchStatus,
    BookTransferOrder,
    BookTransferStatus,
    ExternalAccount,
    Flow,
    SecCode,
    StateUnknown,
    VendorFault,
)

pytestmark = pytest.mark.slow
PREFUND = Amount(100_000_000, USD)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("bank")
    with sandbox(home, "bank", "--speed", str(DAY_S), "--program", "TXD") as (running, _):
        yield running


@pytest.fixture
async def program(server: Sandbox) -> str:
    """A program of its own for each test, so that each begins with the same balances."""
    name = f"T{uuid4().hex[:8]}"
    client = server.client("bank")
    await client.post("/v1/programs", {"program": name}, name)
    await client.close()
    return name


@pytest.fixture
async def bank(server: Sandbox, program: str) -> AsyncIterator[HttpBank]:
    bank = server.bank(program)
    yield bank
    await bank.close()


def order(direction: AchDirection, cents: int, number: str = "123456789", account: str = "clearing") -> AchOrder:
    person = ExternalAccount("111000025", number, "checking", "Alice Example")
    return AchOrder(direction, account, Amount(cents, USD), person, SecCode.WEB, str(uuid4()))


def deposit(cents: int, number: str = "123456789") -> AchOrder:
    return order(AchDirection.DEBIT, cents, number)


def payout(cents: int, number: str = "123456789") -> AchOrder:
    return order(AchDirection.CREDIT, cents, number)


async def until(bank: HttpBank, entry_id: str, wanted: Callable[[AchEntry], bool]) -> AchEntry:
    async with asyncio.timeout(15):
        while not wanted(entry := await bank.ach_entry(entry_id)):  # noqa: ASYNC110
            await asyncio.sleep(DAY_S / 5)
    return entry


async def balance(bank: HttpBank, account: str = "clearing") -> Amount:
    return (await bank.statement(account)).balance


async def test_a_deposit_reaches_clearing_at_settlement_and_its_window_passes_two_days_later(bank: HttpBank) -> None:
    created = await bank.originate(deposit(50_000), "deposit-1")
    assert (created.status, created.filed_day, created.return_code) == (AchStatus.CREATED, None, None)

    passed = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.WINDOW_PASSED)

    assert passed.settled_day is not None
    assert passed.settled_day > created.created_day
    assert passed.window_passed_day == passed.settled_day + 2
    assert await balance(bank) == PREFUND + Amount(50_000, USD)
    [prefund, line] = (await bank.statement("clearing")).lines
    assert (prefund.kind, line.kind, line.flow) == ("prefund", "ach_debit", Flow.IN)
    assert (line.subject, line.reference) == (created.entry_id, created.reference)


async def test_an_amount_ending_in_420_comes_back_r01_before_the_window_passes(bank: HttpBank) -> None:
    created = await bank.originate(deposit(10_420), "deposit-420")

    returned = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert (returned.return_code, returned.window_passed_day) == ("R01", None)
    assert await balance(bank) == PREFUND
    assert [line.kind for line in (await bank.statement("clearing", after=1)).lines] == ["ach_debit", "ach_return"]


@pytest.mark.parametrize("code", ["R02", "R03", "R29"])
async def test_a_magic_account_number_names_the_return(bank: HttpBank, code: str) -> None:
    created = await bank.originate(deposit(5_000, f"99900000{code[1:]}"), f"deposit-{code}")

    returned = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert returned.return_code == code
    assert returned.returned_day == (returned.settled_day or 0) + 1


async def test_r10_comes_late_and_may_overdraw_clearing(bank: HttpBank) -> None:
    created = await bank.originate(deposit(5_000, "9990000010"), "deposit-late")
    passed = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.WINDOW_PASSED)
    assert passed.return_code is None
    everything = BookTransferOrder("clearing", "operating", PREFUND + Amount(5_000, USD), "spent")
    await bank.book_transfer(everything, "spend")

    returned = await until(bank, created.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert returned.return_code == "R10"
    assert returned.window_passed_day is not None
    statement = await bank.statement("clearing")
    assert (statement.balance, statement.overdraft) == (Amount(0, USD), Amount(5_000, USD))


async def test_a_payout_leaves_clearing_at_settlement_and_comes_back_when_returned(bank: HttpBank) -> None:
    paid = await bank.originate(payout(7_000), "payout-good")
    failed = await bank.originate(payout(3_000, "9990000003"), "payout-r03")

    await until(bank, paid.entry_id, lambda entry: entry.status is AchStatus.WINDOW_PASSED)
    await until(bank, failed.entry_id, lambda entry: entry.status is AchStatus.RETURNED)

    assert await balance(bank) == PREFUND - Amount(7_000, USD)


async def test_what_is_promised_to_payouts_cannot_be_promised_again(bank: HttpBank) -> None:
    await bank.originate(payout(PREFUND.units - 1_000), "payout-large")

    with pytest.raises(Unprocessable) as refusal:
        await bank.originate(payout(1_001), "payout-more")

    assert refusal.value.code == "insufficient_funds"


async def test_ach_never_touches_the_reserve(bank: HttpBank) -> None:
    with pytest.raises(Unprocessable) as refusal:
        await bank.originate(order(AchDirection.DEBIT, 1_000, account="reserve"), "reserve-ach")

    assert refusal.value.code == "not_clearing"


async def test_a_book_transfer_moves_money_to_the_reserve_and_is_confirmed(bank: HttpBank) -> None:
    transfer = await bank.book_transfer(BookTransferOrder("clearing", "reserve", Amount(50_000, USD), "tx-1"), "book-1")

    assert transfer.status is BookTransferStatus.CONFIRMED
    assert await balance(bank, "reserve") == Amount(50_000, USD)
    assert await balance(bank) == PREFUND - Amount(50_000, USD)
    assert await bank.transfer(transfer.transfer_id) == transfer
    [line] = (await bank.statement("reserve")).lines
    assert (line.kind, line.subject, line.reference) == ("book", transfer.transfer_id, "tx-1")


async def test_a_book_transfer_needs_the_money_and_stays_within_its_program(
    bank: HttpBank, server: Sandbox, program: str
) -> None:
    with pytest.raises(Unprocessable, match="insufficient_funds"):
        await bank.book_transfer(BookTransferOrder("reserve", "clearing", Amount(1, USD), "x"), "book-empty")
    across = HttpBank(server.client("bank"), {"clearing": "TXD-clearing", "reserve": f"{program}-reserve"})
    with pytest.raises(Unprocessable, match="not_one_program"):
        await across.book_transfer(BookTransferOrder("clearing", "reserve", Amount(1, USD), "x"), "book-across")
    await across.close()


async def test_a_statement_comes_in_pages_and_goes_on_from_a_number(bank: HttpBank) -> None:
    for n in range(5):
        await bank.book_transfer(BookTransferOrder("clearing", "reserve", Amount(n + 1, USD), f"r{n}"), f"b{n}")

    first = await bank.statement("reserve", after=0, limit=2)
    rest = await bank.statement("reserve", after=2)

    assert ([line.sequence for line in first.lines], first.more, first.last_sequence) == ([1, 2], True, 5)
    assert ([line.sequence for line in rest.lines], rest.more) == ([3, 4, 5], False)
    assert first.balance == rest.balance == Amount(15, USD)
    assert (await bank.statement("reserve", after=5)).lines == ()


async def test_a_repeated_key_answers_the_same_and_another_order_under_it_conflicts(bank: HttpBank) -> None:
    wanted = deposit(1_000)

    first, again = await asyncio.gather(bank.originate(wanted, "same"), bank.originate(wanted, "same"))
    with pytest.raises(Conflict) as refusal:
        await bank.originate(deposit(2_000), "same")

    assert first == again
    assert first.evidence.document == again.evidence.document
    assert refusal.value.code == "idempotency_key_reused"


async def test_an_order_that_was_not_answered_is_asked_for_and_done_once(server: Sandbox, program: str) -> None:
    impatient = server.bank(program, timeout_s=0.4)

    entry = await impatient.originate(deposit(10_408), "unanswered")
    transfer = await impatient.book_transfer(
        BookTransferOrder("clearing", "reserve", Amount(1_408, USD), "x"), "unanswered-book"
    )

    assert (await impatient.ach_entry(entry.entry_id)).entry_id == entry.entry_id
    assert await balance(impatient, "reserve") == Amount(1_408, USD)
    assert await impatient.transfer(transfer.transfer_id) == transfer
    await impatient.close()


async def test_a_try_that_failed_before_doing_anything_is_made_again(bank: HttpBank) -> None:
    transfer = await bank.book_transfer(BookTransferOrder("clearing", "reserve", Amount(2_503, USD), "x"), "fails-once")

    assert transfer.status is BookTransferStatus.CONFIRMED
    assert await balance(bank, "reserve") == Amount(2_503, USD)


async def test_a_read_only_key_looks_and_never_orders(server: Sandbox, program: str) -> None:
    desk = server.bank(program, read_only=True)

    assert await balance(desk) == PREFUND
    with pytest.raises(VendorFault, match="read_only_key"):
        await desk.originate(deposit(1_000), "by-desk")
    await desk.close()


async def test_what_is_not_there_is_not_found(bank: HttpBank) -> None:
    with pytest.raises(NotFound):
        await bank.ach_entry("ach_none/../../healthz")
    with pytest.raises(NotFound):
        await bank.transfer("book_none")


async def test_the_calendar_says_that_it_is_compressed(bank: HttpBank) -> None:
    first = await bank.calendar()
    await asyncio.sleep(3 * DAY_S)

    assert (first.compressed, first.seconds_per_banking_day) == (True, DAY_S)
    assert (await bank.calendar()).banking_day >= first.banking_day + 3


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


async def test_a_bad_check_digit_is_refused(bank: HttpBank) -> None:
    wrong = ExternalAccount("111000026", "1", "checking", "Alice Example")
    bad = AchOrder(AchDirection.DEBIT, "clearing", Amount(1, USD), wrong, SecCode.WEB, "x")

    with pytest.raises(Unprocessable):
        await bank.originate(bad, "bad-number")
    assert "111000026" not in repr(bad)


async def test_a_killed_bank_forgets_nothing(tmp_path: Path) -> None:
    wanted = deposit(50_000)
    with sandbox(tmp_path, "bank", "--speed", "0.05", "--program", "TXD") as (running, process):
        bank = running.bank()
        entry = await bank.originate(wanted, "kept")
        await bank.book_transfer(BookTransferOrder("clearing", "reserve", Amount(7, USD), "x"), "kept-book")
        day = (await bank.calendar()).banking_day
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(Unavailable):
            await bank.calendar()
        await bank.close()

    with sandbox(tmp_path, "bank", "--speed", "0.2", "--program", "TXD") as (running, _):
        bank = running.bank()
        assert await bank.originate(wanted, "kept") == entry
        assert await balance(bank, "reserve") == Amount(7, USD)
        assert (await bank.calendar()).banking_day >= day
        await until(bank, entry.entry_id, lambda found: found.status is AchStatus.WINDOW_PASSED)
        assert await balance(bank) == PREFUND + Amount(50_000 - 7, USD)
        await bank.close()


async def test_an_order_that_cannot_be_asked_about_is_unknown(tmp_path: Path) -> None:
    with sandbox(tmp_path, "bank", "--program", "TXD") as (running, process):
        bank = running.bank(timeout_s=0.4)
        wanted = deposit(10_408)
        ordering = asyncio.create_task(bank.originate(wanted, "lost"))
        await asyncio.sleep(0.2)
        process.send_signal(signal.SIGSTOP)

        with pytest.raises(StateUnknown):
            await ordering

        process.send_signal(signal.SIGCONT)
        entry = await bank.originate(wanted, "lost")
        assert (entry.status, entry.reference) == (AchStatus.CREATED, wanted.reference)
        await bank.close()
