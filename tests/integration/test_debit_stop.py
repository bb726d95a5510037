"""A stop on debits stands on the account at the bank: whatever it is linked as, and on the debits that wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from ach_rig import ROUTING, Rig, ach_config
from test_ach_race import late
from test_debit_authorisation import (
    NOW,
    deposited,
    officers,  # noqa: F401  (fixture)
    proof,
    recorded,
    refused,
    returned,
    rig,  # noqa: F401  (fixture)
    signed,
)

from domain_messages import texas
from sdt.api.bank_accounts import _link
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.errors import Unavailable
from sdt.domain.nacha import Return, read_file
from sdt.domain.personal import BankDetails
from sdt.ports.bank import AchStatus
from sdt.store import Store, accounts, ach, ach_files, banking, blocked, ledger, open_store, people_behind, transactions
from sdt.worker.counterparties import Counterparties
from sdt.worker.instructions import Instructions
from sdt.workflows import bank_proof, blocking
from sdt.workflows.ach_reversal import BANK_DAY
from sdt.workflows.sealed_files import DATA_LABEL, open_file
from store_rig import NOW_MS, TOKEN, address, transaction_id

TRACE = "111000020000001"
CLOSED = "bank_account_closed"


def linked(rig: Rig, number: str, kind: str = "savings", user: int = 2) -> str:  # noqa: F811
    """Link a bank account as the API does; returns its reference."""
    with rig.store.transaction():
        holder = accounts.user_by_id(rig.store, f"user-{user}")
        assert holder is not None
        details = BankDetails(routing_number=ROUTING, account_number=number, kind=kind, holder="A. Example")  # type: ignore[arg-type]
        return _link(rig.store, rig.people, holder, details, rig.clock.now_ms()).ref


def on_day(rig: Rig, day: date) -> None:  # noqa: F811
    with rig.store.transaction():
        ach.set_counter(rig.store, BANK_DAY, day.toordinal())


def gather(rig: Rig) -> list[tuple[str, int]]:  # noqa: F811
    """Close a file; returns the class and cents of each of its entries."""
    with rig.store.transaction():
        number = ach.counter(rig.store, f"cut-off:{TOKEN}")
        made = rig.desk.gatherer.close(rig.store, TOKEN, NOW, NOW) if number == 0 else None
    if made is None:
        return []
    file = read_file(open_file(rig.keys, ach_files.file_data(rig.store, made.name), DATA_LABEL + made.name))
    return [(b.header.sec_code, e.detail.cents) for b in file.batches for e in b.entries]  # type: ignore[union-attr]


def ended(rig: Rig, n: int) -> tuple[str, str, str | None, str | None]:  # noqa: F811
    """Where a deposit's entry stands in its file, at the bank, and the deposit itself with its code."""
    entry = ach.entry(rig.store, f"ach:{transaction_id(n)}")
    at_bank = banking.entry(rig.store, f"ach:{transaction_id(n)}")
    row = transactions.get(rig.store, transaction_id(n))
    assert entry and at_bank and row
    return entry.stage, at_bank.status, row.status.value, row.code


@pytest.mark.parametrize("number", ["000123456789", "123456789", "0001-2345-6789"])
async def test_a_stop_follows_the_account_that_is_linked_again_as_another_kind(rig: Rig, number: str) -> None:  # noqa: F811
    # given an account whose bank returned a debit of it as not allowed
    assert await deposited(rig, 1, 100) == "WEB"
    returned(rig, 1, "R10", "2027-01-15")
    # when its holder links it as another, however they write its number
    again, other = linked(rig, number), linked(rig, "000987654321")
    assert len({again, other, "ref-2"}) == 3
    # then it is debited as little, and no proof of it begins; another account is
    assert await deposited(rig, 2, 100, again) == CLOSED
    with refused("debits_stopped"):
        proof(rig, ref=again)
    assert await deposited(rig, 3, 100, other) == "WEB"
    assert proof(rig, EntryEvent.OUTLAST, other) == "verified"
    # and a later authorisation lets through what it covers of the one it names
    on_day(rig, date(2027, 1, 19))
    recorded(rig.store, bank_account=again, given_on="2027-01-16")
    assert [await deposited(rig, n, 5_000, ref) for n, ref in ((4, "ref-2"), (5, again), (6, again))] == [
        CLOSED,
        "TEL",
        CLOSED,
    ]


