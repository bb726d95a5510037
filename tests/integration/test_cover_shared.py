"""Several issues judged in one round share one look at what covers returns; and the sums that health tells of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sandbox_servers import sandbox

from sanctions_rig import OFFICERS, Rig, person, sanctions_rig
from sdt.api import desk
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.ledger import prefunded
from sdt.domain.transaction import Event, Status
from sdt.observing.figures import Figures
from sdt.store import Store, banking, ledger, reserve_moves, reviews, transactions
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change
from sdt.worker import bank_entries
from sdt.worker.money_figures import money_figures, money_samples
from store_rig import NOW_MS, TOKEN, accepted, transaction_id

pytestmark = pytest.mark.slow


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    with sandbox(tmp_path / "aml", "aml") as (server, _):
        aml = server.aml()
        async with sanctions_rig(tmp_path, aml) as running:
            yield running
        await aml.close()


async def settled_deposit(rig: Rig, name: str) -> str:
    """A deposit of fifty dollars by somebody new, whose debit settled and outlasted its window."""
    deposit = await rig.deposit(await rig.join(person(name, "Archer")))
    await rig.screen()
    await rig.store.run(_debit, rig, deposit)
    return deposit


def _debit(store: Store, rig: Rig, deposit: str) -> None:
    now_ms = rig.clock.now_ms()
    entry = BankEntryRow(f"ach:{deposit}", deposit, "debit", "TXD", 5_000, None, "created", None, now_ms)
    assert banking.put_entry(store, entry)
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    for event in (EntryEvent.FILE, EntryEvent.SETTLE, EntryEvent.OUTLAST):
        bank_entries.apply(store, rig.region, entry, event, code=None, on=today, at_ms=now_ms)


async def test_issues_let_go_in_one_round_do_not_exceed_the_cover_together(rig: Rig) -> None:
    # Given cover for one of three deposits, whose issues are all in review
    await rig.store.run(_prefund, rig, 7_000)
    deposits = [await settled_deposit(rig, name) for name in ("Alice", "Bertha", "Carol")]
    issues = []
    for deposit in deposits:
        who = (await rig.row(deposit)).account
        issues.append(
            await rig.send(
                "issue", OFFICERS["issuer"], token="TXD", account=who, amount="5000", deposit=deposit,
                evidence=f"{len(issues):064x}",
            )
        )  # fmt: skip
    await rig.store.run(_reviewed, rig, issues)
    # When one round lets all of them go on
    assert await rig.screening.resume_once() == 3
    # Then one is minted, and the others find its exposure beside their own
    found = [await rig.status(issue) for issue in issues]
    assert found.count((Status.HELD, "approval_required")) == 1
    assert found.count((Status.REJECTED, "cover_short")) == 2
    figures = await rig.store.read(money_figures, rig.region, rig.clock.now_ms())
    assert figures["TXD"]["exposure"] == 5_000
    assert (figures["TXD"]["cover_required"], figures["TXD"]["cover_short"]) == (5_000, 0)
    assert 'sdt_money_cents{token="TXD",sum="prefund"} 7000' in Figures().page(money_samples(figures)).decode()
    # and a shortfall is told as a number, when the region takes its money out
    await rig.store.run(_prefund, rig, -3_000)
    figures = await rig.store.read(money_figures, rig.region, rig.clock.now_ms())
    assert figures["TXD"]["cover_short"] == 1_000


def test_a_custodian_reads_where_dollars_go_and_not_why(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(n, type="deposit") for n in range(1, 6)])
    asked = [
        ("blocked", "blocked"),
        ("out", "blocked"),
        ("in", "unblocked"),
        ("freed", "unblocked"),
        ("out", "blocked-2"),
    ]
    for n, (direction, reason) in enumerate(asked, 1):
        reserve_moves.want(store, transaction_id(n), direction, TOKEN, 100, reason, NOW_MS + n)  # type: ignore[arg-type]
    tasks = desk.custodian_tasks(store)
    assert [(task["direction"], task["reason"]) for task in tasks] == [
        ("apart", "apart"),
        ("out", "apart"),
        ("in", "deposit"),
        ("back", "deposit"),
        ("out", "apart-2"),
    ]
    assert "block" not in str(tasks)


def _prefund(store: Store, rig: Rig, units: int) -> None:
    postings = prefunded("TXD", abs(units))
    if units < 0:
        postings = [type(p)(p.credit, p.debit, p.token, p.units) for p in postings]
    ledger.post(store, [("prefund", p) for p in postings], release=[], at_ms=rig.clock.now_ms())


def _reviewed(store: Store, rig: Rig, issues: list[str]) -> None:
    now_ms = rig.clock.now_ms()
    for issue in issues:
        transactions.move(store, [Change(issue, Event.REVIEW, code="in_review")], actor="test", at_ms=now_ms)
        reviews.hold(store, issue, "test", issue, now_ms)
        assert reviews.release(store, "test", issue, "go") == 1
