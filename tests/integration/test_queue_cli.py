"""`sdt queue` on the embedded queue and on one at an emulator."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from queue_rig import entry
from sdt.backends import open_queue
from sdt.cli.app import app
from sdt.config import load_settings
from sdt.domain.errors import NotFound


def said(home: Path, *words: str) -> Any:
    result = CliRunner().invoke(app, ["queue", *words, "--home", str(home), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(params=["embedded", pytest.param("ministack", marks=pytest.mark.slow)])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose queue has one dead letter and one message that waits."""
    if request.param == "ministack":
        monkeypatch.setenv("SDT_ENV", "localstack")
        monkeypatch.setenv("SDT_AWS__ENDPOINT_URL", request.getfixturevalue("ministack"))
        monkeypatch.setenv("SDT_QUEUE__NAME", f"test-{uuid4().hex}.fifo")
    monkeypatch.setenv("SDT_QUEUE__RECEIVES_MAX", "1")
    asyncio.run(_one_dead(tmp_path))
    return tmp_path


async def _one_dead(home: Path) -> None:
    queue = open_queue(load_settings(home=home, ports={}))
    await queue.send([entry("alice", "poison"), entry("bob", "sound")])
    for message in await queue.receive(10, 5, 60):
        await queue.extend([message.receipt], 0) if message.body == "poison" else await queue.delete([message.receipt])
    assert not await queue.receive(1, 0, 60)
    await queue.send([entry("carol", "waits")])
    await queue.close()


def test_what_died_is_shown_and_brought_back(home: Path) -> None:
    before = said(home, "status")
    assert (before["waiting"], before["in_flight"], before["dead"]) == (1, 0, 1)
    (letter,) = said(home, "dead-letters")
    assert (letter["body"], letter["group"]) == ("poison", "alice")
    assert said(home, "redrive") == {"moved": 1}
    after = said(home, "status")
    assert (after["waiting"], after["dead"]) == (2, 0)
    assert said(home, "dead-letters") == []


def test_a_folder_without_a_queue_gets_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["queue", "status", "--home", str(tmp_path)])
    assert isinstance(result.exception, NotFound)
    assert not list(tmp_path.iterdir())
