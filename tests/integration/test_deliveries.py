"""Metal handed over once, whatever dies when: a real depository, a real store, a worker killed at every step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from sandbox_servers import Sandbox, sandbox

from domain_messages import texas
from sdt.adapters.depository import HttpDepository
from sdt.domain.delivery import DeliveryStatus
from sdt.domain.ledger import issue_postings, redeem_postings, token_account
from sdt.domain.transaction import Event, Status
from sdt.ports.depository import AssayTest, Bar, BarIntake, BarStatus, RedemptionStatus
from sdt.store import Store, deliveries, ledger, registry, transactions
from sdt.store.accounts import UserRow, create_user
from sdt.store.registry import FreezeRow
from sdt.store.transactions import Change
from sdt.worker.clock import Clock
from sdt.worker.deliveries import Deliveries
from sdt.worker.vaults import Vaults
from store_rig import NOW_MS, accepted, address, status_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

VAULT = "TXG"
FINE_NG = 999_914_600_000
KILLS = 12
"""More steps than a delivery has: the last of these kills nothing."""


class Killed(Exception):
    """The worker died here."""


class Mortal:
    """The depository as a worker sees it that dies right after its n-th order or question was answered."""

    def __init__(self, real: HttpDepository, dies_after: int) -> None:
        self._real = real
        self._left = dies_after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        async def call(*arguments: Any) -> Any:
            answer = await method(*arguments)
            self._left -= 1
            if self._left == 0:
                raise Killed
            return answer

        return call


@pytest.fixture(scope="module")
def depository_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vault"), "depository", "--vault", f"{VAULT}:XAU") as (started, _):
        yield started


async def bar_in(depository: HttpDepository, number: str, drop_off: str = "drop-off") -> Bar:
    """A kilobar in the vault."""
    tests = (AssayTest("weight", True, "ok"), AssayTest("xrf", True, "ok"), AssayTest("ultrasound", True, "ok"))
    intake = BarIntake(
        vault=VAULT,
        serial=f"B-{number.upper()}",
        refiner="Valcambi",
        form="kilobar",
        metal="XAU",
        gross_ng=1_000_050_000_000,
        fineness=9999,
        tests=tests,
        photo_digest="5f" * 32,
        drop_off=drop_off,
        account=address(1),
    )
    return await depository.take_in(intake, f"in-{number}")


def wanted(store: Store, number: int) -> str:
    """A redemption whose tokens are held, as screening leaves it."""
    row = accepted(number, payer=1, units=FINE_NG, type="redeem")._replace(token=VAULT)
    postings = issue_postings(VAULT, row.id, address(1), FINE_NG)
    ledger.post(store, [(row.id, posting) for posting in postings], release=[], at_ms=NOW_MS)
    transactions.insert_accepted(store, [row])
    assert ledger.hold(store, [(row.id, token_account(VAULT, address(1)), FINE_NG)]) == [True]
    held = Change(row.id, Event.HOLD, code="being_picked", held_units=FINE_NG)
    transactions.move(store, [held], actor="screening", at_ms=NOW_MS)
    deliveries.put(store, row.id, VAULT, address(1), FINE_NG, "delivery:austin-1", at_ms=NOW_MS)
    return row.id


def burn(store: Store, id: str) -> None:
    """What the lane and the chain do with a redemption that is screened."""
    for event in (Event.BATCH, Event.SUBMIT, Event.SETTLE):
        transactions.move(store, [Change(id, event)], actor="lane", at_ms=NOW_MS)
    postings = redeem_postings(VAULT, id, address(1), FINE_NG, 0, address(9), in_kind=True)
    held = (token_account(VAULT, address(1)), FINE_NG)
    ledger.post(store, [(id, posting) for posting in postings], release=[held], at_ms=NOW_MS)


async def work(store: Store, depository: Any) -> None:
    """One life of the worker: a few rounds, or until it is killed; then one that nothing kills."""
    worker = Deliveries(store, depository, asyncio.Event(), Clock(), 0.1)
    for _ in range(6):
        await worker.work()


async def orders_of(depository: HttpDepository) -> list[BarStatus]:
    return [bar.status for bar in (await depository.inventory(VAULT)).bars]


@pytest.mark.parametrize("killed_after", range(1, KILLS + 1))
async def test_a_worker_killed_anywhere_hands_over_once(
    store: Store, depository_process: Sandbox, killed_after: int
) -> None:
    # Given two bars in the vault and one of them wanted
    depository = depository_process.depository()
    run = f"{store.postgres:d}-{killed_after}"
    before = (await depository.holding_statement(VAULT)).total.units
    for n in range(2):
        await bar_in(depository, f"{run}-{n}")
    id = await store.run(wanted, 100 * store.postgres + killed_after)
    mortal = Mortal(depository, killed_after)
    # When the worker dies right after an answer of the depository, wherever that is, and another takes over
    for hands in (mortal, depository, depository):
        try:
            await work(store, hands)
        except Killed:
            await work(store, depository)
        if await store.read(status_of, id) is Status.SCREENED:
            # Then nothing is burnt before the bar is at the counter
            row = await store.read(deliveries.delivery, id)
            assert row is not None
            assert row.status is DeliveryStatus.PICKED
            assert row.order_id is not None
            assert (await depository.redemption(row.order_id)).status is RedemptionStatus.PICKED
            await store.run(burn, id)
    # and exactly one bar has left the vault, the other is free, and the books say so
    assert await store.read(status_of, id) is Status.COMPLETED
    after = (await depository.holding_statement(VAULT)).total.units
    assert after == before + FINE_NG
    assert set(await orders_of(depository)) == {BarStatus.HELD}
    owed = await store.read(ledger.account_balance, f"Delivery:{VAULT}:{id}")
    assert (owed.debits, owed.credits) == (FINE_NG, FINE_NG)
    assert await store.read(ledger.discrepancies) == []
    await depository.close()


async def test_bars_stay_at_the_counter_while_their_owner_is_frozen(store: Store, depository_process: Sandbox) -> None:
    depository = depository_process.depository()
    bar = await bar_in(depository, f"frozen-{store.postgres:d}")
    await store.run(create_user, UserRow("u1", address(1), "alice.tx", "US-TX", NOW_MS, registered=True))
    id = await store.run(wanted, 700 + store.postgres)
    await work(store, depository)
    await store.run(burn, id)
    await store.run(registry.set_freeze, FreezeRow(address(1), VAULT, b"o" * 32, 2**40))
    await work(store, depository)
    assert await store.read(status_of, id) is Status.SETTLED
    assert BarStatus.PICKED in await orders_of(depository), bar

    await store.run(registry.clear_freeze, address(1), VAULT)
    await work(store, depository)
    assert await store.read(status_of, id) is Status.COMPLETED
    await depository.close()


async def lose(box: Sandbox, bar: Bar) -> None:
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {box.key('depository')}"}) as session:
        url = f"{box.url('depository')}/v1/bars/{bar.bar_id}/lost"
        async with session.post(url, json={"reason": "gone"}, headers={"idempotency-key": bar.bar_id}) as answer:
            assert answer.status == 201, await answer.text()


async def test_a_bar_lost_before_the_burn_gives_the_tokens_back(store: Store, depository_process: Sandbox) -> None:
    # Given a redemption whose bar is at the counter, and nothing burnt
    depository = depository_process.depository()
    bar = await bar_in(depository, f"early-{store.postgres:d}")
    id = await store.run(wanted, 100 * store.postgres + 50)
    while await store.read(status_of, id) is not Status.SCREENED:
        await work(store, depository)
    chosen = await store.read(deliveries.delivery, id)
    assert chosen is not None
    # When that bar is lost
    (lost,) = [b for b in (await depository.inventory(VAULT)).bars if b.bar_id in chosen.bar_ids]
    await lose(depository_process, lost)
    await work(store, depository)
    # Then the redemption is refused, the gold is the holder's again, and the order is canceled
    row = await store.read(transactions.get, id)
    assert row is not None
    assert (row.status, row.code) == (Status.REJECTED, "bar_lost")
    assert (await store.read(ledger.account_balance, token_account(VAULT, address(1)))).held == 0
    assert chosen.order_id is not None
    assert (await depository.redemption(chosen.order_id)).status is RedemptionStatus.CANCELED
    assert await store.read(deliveries.opened, 10) == []
    assert await store.read(ledger.discrepancies) == []
    assert bar.fine.units == FINE_NG
    await depository.close()


async def test_a_bar_lost_after_the_burn_is_owed_until_another_is_there(
    store: Store, depository_process: Sandbox
) -> None:
    # Given a redemption that is burnt, its bar at the counter, and no other bar in the vault
    depository = depository_process.depository()
    for bar in (await depository.inventory(VAULT)).bars:
        await lose(depository_process, bar)
    lost = await bar_in(depository, f"late-{store.postgres:d}")
    id = await store.run(wanted, 100 * store.postgres + 60)
    while await store.read(status_of, id) is not Status.SCREENED:
        await work(store, depository)
    await store.run(burn, id)
    # When the bar is lost before it is handed over
    await lose(depository_process, lost)
    vaults = Vaults(store, texas(), depository, Clock(), 0.1)  # type: ignore[arg-type]
    for _ in range(2):
        await work(store, depository)
        await vaults.look()
    # Then the metal is owed and claimed from its keeper, an officer has a case, and nobody is paid twice
    owed = await store.read(deliveries.delivery, id)
    assert owed is not None
    assert owed.status is DeliveryStatus.OWED
    assert await store.read(status_of, id) is Status.SETTLED
    kinds = await store.read(lambda s: s.rows("SELECT kind FROM cases WHERE transaction_id = ?", (id,)))
    assert [kind for (kind,) in kinds] == ["delivery_owed"]
    claim = await store.read(ledger.account_balance, f"Claim:{VAULT}")
    # When its keeper brings another
    replacing = await bar_in(depository, f"again-{store.postgres:d}", drop_off=f"cure:{lost.bar_id}")
    for _ in range(2):
        await work(store, depository)
        await vaults.look()
    # Then it is handed over, and the claim is cured
    assert await store.read(status_of, id) is Status.COMPLETED
    assert (await depository.bar(replacing.bar_id)).status is BarStatus.HANDED_OVER
    cured = await store.read(ledger.account_balance, f"Claim:{VAULT}")
    assert cured.credits - claim.credits == FINE_NG
    assert await store.read(ledger.discrepancies) == []
    await depository.close()
