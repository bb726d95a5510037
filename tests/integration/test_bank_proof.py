"""Proof of a bank account by small credits and by prenote, through files, at a real sandbox bank."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from ach_rig import FIRST_DAY, GOOD_NUMBER, Rig
from sandbox_servers import Sandbox, sandbox

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.errors import Conflict, Unprocessable
from sdt.sandbox.ach_messages import OtherStatement
from sdt.store import Store, ach, banking, ledger
from sdt.store.banking import BankAccountRow
from sdt.worker.ach.facts import Facts
from sdt.workflows import bank_proof
from sdt.workflows.clearing import explain_clearing
from store_rig import TOKEN

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD", "--begins", FIRST_DAY) as (running, _):
        yield running


@pytest.fixture
async def rig(store: Store, server: Sandbox) -> AsyncIterator[Rig]:
    rig = Rig.open(store, server)
    await rig.clock_set(action="freeze")
    await rig.clock_set(action="set", date="2026-12-21", time="09:00")
    yield rig
    await rig.close()


def start(rig: Rig, linked: BankAccountRow, method: bank_proof.Method = "micro") -> BankAccountRow:
    with rig.store.transaction():
        return bank_proof.start(rig.store, rig.people, linked, method, TOKEN, business=False, at_ms=rig.clock.now_ms())


def confirm(rig: Rig, ref: str, *cents: int) -> str:
    linked = banking.bank_account(rig.store, ref)
    assert linked is not None
    with rig.store.transaction():
        first, second = cents
        return bank_proof.confirm(rig.store, linked, (first, second), at_ms=rig.clock.now_ms()).status


def status(rig: Rig, ref: str = "ref-1") -> str:
    found = banking.bank_account(rig.store, ref)
    assert found is not None
    return found.status


async def amounts(rig: Rig, number: str = GOOD_NUMBER) -> list[tuple[str, int, str]]:
    """What the holder's own bank shows."""
    answer = await rig.control.get(f"/v1/other-banks/{number}/statement")
    lines = msgspec.json.decode(answer, type=OtherStatement).lines
    return [(line.flow, int(line.amount_cents), line.description) for line in lines]


async def test_two_small_credits_are_read_off_the_statement_and_told(rig: Rig) -> None:
    linked = rig.user(1)
    assert start(rig, linked).status == "pending"
    await rig.round(2)
    with pytest.raises(Conflict):
        confirm(rig, "ref-1", 1, 2)

    await rig.clock_set(action="advance", days=1)
    await rig.round()

    lines = await amounts(rig)
    given = [cents for flow, cents, _ in lines if flow == "in"]
    taken = [cents for flow, cents, _ in lines if flow == "out"]
    assert {description for _, _, description in lines} == {"ACCTVERIFY"}
    assert taken == [sum(given)]
    assert len(given) == 2
    assert given[0] != given[1]
    assert all(1 <= cents < 100 for cents in given)

    assert confirm(rig, "ref-1", given[0] % 99 + 1, given[1]) == "pending"
    assert confirm(rig, "ref-1", *reversed(given)) == "verified"
    assert status(rig) == "verified"
    assert start(rig, banking.bank_account(rig.store, "ref-1")).status == "verified"  # type: ignore[arg-type]


async def test_three_wrong_answers_fail_and_a_new_proof_has_new_amounts(rig: Rig) -> None:
    linked = rig.user(1)
    start(rig, linked)
    await rig.round(2)
    await rig.clock_set(action="advance", days=1)
    await rig.round()
    right = [cents for flow, cents, _ in await amounts(rig) if flow == "in"]
    wrong = next(n for n in range(1, 100) if n not in right)

    assert [confirm(rig, "ref-1", wrong, wrong) for _ in range(3)] == ["pending", "pending", "failed"]
    with pytest.raises(Conflict):
        confirm(rig, "ref-1", *right)
    assert start(rig, banking.bank_account(rig.store, "ref-1")).status == "pending"  # type: ignore[arg-type]
    assert rig.store.row("SELECT count(*) FROM ach_entries")[0] == 6