async def test_a_stop_reaches_what_was_linked_and_proved_before(rig: Rig) -> None:  # noqa: F811
    again = linked(rig, "000123456789")
    assert proof(rig, EntryEvent.OUTLAST, again) == "verified"
    assert [await deposited(rig, n, 100, ref) for n, ref in ((1, "ref-2"), (2, again))] == ["WEB", "WEB"]
    returned(rig, 1, "R07", "2027-01-15")
    assert await deposited(rig, 3, 100, again) == CLOSED


async def test_a_stop_follows_the_person_and_not_a_stranger_who_links_the_same_account(rig: Rig) -> None:  # noqa: F811
    # given one person with two accounts here, and somebody else
    for n in (3, 4):
        rig.user(n)
    with rig.store.transaction():
        for n in (2, 3):
            people_behind.link(rig.store, address(n), ["person-2"])
    assert await deposited(rig, 1, 100) == "WEB"
    returned(rig, 1, "R29", "2027-01-15")
    # then the other account of that person does not debit it; what somebody else authorised is theirs
    assert await deposited(rig, 2, 100, "ref-3", user=3) == CLOSED
    assert await deposited(rig, 3, 100, "ref-4", user=4) == "WEB"
    # and an erased person's account is compared with nothing
    rig.store.execute("UPDATE person_keys SET wrapped = NULL, erased_at_ms = 1 WHERE user_id = 'user-2'")
    assert await deposited(rig, 4, 100, "ref-3", user=3) == "WEB"


async def test_debits_that_wait_end_when_their_account_is_stopped(rig: Rig) -> None:  # noqa: F811
    # given debits that wait for a file, of an account linked twice and of another one
    again, other = linked(rig, "000123456789"), linked(rig, "000987654321")
    for n, ref in ((1, "ref-2"), (2, "ref-2"), (3, again), (4, other)):
        assert await deposited(rig, n, 100 + n, ref) == "WEB"
    # when one of them, which a file carried before, comes back
    rig.store.execute("UPDATE ach_entries SET stage = 'in_file' WHERE id = ?", (f"ach:{transaction_id(1)}",))
    returned(rig, 1, "R10", "2027-01-15")
    # then the next file carries the other account's alone, and their deposits end once
    assert gather(rig) == [("WEB", 104)]
    for n in (2, 3):
        assert ended(rig, n) == ("refused", "refused", "rejected", CLOSED)
    assert ended(rig, 4)[::2] == ("in_file", "awaiting_funds")
    assert ach.waiting(rig.store, 9) == []
    assert rig.cases() == []
    assert ledger.discrepancies(rig.store) == []
    told = rig.store.rows("SELECT event FROM events WHERE transaction_id = ?", (transaction_id(2),))
    assert [event for (event,) in told].count("reject") == 1


async def test_a_blocked_deposit_whose_debit_ends_is_blocked_no_more(rig: Rig) -> None:  # noqa: F811
    assert [await deposited(rig, n, 100) for n in (1, 2)] == ["WEB", "WEB"]
    with rig.store.transaction():
        blocking.block_deposit(rig.store, transaction_id(2), reference="case", actor="x", at_ms=NOW_MS)
    rig.store.execute("UPDATE ach_entries SET stage = 'in_file' WHERE id = ?", (f"ach:{transaction_id(1)}",))
    returned(rig, 1, "R10", "2027-01-15")
    assert gather(rig) == []
    assert ended(rig, 2) == ("refused", "refused", "rejected", CLOSED)
    assert blocked.get(rig.store, transaction_id(2)) is None


async def test_details_that_do_not_open_hold_no_file_back(rig: Rig) -> None:  # noqa: F811
    # given a stopped account and another one of its holder, of which the one or the other does not open
    other, spoilt = linked(rig, "000987654321"), linked(rig, "000555666777")
    for n, ref in ((1, "ref-2"), (2, other), (3, spoilt)):
        assert await deposited(rig, n, 100 + n, ref) == "WEB"
    rig.user(4)
    assert await deposited(rig, 4, 104, "ref-4", user=4) == "WEB"
    rig.store.execute("UPDATE ach_entries SET stage = 'in_file' WHERE id = ?", (f"ach:{transaction_id(1)}",))
    returned(rig, 1, "R10", "2027-01-15")
    for ref in ("ref-2", spoilt):
        banking.set_details(rig.store, ref, b"\1" * 60)
    # then everybody else's debits go, what may be the stopped account's ends, and what does not open waits
    assert gather(rig) == [("WEB", 104)]
    assert [ended(rig, n)[0] for n in (2, 3)] == ["refused", "wanted"]
    assert rig.cases() == [("ach_unmatched", f"ach:{transaction_id(3)}:unreadable")]


