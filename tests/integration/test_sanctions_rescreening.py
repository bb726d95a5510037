"""A new list: everybody is screened again, whatever dies meanwhile, and payments go on as if nothing were."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox_servers import sandbox

from rescreen_process import NoVendor
from sanctions_rig import INVENTED, Rig, edited, person, put, sanctions_rig
from sdt.domain.errors import Conflict, NotFound, SdtError, Unprocessable
from sdt.domain.region import Region, load_region
from sdt.domain.sanctions.lists import BadList
from sdt.domain.transaction import Status
from sdt.ports.aml import Aml
from sdt.store import Store, accounts, person_keys, sanctions
from sdt.worker.reading import Reading
from sdt.worker.rescreening import Rescreening
from sdt.worker.sanctions import Sanctions
from sdt.worker.screening import Screening
from sdt.workflows.sanctions_lists import folder_of, read_folder

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with sanctions_rig(tmp_path, NoVendor()) as made:  # type: ignore[arg-type]
        yield made


async def test_a_new_list_finds_whoever_is_on_it_now(rig: Rig, tmp_path: Path) -> None:
    # given people who are clear, one of them with money on its way in
    source = random.Random(11)
    names = [(_name(source), _name(source)) for _ in range(30)]
    people = [await rig.join(person(*name)) for name in names]
    await rig.rescreen()
    row = await rig.searcher.in_force()
    assert await rig.store.read(sanctions.progress, row.digest) == (30, 30, 0, 0)
    assert row.rescreened_at_ms is not None
    # when a list comes on which one of them is
    await put(rig, edited(tmp_path, "PRETENDER, Ruprecht Anselm", ", ".join(reversed(names[17]))), "2026-02-01")
    new = await rig.searcher.in_force()
    assert await rig.store.read(sanctions.progress, new.digest) == (30, 0, 0, 0)
    assert (new.added, new.removed, new.changed) == (0, 0, 1)
    assert new.rescreened_at_ms is None
    # then that one is found without doing anything, and the others are not
    assert await rig.rescreen() == 30
    assert await rig.store.read(sanctions.progress, new.digest) == (30, 30, 1, 0)
    assert await rig.store.read(sanctions.standing_of, people[17].account) == "review"
    # and again nothing is to do
    assert await rig.rescreen() == 0


async def test_whose_record_does_not_open_stays_due_and_holds_nobody_back(rig: Rig) -> None:
    source = random.Random(12)
    people = [await rig.join(person(_name(source), _name(source))) for _ in range(5)]
    sealed = await rig.store.read(_sealed, people[2].account)
    await rig.store.run(accounts.set_person, people[2].account, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    await rig.rescreen()
    row = await rig.searcher.in_force()
    # then the others are screened, and the list does not pass for done
    assert await rig.store.read(sanctions.progress, row.digest) == (5, 4, 0, 0)
    assert await rig.store.read(sanctions.standing_of, people[2].account) is None
    # when the record is put back, then so is that person
    await rig.store.run(accounts.set_person, people[2].account, sealed)
    await rig.rescreen()
    assert await rig.store.read(sanctions.progress, row.digest) == (5, 5, 0, 0)


def _sealed(store: Store, account: str) -> bytes:
    row = person_keys.of_account(store, account)
    assert row is not None
    assert row.person_sealed is not None
    return bytes(row.person_sealed)


async def test_lists_that_are_old_damaged_or_half_do_not_come_into_force(rig: Rig, tmp_path: Path) -> None:
    before = await rig.searcher.in_force()
    # given an older list, then it needs to be meant, and a second officer
    older = edited(tmp_path, "PRETENDER", "SOMEBODY", "older")
    with pytest.raises(Unprocessable, match="older"):
        await put(rig, older, "2025-12-01")
    assert await put(rig, older, "2025-12-01", older=True, alone=True) == "waiting"
    assert (await rig.searcher.in_force()).digest == before.digest
    # given the list in force, then there is nothing to do; and none of another day or digest
    with pytest.raises(Conflict, match="in force already"):
        await put(rig, INVENTED, "2026-01-05")
    with pytest.raises(NotFound):
        await rig.act("set_sanctions_list", "ann", digest="0" * 64, list_date="2026-03-01", older=False)
    # given lists that are empty, damaged or half, then they are not even loaded
    for name, data in (
        ("sdn.csv", b""),
        ("sdn.csv", b"1,2\r\n\x1a"),
        ("alt.csv", b'1,2,"aka","X",-0- \r\n\x1a'),
        ("alt.csv", b""),
        ("add.csv", b"\r\n\x1a"),
        ("add.csv", (INVENTED / "add.csv").read_bytes().splitlines(keepends=True)[0]),
    ):
        folder = edited(tmp_path, "-", "-", f"bad-{name}-{len(data)}")
        (folder / name).write_bytes(data)
        with pytest.raises(BadList):
            read_folder(folder)
    half = edited(tmp_path, "-", "-", "half")
    (half / "alt.csv").unlink()
    with pytest.raises(BadList, match=r"alt\.csv"):
        read_folder(half)
    with pytest.raises(NotFound):
        read_folder(tmp_path / "nothing")
    assert len(await rig.store.read(sanctions.editions)) == 2


async def test_the_consolidated_list_stands_beside_the_other(tmp_path: Path) -> None:
    folder = edited(tmp_path, "-", "-", "both")
    for name, other in (("sdn", "cons_prim"), ("alt", "cons_alt"), ("add", "cons_add")):
        data = (INVENTED / f"{name}.csv").read_bytes().replace(b"9000", b"8000").replace(b"FALSENAME", b"OTHERNAME")
        (folder / f"{other}.csv").write_bytes(data)
    both, one = read_folder(folder), read_folder(INVENTED)
    assert len(both.entries) == 2 * len(one.entries)
    assert both.digest != one.digest


async def test_rescreening_goes_on_where_a_killed_worker_left_it(tmp_path: Path) -> None:
    # given sixty people and a list on which three of them are
    async with sanctions_rig(tmp_path, NoVendor()) as rig:  # type: ignore[arg-type]
        people = [
            await rig.join(person("Anton", "Nobody") if n % 20 == 7 else person(f"G{n}", f"F{n}")) for n in range(60)
        ]
        row = await rig.searcher.in_force()
        worker = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, str(TESTS / "rescreen_process.py"), str(tmp_path), "25"], stdout=subprocess.PIPE, text=True
        )
        # when the worker is killed in the middle of it
        while (await rig.store.read(sanctions.progress, row.digest)).screened < 20:
            assert worker.poll() is None, "it was done before it could be killed"
            await asyncio.sleep(0.02)
        worker.kill()
        worker.wait()
        done = (await rig.store.read(sanctions.progress, row.digest)).screened
        assert 20 <= done < 60
        # then the next one screens the others, and each hit is one case
        assert await rig.rescreen() == 60 - done
        assert await rig.store.read(sanctions.progress, row.digest) == (60, 60, 3, 0)
        found = rig.store.rows("SELECT account FROM cases WHERE kind = 'sanctions' ORDER BY account")
        assert [account for (account,) in found] == sorted(people[n].account for n in (7, 27, 47))


async def test_payments_go_on_while_everybody_is_screened_again(tmp_path: Path, sdt_data: Path) -> None:
    """Against the full list: the search has a process of its own, so the loop that settles never waits for it."""
    async with sanctions_rig(tmp_path, NoVendor(), lists=sdt_data / "ofac") as rig:  # type: ignore[arg-type]
        payer, payee = await rig.join(person("Alice", "Archer"), units=10**6), await rig.join(person("Bob", "Baker"))
        names = random.Random(7)
        for _ in range(400):
            await rig.join(person(_name(names), _name(names)), units=0)
        rescreening = asyncio.create_task(
            Rescreening(rig.store, rig.sanctions, rig.searcher, rig.clock, per_s_max=100_000).round()
        )
        row = await rig.searcher.in_force()
        while (await rig.store.read(sanctions.progress, row.digest)).screened < 10:
            await asyncio.sleep(0.02)
        took, lag = [], []
        while not rescreening.done():
            began = time.perf_counter()
            paid = await rig.transfer(payer, payee, 1)
            await rig.screening.take(await rig.queue.receive(500, 1.0, 30))
            assert (await rig.row(paid)).status is Status.SCREENED
            took.append(time.perf_counter() - began)
            began = time.perf_counter()
            await asyncio.sleep(0)
            lag.append(time.perf_counter() - began)
        assert await rescreening >= 400
        # then payments were taken all the while, none of them held up for as long as a question takes
        took.sort()
        assert len(took) > 40, f"only {len(took)} payments in all that time"
        assert took[len(took) // 2] < 0.25, f"half of them took more than {took[len(took) // 2]:.3f} s"
        assert max(lag) < 0.25, f"the loop stood still for {max(lag):.3f} s"


def _name(source: random.Random) -> str:
    return "".join(
        source.choice("bcdfghklmnprstvz") + source.choice("aeiou") for _ in range(source.randint(2, 4))
    ).title()


TEXAS = (TESTS.parent / "regions" / "texas.toml").read_bytes()


async def test_no_region_file_switches_screening_off(tmp_path: Path) -> None:
    """Whatever rules a region has, leaves out or tunes: whoever is listed is stopped, in either domain."""
    with sandbox(tmp_path / "vendor", "vendors") as (running, _):
        aml = running.aml()
        async with sanctions_rig(tmp_path, aml) as rig:
            await _every_region_stops(rig, aml)
        await aml.close()


async def _every_region_stops(rig: Rig, aml: Aml) -> None:
    texas, source = rig.region, random.Random(20261126)
    for n in range(25):
        rules = tuple(rule for rule in texas.rules if source.random() < 0.5)
        region = replace(
            texas,
            rules=rules,
            monitors=(),
            screening_score_min=source.randint(50, 85),
            clear_alone_score_max=source.randint(0, 99),
            legal_status=source.choice(("agency", texas.legal_status)),
        )
        await _stops(rig, aml, region, n)


async def _stops(rig: Rig, aml: Aml, region: Region, n: int) -> None:
    rig.sanctions = Sanctions(rig.store, rig.people, aml, rig.searcher, region, rig.clock)
    rig.screening = Screening(rig.store, rig.queue, region, rig.sanctions, rig.clock, 30, Reading())
    who, alice = await rig.join(person("Viktor", "Falsename", f"{n} Oak St")), await rig.join(person("Alice", "Archer"))
    asked = [await rig.deposit(who), await rig.redeem(who), await rig.deposit(who, token="TXG")]
    await rig.screen()
    paid = [await rig.transfer(who, alice), await rig.transfer(alice, who)]
    await rig.screen()
    statuses = {(await rig.row(one)).status for one in (*asked, *paid)}
    assert statuses <= {Status.IN_REVIEW, Status.REJECTED, Status.ACCEPTED}
    assert Status.IN_REVIEW in statuses


@pytest.mark.parametrize(
    "line",
    [
        b"screening = false\n",
        b"sanctions = 'off'\n",
        b"screening_score_min = 100\n",
        b"screening_score_min = 86\n",
        b"clear_alone_score_max = 100\n",
    ],
)
def test_a_region_file_that_tries_is_refused(line: bytes) -> None:
    with pytest.raises(SdtError):
        load_region(line + TEXAS)
    load_region(b"screening_score_min = 85\n" + TEXAS)


async def test_a_list_is_kept_under_its_digest_as_it_was(rig: Rig) -> None:
    row = await rig.searcher.in_force()
    for file in INVENTED.iterdir():
        assert (folder_of(rig.home, row.digest) / file.name).read_bytes() == file.read_bytes()
