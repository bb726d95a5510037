"""The bank's files as a folder shows them: half written, made whole, never mended; and more than one list holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ach_rig import FIRST_DAY, Rig
from sandbox_servers import Sandbox, sandbox

from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.nacha import faults_of, read_file
from sdt.ports.ach_files import Inbound
from sdt.store import Store, ach_files

pytestmark = pytest.mark.slow
S = EntryStatus
RETURNS, EMPTY = "returns-2026-12-23.ach", "returns-2026-12-24.ach"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD", "--begins", FIRST_DAY) as (running, _):
        yield running


@dataclass
class Folder:
    """The bank's files, listed without numbers; `shown` is what stands under a name instead of the whole file."""

    files: Any
    shown: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)

    async def inbound(self, after: int) -> Inbound:
        return Inbound((await self.files.inbound(0)).names, after)

    async def fetch(self, name: str) -> bytes:
        self.fetched.append(name)
        return self.shown[name] if name in self.shown else await self.files.fetch(name)


class Pages(Folder):
    """A bank that numbers its files and lists one at a time."""

    async def inbound(self, after: int) -> Inbound:
        names = (await self.files.inbound(0)).names
        return Inbound(names[after : after + 1], min(after + 1, len(names)))


@pytest.fixture
async def rig(store: Store, server: Sandbox) -> AsyncIterator[Rig]:
    """A desk with a deposit that comes back on the 23rd, on the morning of the 24th, when its window passes."""
    rig = Rig.open(store, server)
    await at(rig, "2026-12-21", "10:11")
    rig.deposit(1, rig.user(1), 10_420)
    await rig.round(2)
    await at(rig, "2026-12-24", "09:00")
    yield rig
    await rig.close()


async def at(rig: Rig, on: str, time: str) -> None:
    await rig.clock_set(action="freeze")
    await rig.clock_set(action="set", date=on, time=time)


def serve(rig: Rig, files: Folder) -> None:
    rig.files = files  # type: ignore[assignment]
    rig.restart()


async def cut(rig: Rig, share: int = 2) -> Folder:
    """A folder in which the file of the 23rd stands half written, and an empty one of that day whole."""
    whole, empty = await rig.files.fetch(RETURNS), await rig.files.fetch(EMPTY)
    folder = Folder(rig.files, {RETURNS: whole[: len(whole) // share]})
    serve(rig, folder)
    early = empty.replace(b"261224", b"261223")
    assert faults_of(read_file(early)) == ()
    await rig.desk.receiver.take("early.ach", early, await rig.now())
    return folder


@pytest.mark.parametrize("share", [2, 1_000])
async def test_half_a_file_of_returns_is_fetched_again_and_nothing_passes_before_it_is_whole(
    rig: Rig, share: int
) -> None:
    [entry] = [id for (id,) in rig.store.rows("SELECT id FROM bank_entries")]
    folder = await cut(rig, share)
    await rig.round(3)
    assert rig.status(entry) is S.SETTLED
    assert rig.desk.follower.missing[0] == "2026-12-23"
    of_file = [key for _, key in rig.cases() if key.startswith("inbound:")]
    assert len(of_file) == 1, "the same bytes are one case"

    del folder.shown[RETURNS]
    await rig.round()
    assert rig.status(entry) is S.RETURNED
    assert rig.desk.follower.missing == ()
    fetched = folder.fetched.count(RETURNS)
    await rig.round()
    assert folder.fetched.count(RETURNS) == fetched, "a file that is believed is fetched no more"


async def test_a_file_that_an_officer_settled_holds_nothing_up_and_is_fetched_no_more(rig: Rig) -> None:
    [entry] = [id for (id,) in rig.store.rows("SELECT id FROM bank_entries")]
    folder = await cut(rig)
    await rig.round()
    assert rig.status(entry) is S.SETTLED
    fetched = folder.fetched.count(RETURNS)

    rig.store.execute("UPDATE cases SET status = 'closed' WHERE substr(key, 1, 8) = 'inbound:'")
    await rig.round()
    assert rig.status(entry) is S.WINDOW_PASSED
    assert folder.fetched.count(RETURNS) == fetched


async def test_an_acknowledgement_that_cannot_be_read_says_nothing_of_returns(rig: Rig) -> None:
    await rig.desk.receiver.take("ack-TXD-20261222-A.ach.json", b'{"file": "TXD-2026', await rig.now())
    assert ach_files.read_days(rig.store, "2026-12-01") == set()
    await rig.round()
    assert {"2026-12-23", "2026-12-24"} <= ach_files.read_days(rig.store, "2026-12-01")


async def test_the_same_broken_bytes_under_a_later_name_hold_up_later_days(rig: Rig) -> None:
    await rig.round()
    now = await rig.now()
    await rig.desk.receiver.take("a.ach", b"101", now.replace(day=22))
    assert ach_files.read_days(rig.store, "2026-12-01") == {"2026-12-23", "2026-12-24"}
    await rig.desk.receiver.take("b.ach", b"101", now.replace(day=23))
    assert ach_files.read_days(rig.store, "2026-12-01") == {"2026-12-24"}


async def test_one_round_reads_all_that_the_bank_lists_however_small_its_pages(rig: Rig) -> None:
    [entry] = [id for (id,) in rig.store.rows("SELECT id FROM bank_entries")]
    pages = Pages(rig.files)
    rig.store.execute("DELETE FROM ach_inbound_names")
    rig.store.execute("UPDATE ach_counters SET value = 0 WHERE name = 'inbound'")
    serve(rig, pages)
    await rig.round()
    assert rig.status(entry) is S.RETURNED
    assert len(pages.fetched) > 2