async def test_a_debit_that_waits_goes_on_under_what_was_allowed_after_the_stop(rig: Rig) -> None:  # noqa: F811
    assert [await deposited(rig, n, units) for n, units in ((1, 100), (2, 5_000), (3, 200))] == ["WEB"] * 3
    rig.store.execute("UPDATE ach_entries SET stage = 'in_file' WHERE id = ?", (f"ach:{transaction_id(1)}",))
    returned(rig, 1, "R10", "2027-01-14")
    on_day(rig, NOW.date())
    recorded(rig.store, given_on="2027-01-15")
    assert await deposited(rig, 4, 5_000) == "TEL"
    # the one that was asked for before, of the very amount, was allowed by its message alone
    assert gather(rig) == [("TEL", 5_000)]
    assert [ended(rig, n)[3] for n in (2, 3, 4)] == [CLOSED, CLOSED, None]


@pytest.mark.parametrize(("code", "sent"), [("R10", 2), ("R03", 2), ("R01", 3)])
async def test_the_debit_of_a_proof_that_waits_ends_too(rig: Rig, code: str, sent: int) -> None:  # noqa: F811
    assert await deposited(rig, 1, 100) == "WEB"
    with rig.store.transaction():
        found = banking.bank_account(rig.store, "ref-2")
        assert found
        bank_proof.start(rig.store, rig.people, found, "micro", TOKEN, business=False, at_ms=NOW_MS)
    rig.store.execute("UPDATE ach_entries SET stage = 'in_file' WHERE id = ?", (f"ach:{transaction_id(1)}",))
    returned(rig, 1, code, "2027-01-15")
    assert len(gather(rig)) == sent


@pytest.fixture
def elsewhere(store: Store, store_url: str) -> Iterator[Store]:
    """The same database, as another process has it."""
    opened = open_store(store_url)
    yield opened
    opened.close()


async def _one_in_a_file_one_waits(rig: Rig) -> None:  # noqa: F811
    """Two debits of one holder, of an account that is linked twice."""
    again = linked(rig, "000123456789")
    assert [await deposited(rig, n, 100, ref) for n, ref in ((1, "ref-2"), (2, again))] == ["WEB", "WEB"]
    ach.put_into_file(rig.store, "TXD-20270114-A.ach", [(1, TRACE, "2027-01-14", f"ach:{transaction_id(1)}")])
    entry = banking.entry(rig.store, f"ach:{transaction_id(1)}")
    assert entry
    banking.update_entry(rig.store, entry.id, status="acknowledged", code=None, at_ms=NOW_MS)


def _stop(rig: Rig, store: Store) -> None:  # noqa: F811
    """The bank's return of the debit that a file carried."""
    record = Return("return", "R10", TRACE, ROUTING[:8], "91000019" + "0" * 7, 100, False, "", "")
    with store.transaction():
        assert rig.desk.receiver.records.returns(store, "digest", [record], NOW.date(), NOW_MS) == 0


async def test_a_stop_that_comes_while_a_file_is_gathered_keeps_the_debit_out(
    rig: Rig,  # noqa: F811
    elsewhere: Store,
) -> None:
    await _one_in_a_file_one_waits(rig)
    with ThreadPoolExecutor(1) as pool:
        with elsewhere.transaction():
            _stop(rig, elsewhere)
            gathering = pool.submit(gather, rig)
            assert late(gathering)
        assert gathering.result(10) == []
    assert ended(rig, 2) == ("refused", "refused", "rejected", CLOSED)


async def test_a_stop_that_comes_after_a_file_was_gathered_waits_for_its_commit(
    rig: Rig,  # noqa: F811
    elsewhere: Store,
) -> None:
    await _one_in_a_file_one_waits(rig)
    gathered = threading.Event()

    def stop() -> None:
        assert gathered.wait(10)
        _stop(rig, elsewhere)

    with ThreadPoolExecutor(1) as pool:
        with rig.store.transaction():
            assert rig.desk.gatherer.close(rig.store, TOKEN, NOW, NOW) is not None
            stopping = pool.submit(stop)
            gathered.set()
            assert late(stopping)
        stopping.result(10)
    assert ended(rig, 2)[::2] == ("in_file", "awaiting_funds")