async def test_a_prenote_passes_after_three_banking_days(rig: Rig) -> None:
    start(rig, rig.user(1), "prenote")
    await rig.round(2)
    await rig.clock_set(action="advance", days=3)
    await rig.round()
    assert status(rig) == "pending"

    await rig.clock_set(action="advance", days=1)
    await rig.round()
    assert status(rig) == "verified"


async def test_a_prenote_to_no_account_closes_it(rig: Rig) -> None:
    start(rig, rig.user(1, "9990000003"), "prenote")
    await rig.round(2)
    await rig.clock_set(action="advance", days=4)
    await rig.round()

    assert status(rig) == "closed"
    with pytest.raises(Unprocessable):
        start(rig, banking.bank_account(rig.store, "ref-1"))  # type: ignore[arg-type]
    assert rig.cases() == []


async def test_small_credits_that_come_back_fail_the_proof(rig: Rig) -> None:
    start(rig, rig.user(1, "9990000004"))
    await rig.round(2)
    await rig.clock_set(action="advance", days=4)
    await rig.round()
    assert status(rig) in ("failed", "closed")


async def test_the_cents_of_a_proof_are_in_the_books_when_one_of_them_comes_back(rig: Rig) -> None:
    opening = (await rig.bank.statement(f"{TOKEN}-clearing")).balance.units
    start(rig, rig.user(1))
    await rig.round(2)
    # The three settle on one day, and come to nothing.
    await rig.clock_set(action="advance", days=1)
    await rig.round()
    clearing = ledger.account_balance(rig.store, f"Clearing:{TOKEN}")
    assert clearing.credits == clearing.debits > 0
    assert (await rig.bank.statement(f"{TOKEN}-clearing")).balance.units == opening
    assert explain_clearing(rig.store, TOKEN) == []

    # Then the debit alone comes back: the cents are gone, and clearing says for what.
    [back] = [row for row in ach.entries_of_account(rig.store, "ref-1", ("micro",)) if not row.is_credit]
    with rig.store.transaction():
        Facts(texas()).tell(rig.store, back, EntryEvent.RETURN, code="R01", on=date(2026, 12, 23), at_ms=1)
    assert [(item.kind, item.units) for item in explain_clearing(rig.store, TOKEN)] == [("account_proofs", -back.units)]
    # A return of what never settled moved nothing.
    start(rig, rig.user(2))
    [other] = [row for row in ach.entries_of_account(rig.store, "ref-2", ("micro",)) if not row.is_credit]
    with rig.store.transaction():
        Facts(texas()).tell(rig.store, other, EntryEvent.FILE, on=date(2026, 12, 23), at_ms=1)
        Facts(texas()).tell(rig.store, other, EntryEvent.RETURN, code="R01", on=date(2026, 12, 23), at_ms=1)
    assert [(item.kind, item.units) for item in explain_clearing(rig.store, TOKEN)] == [("account_proofs", -back.units)]
    assert ledger.discrepancies(rig.store) == []


async def test_clearing_in_the_books_is_clearing_at_the_bank_when_a_whole_proof_comes_back(rig: Rig) -> None:
    opening = (await rig.bank.statement(f"{TOKEN}-clearing")).balance.units
    start(rig, rig.user(1, "9990000004"))
    await rig.round(2)
    await rig.clock_set(action="advance", days=1)
    await rig.round()
    await rig.clock_set(action="advance", days=1)
    await rig.round()
    assert status(rig) == "closed"
    clearing = ledger.account_balance(rig.store, f"Clearing:{TOKEN}")
    assert clearing.debits - clearing.credits == (
        (await rig.bank.statement(f"{TOKEN}-clearing")).balance.units - opening
    )
    assert clearing.debits > 0
