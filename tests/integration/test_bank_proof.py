"""Proof of a bank account by small credits and by prenote, through files, at a real sandbox bank."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from ach_rig import GOOD_NUMBER, Rig
from sandbox_servers import Sandbox, sandbox

from sdt.domain.errors import Conflict, Unprocessable
from sdt.sandbox.ach_messages import OtherStatement
from sdt.store import Store, banking
from sdt.store.banking import BankAccountRow
from sdt.workflows import bank_proof
from store_rig import TOKEN

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD") as (running, _):
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
        return bank_proof.start(rig.store, linked, method, TOKEN, business=False, at_ms=rig.clock.now_ms())


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
