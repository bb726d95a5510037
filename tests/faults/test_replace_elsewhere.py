"""`sdt keys replace` where the lost location runs elsewhere: the home has the coordinator's folder only."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sdt.cli.app import app as cli
from sdt.signing.relocate import relocate
from signing_rig import Line, Rig, coordinator, sign

pytestmark = pytest.mark.slow
LOST = 3


class Died(Exception):
    """The ceremony's process was killed."""


async def replace(rig: Rig, office: Path) -> Result:
    """Run the command where the coordinator is."""
    shutil.copytree(rig.home / "coordinator", office / "coordinator", dirs_exist_ok=True)
    (office / "settings.toml").write_text('[default]\nnetwork = "test"\n')
    (office / "ann.key").write_text("11" * 32)
    command = ["keys", "replace", str(LOST), "--home", str(office), "--operator", str(office / "ann.key"), "--yes"]
    return await asyncio.to_thread(CliRunner().invoke, cli, command)


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest):
    made = Rig(tmp_path / "home", stocked=request.param)
    yield made
    made.stop()


@pytest.mark.parametrize("rig", [True], indirect=True)
async def test_a_replacement_that_died_before_its_end_is_ended_by_the_same_command_and_not_begun_again(rig, tmp_path):
    # given a fresh location, made by its operators, whose replacement dies when all three keep the new share
    relocate(rig.home, LOST)
    for party in (1, 2, 3):
        rig.start(party)
    async with coordinator(rig) as to:
        address = await to.keygen()

        async def step(done: str) -> None:
            if done == "staged":
                raise Died

        with pytest.raises(Died):
            await to.reshare(LOST, step)
        assert to.status()[LOST].epoch == 0
    # when the command is run
    done = await replace(rig, tmp_path / "office")
    # then that share is in force, with stock, and a transcript says so
    assert done.exit_code == 0, (done.output, done.exception)
    assert "interrupted replacement" in done.output
    assert len(list((tmp_path / "office" / "ceremonies").glob("*.json"))) == 1
    async with coordinator(rig) as to:
        assert to.address() == address and {each.epoch for each in to.status().values()} == {2}
        rig.signal(2, signal.SIGTERM)
        assert (await sign(to, Line().batch())).pair == (1, LOST)
        rig.start(2)
    # and a location that holds a share is not taken for a lost one
    done = await replace(rig, tmp_path / "office")
    assert getattr(done.exception, "code", "") == "location_in_use", (done.output, done.exception)


@pytest.mark.parametrize("rig", [False], indirect=True)
async def test_where_there_is_no_key_none_is_made_in_passing(rig, tmp_path):
    for party in (1, 2, 3):
        rig.start(party)
    done = await replace(rig, tmp_path / "office")
    assert getattr(done.exception, "code", "") == "no_key", (done.output, done.exception)
    async with coordinator(rig) as to:
        assert not any(each.epoch for each in to.status().values())
