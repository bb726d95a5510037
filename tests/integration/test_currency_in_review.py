"""Currency that is counted while its deposit is looked at: kept for it, blocked with it, or given back by officers."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sandbox_servers import Sandbox, sandbox

from sanctions_rig import Holder, Rig, person, sanctions_rig
from sdt.domain.transaction import Status
from sdt.ports.bank import Conductor, CurrencyDeposit
from sdt.ports.evidence import Evidence
from sdt.ports.statement import Flow, StatementLine
from sdt.store import blocked, cases, ledger, movements, registry, reserve_moves, reviews
from sdt.store.cases import Filter
from sdt.store.registry import FreezeRow
from sdt.worker.currency import Currency
from sdt.workflows import blocking
from sdt.workflows.sanctions import NOBODY

pytestmark = pytest.mark.slow
REVIEW = (Status.IN_REVIEW, "in_review")
REASON = "Another date of birth, and another country."
UNITS = 9_000_00


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "vendors") as (running, _):
        yield running


@pytest.fixture
async def rig(tmp_path: Path, vendor: Sandbox) -> AsyncIterator[Rig]:
    aml = vendor.aml(timeout_s=60)
    async with sanctions_rig(tmp_path, aml) as made:
        yield made
    await aml.close()


async def drop_off(rig: Rig, who: Holder, source: str = "dropoff:counter") -> str:
    claims = {"token": "TXD", "account": who.account, "amount": str(UNITS), "source": source}
    return await rig.send("deposit", who.key, **claims, expires_at=rig._expires())


async def count(rig: Rig, deposit: str) -> None:
    """The bank's clerk counts it; the slip names the deposit."""
    token, at = rig.region.token("TXD"), datetime.now(UTC)
    number = f"cur_{uuid.uuid4()}"
    line = StatementLine(1, "currency", Flow.IN, token.amount(UNITS), number, deposit, at)
    whose = Conductor("Carol", "Courier", date(1980, 5, 17), None, "state_id", "1", "TX")  # type: ignore[arg-type]
    paper = CurrencyDeposit(number, "TXD-clearing", token.amount(UNITS), deposit, True, whose, at, Evidence(b""))
    worker = Currency(rig.store, rig.region, None, rig.people, lambda: b"k" * 32, rig.clock, 1.0)  # type: ignore[arg-type]
    after, _ = await rig.store.read(movements.cursor, "currency:TXD")
    await rig.store.run(worker._book, token, after, after + 1, [(line, paper)])


async def net(rig: Rig, name: str) -> int:
    found = await rig.store.read(ledger.account_balance, name)
    return found.credits - found.debits


async def books(rig: Rig, deposit: str) -> dict[str, int]:
    names = ("Pending", "Suspense", "Blocked")
    return {name: units for name in names if (units := await net(rig, f"{name}:TXD:{deposit}"))}


async def asked(rig: Rig) -> list[tuple[str, str]]:
    return [(m.direction, m.reason) for m in await rig.store.read(reserve_moves.open_moves, 9)]


async def confirmed(rig: Rig, who: Holder) -> list[str]:
    first = await rig.act("confirm_match", "ann", case=await rig.case_of(who), reason="It is him, by his passport.")
    told = json.loads((await rig.agreed(first)).result)["result"]
    return list(told["funds_blocked"])


async def unmatched(rig: Rig) -> list[str | None]:
    return [case.transaction_id for case in await rig.store.read(cases.cases, Filter(("ach_unmatched",)))]


@pytest.mark.parametrize("counted", ["in review", "before it was screened", "after the confirmation", "later still"])
async def test_currency_of_the_listed_is_blocked_whenever_it_is_counted(rig: Rig, counted: str) -> None:
    who = await rig.join(person("Viktor", "Falsename"))
    first = await drop_off(rig, who)
    await rig.screen()
    deposit = await drop_off(rig, who) if counted in ("before it was screened", "later still") else first
    if counted in ("in review", "before it was screened"):
        await count(rig, deposit)
        assert await books(rig, deposit) == {"Pending": UNITS}
        assert await asked(rig) == []
    named = await confirmed(rig, who)
    assert named == ([deposit] if counted in ("in review", "before it was screened") else [])
    if counted == "later still":
        await rig.screen()
        assert await rig.screening.resume_once() == 1
    if not named:
        await count(rig, deposit)
    # then it is blocked and set apart, in review for everybody else, whatever was decided and whatever the time
    await rig.screen()
    await rig.screening.resume_once()
    rig.clock.ahead_s = 7200
    await rig.expire()
    assert await rig.status(deposit) == REVIEW
    assert await books(rig, deposit) == {"Blocked": UNITS}
    assert await asked(rig) == [("blocked", "blocked")]
    evidence = await rig.store.read(cases.evidence_of, await rig.case_of(who))
    assert ("transaction", deposit) in [(one.kind, one.reference) for one in evidence]
    # and a licence lets the deposit go on
    await rig.store.run(lambda store: blocking.release(store, deposit, actor="x", at_ms=rig.clock.now_ms()))
    assert (await rig.row(deposit)).status is Status.AWAITING_FUNDS
    assert await asked(rig) == [("in", "unblocked")]
    assert await rig.store.read(blocked.of_account, who.account) == []