class OneByOne:
    """A bank that takes entries one by one, or does not answer; something may happen just before it is asked."""

    def __init__(self, rig: Rig) -> None:  # noqa: F811
        self.rig = rig
        self.asked: list[str] = []
        self.answers = True
        self.before: Callable[[], None] = lambda: None

    async def originate(self, order: Any, *, key: str) -> Any:
        self.asked.append(key)
        if not self.answers:
            raise Unavailable("No answer.", code="no_answer")
        return SimpleNamespace(entry_id=f"bank-{key}")

    async def ach_entry(self, entry_id: str) -> Any:
        """The bank tells that it came back."""
        status = AchStatus.RETURNED
        return SimpleNamespace(status=status, settled_day=1, window_passed_day=None, return_code="R10")

    async def look(self) -> None:
        """The worker asks what became of its entries, on the bank's day."""
        clock: Any = SimpleNamespace(now_ms=lambda: int(NOW.timestamp() * 1000))
        vendors: Any = SimpleNamespace(bank=self)
        await Counterparties(self.rig.store, texas(), vendors, 1, clock).look()

    async def bank_details(self, account: str, sealed: bytes) -> BankDetails | None:
        self.before()
        return await self.rig.people.bank_details(account, sealed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rig.people, name)

    async def work(self) -> None:
        self.rig.store.execute("UPDATE outbox SET due_at_ms = 0 WHERE done_at_ms IS NULL")
        vendors: Any = SimpleNamespace(bank=self)
        people: Any = self
        config = ach_config(delivery="api")
        await Instructions(self.rig.store, texas(), vendors, people, None, config, self.rig.clock).work()  # type: ignore[arg-type]


async def test_a_stop_that_comes_while_a_debit_goes_to_the_bank_by_itself_ends_it(rig: Rig) -> None:  # noqa: F811
    # given a bank that takes entries one by one, and a stop after the deposit was looked at
    assert await deposited(rig, 1, 100) == "WEB"
    bank = OneByOne(rig)
    bank.before = lambda: returned(rig, 1, "R10", "2027-01-15")
    id = signed(rig, 2, 100)
    await bank.work()
    # then the bank is not asked, and nothing is asked of it later
    assert bank.asked == []
    found, row = banking.entry(rig.store, f"ach:{id}"), transactions.get(rig.store, id)
    assert found and row
    assert (found.status, found.code, row.status.value, row.code) == ("refused", "debits_stopped", "rejected", CLOSED)
    await bank.work()
    assert bank.asked == []
    assert ledger.discrepancies(rig.store) == []


async def test_a_debit_that_the_bank_may_have_is_asked_about_whatever_was_stopped_since(rig: Rig) -> None:  # noqa: F811
    assert await deposited(rig, 1, 100) == "WEB"
    bank = OneByOne(rig)
    bank.answers = False
    id = signed(rig, 2, 100)
    await bank.work()
    returned(rig, 1, "R10", "2027-01-15")
    bank.answers = True
    await bank.work()
    # the same order again: its money, should it come, has a deposit to go to
    assert bank.asked == [id, id]
    found, row = banking.entry(rig.store, f"ach:{id}"), transactions.get(rig.store, id)
    assert found and row
    assert (found.status, row.status.value) == ("filed", "awaiting_funds")


async def test_a_debit_that_waits_for_a_file_is_not_refused_by_a_worker_that_comes_back(rig: Rig) -> None:  # noqa: F811
    # given a worker that died after it had asked for an entry, which a file carries by now
    assert [await deposited(rig, n, 100) for n in (1, 2)] == ["WEB", "WEB"]
    assert len(gather(rig)) == 2
    rig.store.execute("UPDATE outbox SET done_at_ms = NULL")
    returned(rig, 1, "R10", "2027-01-15")
    vendors: Any = SimpleNamespace()
    await Instructions(rig.store, texas(), vendors, rig.people, None, ach_config(), rig.clock).work()  # type: ignore[arg-type]
    assert ended(rig, 2) == ("in_file", "created", "awaiting_funds", None)


async def test_a_stop_is_learnt_from_a_bank_that_takes_entries_one_by_one(rig: Rig) -> None:  # noqa: F811
    # given a debit that such a bank took, and says to have come back as not allowed
    again, bank = linked(rig, "000123456789"), OneByOne(rig)
    recorded(rig.store, recurrence="recurring", given_on="2027-01-15")
    signed(rig, 1, 100_000)
    await bank.work()
    await bank.look()
    # then no debit of that account is asked of it, as whatever it is linked
    for n, ref in ((2, "ref-2"), (3, again)):
        signed(rig, n, 100, ref)
    await bank.work()
    assert bank.asked == [transaction_id(1)]
    assert [row.code for n in (2, 3) if (row := transactions.get(rig.store, transaction_id(n)))] == [CLOSED, CLOSED]
    # but what was allowed on a later day is
    on_day(rig, date(2027, 1, 19))
    recorded(rig.store, evidence="cd" * 32, given_on="2027-01-16")
    signed(rig, 4, 5_000)
    await bank.work()
    assert bank.asked == [transaction_id(n) for n in (1, 4)]
