"""What an officer alone puts in force: a list that is much like the one in force, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from rescreen_process import NoVendor
from sanctions_rig import Rig, put, sanctions_rig
from sdt.workflows.sanctions_lists import load

pytestmark = pytest.mark.slow


@dataclass
class Written:
    """A list of forty, of whom the first has most addresses and the second most aliases."""

    names: dict[int, str] = field(default_factory=lambda: {n: f"NOBODY{n}, Invented" for n in range(1, 41)})
    aliases: dict[int, int] = field(default_factory=lambda: {2: 20, 3: 1})
    addresses: dict[int, int] = field(default_factory=lambda: {1: 20, 3: 1})

    def write(self, folder: Path) -> Path:
        """Write OFAC's three files."""
        nothing = ",-0- " * 8
        files = {
            "sdn": [f'{n},"{name}","individual","INVENTED"{nothing}' for n, name in self.names.items()],
            "alt": [f'{n},{k},"aka","ALSO{n}X{k}",-0- ' for n, many in self.aliases.items() for k in range(many)],
            "add": [f'{n},{k},"{k} Way","Town","Land",-0- ' for n, many in self.addresses.items() for k in range(many)],
        }
        folder.mkdir()
        for name, lines in files.items():
            (folder / f"{name}.csv").write_bytes("".join(f"{line}\r\n" for line in lines).encode() + b"\x1a")
        return folder


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    first = Written().write(tmp_path / "first")
    async with sanctions_rig(tmp_path, NoVendor(), lists=first) as made:  # type: ignore[arg-type]
        yield made


def _others(listed: Written) -> None:
    """Not one of them, and as many as before."""
    listed.names = {n + 1_000 * (n > 3): name for n, name in listed.names.items()}


def _other_names(listed: Written) -> None:
    listed.names |= {n: f"SOMEBODY{n}, Other" for n in range(4, 10)}


def _fewer(listed: Written) -> None:
    listed.names = {n: name for n, name in listed.names.items() if n < 36}


def _no_aliases(listed: Written) -> None:
    del listed.aliases[2]


def _no_addresses(listed: Written) -> None:
    del listed.addresses[1]


@pytest.mark.parametrize("change", [_others, _other_names, _fewer, _no_aliases, _no_addresses])
async def test_a_list_that_is_much_another_takes_two(
    rig: Rig, tmp_path: Path, change: Callable[[Written], None]
) -> None:
    before = await rig.searcher.in_force()
    listed = Written()
    change(listed)
    assert await put(rig, listed.write(tmp_path / "next"), "2026-02-01", alone=True) == "waiting"
    assert (await rig.searcher.in_force()).digest == before.digest


async def test_a_list_of_every_day_takes_one(rig: Rig, tmp_path: Path) -> None:
    listed = Written()
    listed.names |= {n: f"NEWLY{n}, Listed" for n in range(50, 70)}
    listed.names[7] = "NOBODY7, Corrected"
    del listed.names[8], listed.addresses[3]
    assert await put(rig, listed.write(tmp_path / "next"), "2026-02-01", alone=True) == "done"
    # and the day after it is held against that one, not against the first
    listed.names |= {9: "NOBODY9, Corrected"}
    assert await put(rig, listed.write(tmp_path / "after"), "2026-02-02", alone=True) == "done"


async def test_a_list_that_was_held_against_another_than_the_one_in_force_takes_two(rig: Rig, tmp_path: Path) -> None:
    # given a list held against the one in force, of which one line is another; and one of quite others that comes first
    waiting, others = Written(), Written()
    waiting.names[7] = "NOBODY7, Corrected"
    _others(others)
    folder = waiting.write(tmp_path / "waiting")
    loaded_at_ms = rig.clock.now_ms() - 60_000
    load(rig.store, rig.home, folder, list_date=date(2026, 2, 2), by="operator", now_ms=loaded_at_ms)
    assert await put(rig, others.write(tmp_path / "others"), "2026-02-01") == "done"
    # then what was found when it was loaded says nothing
    assert await put(rig, folder, "2026-02-02", alone=True) == "waiting"
