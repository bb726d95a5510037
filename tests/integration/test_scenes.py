"""Every scenario of the sandbox, played on one platform by the command that the documentation names."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sdt.demo.scenes.catalogue import SCENES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Play all of them once; each test looks at its own."""
    folder = tmp_path_factory.mktemp("scenes")

    async def run() -> tuple[int | None, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).with_name("sdt"), "sandbox", "scenario", "--all", "--json"),
            cwd=folder,
            env=_environment(folder),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode, output, errors

    code, output, errors = asyncio.run(run())
    assert output, errors.decode()[-2_000:]
    found = {one["scenario"]: one for one in json.loads(output)}
    # The exit status says whether all held, and nothing is left of the platform
    assert code == (0 if all(one["held"] for one in found.values()) else 1)
    assert list(folder.iterdir()) == []
    return found


async def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    # Given a scenario whose platform is being started
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("sdt"), "sandbox", "scenario", "r01-before-mint"),
        cwd=tmp_path,
        env=_environment(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    seen = b""
    while b"one key at three locations" not in seen:
        line = await process.stdout.readline()
        assert line, seen.decode()
        seen += line
    # When somebody presses Ctrl-C
    process.send_signal(signal.SIGINT)
    await process.communicate()
    # Then it did not hold, no file is left, and no process of it runs
    assert process.returncode not in (0, None)
    assert list(tmp_path.iterdir()) == []
    left = [command for command in _commands() if str(tmp_path) in command]
    assert left == []


def _commands() -> list[str]:
    """The command lines of every process of this machine."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder)}


@pytest.mark.parametrize("name", SCENES)
def test_a_scenario_holds(name: str, played: dict[str, Any]) -> None:
    assert name in played, f"{name} was not played: the one before it ended the platform"
    one = played[name]
    assert one["held"], one["problem"]
    assert one["seconds"] < 60
