"""A payout whose return our bank dishonors by itself stands as paid: what was to be paid again goes into no file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import pytest
from ach_rig import FIRST_DAY, Rig
from sandbox_servers import Sandbox, sandbox

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.transaction import Status
from sdt.store import Store, ach, ach_files, banking, ledger, reserve_moves
from sdt.store.banking import BankAccountRow, BankEntryRow
from sdt.worker import bank_entries
from sdt.workflows import payouts
from sdt.workflows.bank_proof import wanted_entry
from store_rig import TOKEN, status_of, transaction_id

pytestmark = pytest.mark.slow
E, S = EntryEvent, EntryStatus
OF, UNITS = transaction_id(1), 80_000
AGAIN = f"ach:{OF}:2"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD", "--begins", FIRST_DAY) as (running, _):
        yield running


@pytest.fixture
async def rig(store: Store, server: Sandbox) -> AsyncIterator[Rig]:
    rig = Rig.open(store, server)
    await rig.clock_set(action="freeze")
    await rig.clock_set(action="set", date="2026-12-07", time="09:00")
    await rig.round()
    yield rig
    await rig.close()


def tell(rig: Rig, id: str, *events: EntryEvent) -> None:
    for event in events:
        entry = banking.entry(rig.store, id)
        assert entry is not None
        at_ms, code = rig.clock.now_ms(), "R03" if event is E.RETURN else None
        bank_entries.apply(rig.store, texas(), entry, event, code=code, on=date(2026, 12, 7), at_ms=at_ms)


def came_back(rig: Rig) -> tuple[str, BankAccountRow]:
    """A payout that was paid, came back, and was let out of suspense by two officers for another bank account."""
    linked = rig.user(1)
    entry = rig.payout(1, linked, UNITS)
    ach.put_into_file(rig.store, "TXD-20261130-A.ach", [(1, "111000020000001", "2026-12-01", entry)])
    tell(rig, entry, E.FILE, E.SETTLE, E.RETURN)
    assert payouts.suspended(rig.store, TOKEN, OF).suspense == UNITS
    assert payouts.let_out(rig.store, TOKEN, OF, rig.clock.now_ms()) == UNITS
    return entry, linked


def pay_again(rig: Rig, linked: BankAccountRow) -> None:
    at_ms = rig.clock.now_ms()
    row = BankEntryRow(AGAIN, OF, "credit", TOKEN, UNITS, None, "created", None, at_ms)
    assert banking.put_entry(rig.store, row)
    wanted = wanted_entry(
        AGAIN,
        linked,
        TOKEN,
        purpose="payment",
        is_credit=True,
        units=UNITS,
        business=False,
        reference=OF,
        at_ms=at_ms,
    )
    assert ach.want(rig.store, wanted)


async def cut_off(rig: Rig) -> None:
    await rig.clock_set(action="set", date="2026-12-07", time="10:11")
    await rig.round(2)


def paid_once(rig: Rig) -> None:
    """The first payment stands: nothing is owed, kept apart, asked for or in a file."""
    assert (rig.status(f"ach:{OF}"), rig.status(AGAIN)) == (S.DISHONORED, S.REFUSED)
    assert ach_files.files(rig.store) == []
    assert payouts.due(rig.store, TOKEN, OF) == 0
    assert payouts.suspended(rig.store, TOKEN, OF).total == 0
    clearing = ledger.account_balance(rig.store, f"Clearing:{TOKEN}")
    assert clearing.credits - clearing.debits == UNITS, "it was paid once"
    assert [m for m in reserve_moves.open_moves(rig.store, 9) if m.direction == "in"] == []
    assert status_of(rig.store, OF) is Status.RETURNED
    assert ledger.discrepancies(rig.store) == []


async def test_what_waits_for_a_cut_off_is_not_paid_again_when_the_bank_dishonors_the_return(rig: Rig) -> None:
    entry, linked = came_back(rig)
    pay_again(rig, linked)
    tell(rig, entry, E.DISHONOR)
    assert rig.status(AGAIN) is S.REFUSED
    await cut_off(rig)
    paid_once(rig)
    assert ("ach_return", f"{entry}:dishonor") in rig.cases()


async def test_what_is_wanted_after_the_bank_dishonored_the_return_goes_into_no_file(rig: Rig) -> None:
    entry, linked = came_back(rig)
    tell(rig, entry, E.DISHONOR)
    pay_again(rig, linked)
    await cut_off(rig)
    paid_once(rig)
    assert ("ach_unmatched", f"{AGAIN}:not_filed") in rig.cases()


async def test_what_is_still_owed_is_paid_again(rig: Rig) -> None:
    _, linked = came_back(rig)
    pay_again(rig, linked)
    await cut_off(rig)
    assert rig.status(AGAIN) is S.ACKNOWLEDGED
