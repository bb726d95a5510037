"""The sandbox depository, through the adapter that real ones get."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from sandbox_servers import FAMILIES, Sandbox, sandbox

from sdt.adapters.depository import HttpDepository
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.money import XAU, Amount
from sdt.ports.depository import AssayTest, Bar, BarIntake, BarStatus, RedemptionOrder, RedemptionStatus
from sdt.ports.statement import Flow

pytestmark = pytest.mark.slow
CAROL = "0x" + "ca" * 20
KILOBAR_FINE = Amount(999_900_000_000, XAU)
THREE_TESTS = (
    AssayTest("weight", True, "1000.00 g"),
    AssayTest("ultrasound", True, "3240 m/s"),
    AssayTest("xrf", True, "99.99 % Au"),
)


@pytest.fixture(scope="module", params=FAMILIES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("depository")
    with sandbox(home, "depository", "--vault", "TXS:XAG", family=request.param) as (running, _):
        yield running


@pytest.fixture
async def depository(server: Sandbox) -> AsyncIterator[HttpDepository]:
    depository = server.depository()
    yield depository
    await depository.close()


@pytest.fixture
async def vault(server: Sandbox) -> str:
    """A gold vault of its own for each test."""
    name, client = f"V{uuid4().hex[:8]}", server.client("depository")
    await client.post("/v1/vaults", {"vault": name, "metal": "XAU"}, name)
    await client.close()
    return name


def kilobar(vault: str) -> BarIntake:
    return BarIntake(
        vault=vault,
        serial=uuid4().hex[:10].upper(),
        refiner="Lone Star Refining",
        form="kilobar",
        metal="XAU",
        gross_ng=1_000_000_000_000,
        fineness=9999,
        tests=THREE_TESTS,
        photo_digest=hashlib.sha256(b"photo").hexdigest(),
        drop_off=str(uuid4()),
        account=CAROL,
    )


async def take_in(depository: HttpDepository, intake: BarIntake) -> Bar:
    return await depository.take_in(intake, f"intake-{intake.serial}")


async def test_a_bar_taken_in_counts_its_fine_weight_for_its_account(depository: HttpDepository, vault: str) -> None:
    intake = kilobar(vault)

    bar = await take_in(depository, intake)

    assert (bar.fine, bar.status, bar.account) == (KILOBAR_FINE, BarStatus.HELD, CAROL)
    assert await depository.bar(bar.bar_id) == bar
    statement = await depository.statement(vault)
    assert statement.balance == KILOBAR_FINE
    [line] = statement.lines
    assert (line.flow, line.amount, line.subject) == (Flow.IN, KILOBAR_FINE, bar.bar_id)
    assert line.reference == intake.drop_off


async def test_a_heavy_kilobar_counts_no_more_than_the_list_weight(depository: HttpDepository, vault: str) -> None:
    bar = await take_in(depository, replace(kilobar(vault), gross_ng=1_000_100_000_000))

    assert bar.fine == Amount(999_914_600_000, XAU)


async def test_a_bar_is_taken_in_once_even_by_two_clerks_at_once(depository: HttpDepository, vault: str) -> None:
    intake = kilobar(vault)

    first, again = await asyncio.gather(
        depository.take_in(intake, f"a-{intake.serial}"),
        depository.take_in(replace(intake, drop_off="other"), f"b-{intake.serial}"),
        return_exceptions=True,
    )

    refused = [outcome for outcome in (first, again) if isinstance(outcome, Conflict)]
    assert [error.code for error in refused] == ["bar_taken"]
    assert (await depository.holding_statement(vault)).bars == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"refiner": "Unlisted Metals"}, "refiner_not_accredited"),
        ({"serial": "FAKE1"}, "assay_failed"),
        ({"tests": (*THREE_TESTS[:2], AssayTest("xrf", False, "98 % Au"))}, "assay_failed"),
        ({"tests": (*THREE_TESTS[:2], THREE_TESTS[0])}, "tests_not_independent"),
        ({"tests": THREE_TESTS[:2]}, "schema"),
        ({"gross_ng": 900_000_000_000}, "form_weight"),
        ({"gross_ng": 0}, "schema"),
        ({"fineness": 10_000}, "schema"),
        ({"vault": "TXS"}, "vault_metal"),
    ],
)
async def test_a_bar_that_does_not_hold_up_is_refused(
    depository: HttpDepository, vault: str, change: dict[str, object], code: str
) -> None:
    intake = replace(kilobar(vault), **change)  # type: ignore[arg-type]

    with pytest.raises(Unprocessable) as refusal:
        await depository.take_in(intake, uuid4().hex)

    assert refusal.value.code == code
    assert (await depository.holding_statement(vault)).bars == 0


async def test_an_intake_not_answered_is_asked_for_and_done_once(server: Sandbox, vault: str) -> None:
    impatient = server.depository(timeout_s=0.4)

    bar = await take_in(impatient, replace(kilobar(vault), serial=f"{uuid4().hex[:8].upper()}-408"))

    assert (await impatient.holding_statement(vault)).total == bar.fine
    await impatient.close()


async def test_the_holding_statement_names_every_bar(depository: HttpDepository, vault: str) -> None:
    bars = [await take_in(depository, kilobar(vault)) for _ in range(3)]

    held = await depository.holding_statement(vault)

    assert (held.total, held.bars, held.last_sequence) == (Amount(3 * KILOBAR_FINE.units, XAU), 3, 3)
    assert [bar.bar_id for bar in held.held] == [bar.bar_id for bar in bars]
    assert all(bar.bar_id.encode() in held.evidence.document for bar in bars)
    assert held.evidence.digest == hashlib.sha256(held.evidence.document).digest()


async def test_inventory_and_statement_come_in_pages(depository: HttpDepository, vault: str) -> None:
    bars = [await take_in(depository, kilobar(vault)) for _ in range(5)]

    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = await depository.inventory(vault, after=after, limit=2)
        seen += [bar.bar_id for bar in page.bars]
        after = page.next_after
    lines = (await depository.statement(vault, after=3)).lines

    assert seen == [bar.bar_id for bar in bars]
    assert [line.subject for line in lines] == seen[3:]


async def test_a_redemption_locks_picks_and_hands_over(depository: HttpDepository, vault: str) -> None:
    kept, gone = [await take_in(depository, kilobar(vault)) for _ in range(2)]

    order = await depository.lock(RedemptionOrder(vault, (gone.bar_id,), CAROL, "redeem-1"), f"1-{vault}")
    assert (order.status, order.fine) == (RedemptionStatus.LOCKED, gone.fine)
    with pytest.raises(Unprocessable, match="order_status"):
        await depository.hand_over(order.order_id, f"too-early-{vault}")
    picked = await depository.pick(order.order_id, f"1-{vault}")
    assert (await depository.holding_statement(vault)).bars == 2
    handed = await depository.hand_over(order.order_id, f"1-{vault}")

    assert (picked.status, handed.status) == (RedemptionStatus.PICKED, RedemptionStatus.HANDED_OVER)
    assert await depository.redemption(order.order_id) == handed
    assert (await depository.bar(gone.bar_id)).status is BarStatus.HANDED_OVER
    statement = await depository.statement(vault, after=2)
    assert (statement.balance, statement.lines[0].flow, statement.lines[0].reference) == (
        kept.fine,
        Flow.OUT,
        "redeem-1",
    )
    with pytest.raises(Unprocessable, match="order_status"):
        await depository.cancel(order.order_id, f"1-{vault}")


async def test_a_locked_bar_is_spoken_for_until_its_order_is_canceled(depository: HttpDepository, vault: str) -> None:
    bar = await take_in(depository, kilobar(vault))
    wanted = RedemptionOrder(vault, (bar.bar_id,), CAROL, "redeem-1")
    order = await depository.lock(wanted, f"first-{vault}")

    with pytest.raises(Unprocessable, match="bar_not_free"):
        await depository.lock(wanted, f"second-{vault}")
    await depository.cancel(order.order_id, f"first-{vault}")

    assert (await depository.lock(wanted, f"third-{vault}")).status is RedemptionStatus.LOCKED


async def test_what_is_not_there_is_not_found(depository: HttpDepository) -> None:
    with pytest.raises(NotFound):
        await depository.bar("bar_none")
    with pytest.raises(NotFound):
        await depository.statement("no-such-vault")
    with pytest.raises(NotFound):
        await depository.redemption("out_none")
