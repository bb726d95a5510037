"""Every scenario of the sandbox, played on one platform by the command that the documentation names."""

from __future__ import annotations

import asyncio
import json
import sys
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


def _environment(folder: Path) -> dict[str, str]:
    import os

    return {**os.environ, "TMPDIR": str(folder)}


@pytest.mark.parametrize("name", SCENES)
def test_a_scenario_holds(name: str, played: dict[str, Any]) -> None:
    assert name in played, f"{name} was not played: the one before it ended the platform"
    one = played[name]
    assert one["held"], one["problem"]
    assert one["seconds"] < 60