async def test_currency_waits_for_a_review_that_outlasts_its_message_and_goes_on(rig: Rig) -> None:
    who = await rig.join(person("Victor", "Falsone"))
    deposit = await drop_off(rig, who)
    await rig.screen()
    await count(rig, deposit)
    empty = await drop_off(rig, who)
    await rig.screen()
    rig.clock.ahead_s = 7200
    await rig.expire()
    assert await rig.status(deposit) == REVIEW
    assert (await rig.row(empty)).status is Status.EXPIRED
    await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=30)
    await rig.rescreen()
    assert await rig.screening.resume_once() == 1
    assert (await rig.row(deposit)).status is Status.AWAITING_FUNDS
    assert await books(rig, deposit) == {"Pending": UNITS}
    assert await asked(rig) == [("in", "deposit")]


async def test_currency_of_a_deposit_that_is_decided_against_is_an_officers(rig: Rig) -> None:
    who = await rig.join(person("Victor", "Falsone"))
    deposit = await drop_off(rig, who)
    await rig.screen()
    await count(rig, deposit)
    await rig.store.run(reviews.release, "sanctions", await rig.case_of(who), "stop")
    await rig.screening.resume_once()
    assert await rig.status(deposit) == (Status.REJECTED, "review_refused")
    assert await books(rig, deposit) == {"Suspense": UNITS}
    assert (await unmatched(rig), await asked(rig)) == ([deposit], [])


async def test_currency_that_no_case_can_decide_about_is_an_officers_in_time(rig: Rig) -> None:
    who = await rig.join(person("Victor", "Falsone"))
    deposit = await drop_off(rig, who)
    await rig.screen()
    await count(rig, deposit)
    await rig.store.run(reviews.forget, [deposit])
    await rig.store.run(reviews.hold, deposit, "sanctions", NOBODY, 1)
    await rig.expire()
    assert await rig.status(deposit) == REVIEW
    rig.clock.ahead_s = 7200
    await rig.expire()
    assert (await rig.row(deposit)).status is Status.EXPIRED
    assert await books(rig, deposit) == {"Suspense": UNITS}
    assert await unmatched(rig) == [deposit]


@pytest.mark.parametrize("frozen", [False, True])
async def test_currency_counted_before_its_deposit_is_screened(rig: Rig, frozen: bool) -> None:
    who = await rig.join(person("Alice", "Archer"))
    deposit = await drop_off(rig, who)
    await count(rig, deposit)
    assert (await books(rig, deposit), await asked(rig)) == ({"Pending": UNITS}, [])
    if frozen:
        freeze = FreezeRow(who.account, "TXD", b"\1" * 32, rig.clock.now_s() + 10_000)
        await rig.store.run(registry.set_freeze, freeze)
    else:
        rig.clock.ahead_s = 7200  # it was handed in within its time
    await rig.screen()
    if frozen:
        assert (await rig.row(deposit)).status is Status.REJECTED
        assert await books(rig, deposit) == {"Suspense": UNITS}
        assert (await unmatched(rig), await asked(rig)) == ([deposit], [])
    else:
        assert (await rig.row(deposit)).status is Status.AWAITING_FUNDS
        assert (await books(rig, deposit), await asked(rig)) == ({"Pending": UNITS}, [("in", "deposit")])


async def test_currency_is_no_second_payment_of_a_deposit_from_a_bank(rig: Rig) -> None:
    who = await rig.join(person("Alice", "Archer"))
    deposit = await drop_off(rig, who, f"bank:{who.bank}")
    await count(rig, deposit)
    assert await books(rig, deposit) == {}
    assert await unmatched(rig) == [deposit]
