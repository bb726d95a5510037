"""The demo as a newcomer runs it: once, twice in the same folder, and two at the same time."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from sdt.demo.story import Story
from sdt.local.books import settled_books
from sdt.local.platform import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


async def _demo_once(folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("sdt"), "demo", "--once"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_two_demos_at_once_both_end_well(tmp_path: Path) -> None:
    # Given one machine, when the whole story is told twice at the same time, in two folders
    told = await asyncio.gather(_demo_once(tmp_path), _demo_once(tmp_path))

    # Then each found ports of its own, refused every attack and balanced its books
    for code, output in told:
        assert code == 0, output[-2_000:]
        assert "Every balance agrees, every attack was refused." in output
    # and neither wrote anything where it was called
    assert list(tmp_path.iterdir()) == []


async def test_a_second_run_goes_on_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a platform on which the story was told, and that was stopped
    monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")
    monkeypatch.setenv("SDT_ENV", "test")
    home = tmp_path / "home"
    async with running(home) as platform:
        story = Story(platform, lambda *_: None)
        await story.run()
        await story.close()
        before = await settled_books(platform.settings, platform.region)
        ports = (home / "ports.json").read_text()

    # When it is started again in the same folder
    steps: list[str] = []
    async with running(home, steps.append) as platform:
        outcomes: list[str] = []
        story = Story(platform, lambda _, outcome: outcomes.append(outcome))
        await story.run()

        # Then nothing is told or opened twice, and the books stand where they stood
        assert set(outcomes) == {"told before"}
        assert not any(step.startswith("region") for step in steps)
        assert (home / "ports.json").read_text() == ports
        after = await settled_books(platform.settings, platform.region)
        assert all(one.agree and one.covered for one in after), after
        assert [(one.supply, one.holders) for one in after] == [(one.supply, one.holders) for one in before]
        # and money moves on
        paid = await story.pay("bob", "alice", "TXD", 100)
        found = await story.actors["bob"].client.wait(paid, until=("completed",))
        assert found["status"] == "completed"
        await story.close()
