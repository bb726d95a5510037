"""A scene believes nothing but what it saw."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdt.cli.app import app
from sdt.client import Network
from sdt.config import load_settings
from sdt.demo.scenes.catalogue import SCENES
from sdt.demo.scenes.scene import SceneFailed, Step
from sdt.demo.scenes.stage import Stage
from sdt.domain.region import load_region


def test_a_step_holds_only_if_exactly_what_was_expected_was_seen() -> None:
    assert Step("it rains", {"wet": True}, {"wet": True}, 0.0).held
    assert not Step("it rains", {"wet": True}, {"wet": False}, 0.0).held
    assert not Step("it rains", {"wet": True}, {}, 0.0).held
    assert not Step("it rains", {"wet": True}, {"wet": True, "cold": True}, 0.0).held


def test_a_step_that_went_otherwise_is_told_and_ends_the_scene(tmp_path: Path) -> None:
    # Given a stage on which nothing runs
    settings = load_settings(home=tmp_path, ports={})
    region = load_region(settings.region_file(next(iter(settings.regions))).read_bytes())
    told: list[Step] = []

    async def play() -> None:
        stage = Stage(settings, region, Network("http://127.0.0.1:9", "sandbox", region.id), None, told.append)  # type: ignore[arg-type]
        # When something else is seen than what had to be, then the scene ends there, and the step is told
        with pytest.raises(SceneFailed, match="saw {'balance': 1}"):
            stage.step("a payment", expected={"balance": 0}, seen={"balance": 1})
        await stage.close()

    asyncio.run(play())
    assert [step.held for step in told] == [False]


def test_scenarios_are_listed_and_an_unknown_one_is_named() -> None:
    listed = CliRunner().invoke(app, ["sandbox", "scenario"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in SCENES)
    unknown = CliRunner().invoke(app, ["sandbox", "scenario", "r99-nowhere"])
    assert unknown.exit_code != 0
    assert "r99-nowhere" in str(unknown.exception)
