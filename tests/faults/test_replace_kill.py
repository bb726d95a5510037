"""kill -9 at every step of a replacement: run again, it ends with one epoch and the same key."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from sdt.domain.errors import SdtError
from sdt.signing.config import load_signer_config
from sdt.signing.relocate import relocate, relocation_pending
from sdt.signing.wire import ShowKey
from signing_rig import Line, Rig, coordinator, sign, until

pytestmark = pytest.mark.slow

LOST = 3
STEPS = ("committed", "echoed", "opened", "dealt", "staged")


@pytest.fixture
def rig(tmp_path):
    """Three locations with a key and stock, not started."""
    made = Rig(tmp_path / "home", stocked=True)
    yield made
    made.stop()


async def restart(rig, to, party):
    rig.signal(party, signal.SIGKILL)
    await until(lambda: to.status()[party] is None)
    rig.start(party)
    await until(lambda: all(to.status().values()))


async def quiet(_: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("killed", [1, 2, 3])
async def test_a_location_killed_after_any_step_of_a_replacement_leaves_one_epoch_and_the_key(rig, killed):
    # given a fresh location in a lost one's place
    for party in (1, 2, 3):
        rig.start(party)
    async with coordinator(rig) as to:
        await to.keygen()
        address = to.address()
    for party in (1, 2, 3):
        rig.signal(party, signal.SIGKILL)
    relocate(rig.home, LOST)
    for party in (1, 2, 3):
        rig.start(party)

    class Died(Exception):
        pass

    async with coordinator(rig) as to:
        await to.keygen()
        for name in STEPS:
            # when the replacement dies at a step, with one of the three killed there

            async def step(done: str, wanted: str = name) -> None:
                if done == wanted:
                    await restart(rig, to, killed)
                    raise Died

            with pytest.raises((Died, SdtError)):
                await to.reshare(LOST, step)
            await to.keygen()
            held = [(await to._remotes[party].call(ShowKey(), 5)).epoch for party in (1, 2, 3)]
            # then the new one holds nothing, or, when all had staged, all are on the new epoch
            assert held == ([2, 2, 2] if name == "staged" else [1, 1, 0])
        assert to.address() == address
        await to.presign((1, 3), 3)
        await to.presign((2, 3), 3)
        assert (await sign(to, Line().batch(1))).signature is not None


def stop_before(monkeypatch, number):
    """Die before the rename, or the removal, of that number."""
    done = []

    def counted(function):

        def step(*arguments, **more):
            done.append(function)
            if len(done) == number:
                raise KeyboardInterrupt
            return function(*arguments, **more)

        return step

    for owner, name in (
        (Path, "rename"),
        (Path, "replace"),
        (shutil, "rmtree"),
        (shutil, "copy"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))


def test_a_relocation_killed_anywhere_and_run_again_ends_as_if_it_had_not_been(rig, monkeypatch):
    kept = rig.home.with_name("kept")
    shutil.copytree(rig.home, kept)
    old = {name: (rig.folder(LOST) / name).read_bytes() for name in ("tls.pem", "intent.pub")}
    for number in range(1, 100):
        shutil.rmtree(rig.home, ignore_errors=True)
        shutil.copytree(kept, rig.home)
        with monkeypatch.context() as patch:
            stop_before(patch, number)
            try:
                relocate(rig.home, LOST)
                ended = True
            except KeyboardInterrupt:
                ended = False
        if not ended:
            # then it is not taken for another location's, and goes on to its end
            if relocation_pending(rig.home):
                with pytest.raises(SdtError) as refused:
                    relocate(rig.home, 1)
                assert refused.value.code == "other_relocation"
            if (rig.folder(LOST) / "signer.db").exists() or relocation_pending(rig.home):
                relocate(rig.home, LOST)
        assert not relocation_pending(rig.home)
        retired = list(rig.home.glob("*.retired-*"))
        assert sorted(path.name.partition(".")[0] for path in retired) == ["signer-3", "signing-authority"]
        assert {name: (rig.folder(LOST) / name).read_bytes() for name in old}.items().isdisjoint(old.items())
        configs = [load_signer_config(rig.folder(party)) for party in (1, 2, 3)]
        assert len({config.locations for config in configs}) == 1
        [authority] = {Path(config.tls.authority).read_bytes() for config in configs}
        assert authority == (rig.home / "coordinator" / "authority.pem").read_bytes()
        assert authority != (kept / "coordinator" / "authority.pem").read_bytes()
        for config in configs:  # each opens its own signing key, and all know it
            assert config.intent_key(config.sealer()).verify_key == config.intent_keys()[config.party]
        if ended:
            assert number > 10, "hardly a step was tried"
            return
    raise AssertionError("it never ended")
