"""kill -9 at every step of a refresh: afterwards all locations are on one epoch, and they sign."""

from __future__ import annotations

import signal

import pytest

from sdt.domain.errors import SdtError
from sdt.signing.wire import ActivateKey, ShowKey
from sdt.signing.wire_lifecycle import ShowStaged
from signing_rig import Line, Rig, coordinator, sign, until

pytestmark = pytest.mark.slow

STEPS = ("committed", "echoed", "opened", "dealt", "staged")


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path, stocked=True)
    for party in (1, 2, 3):
        made.start(party)
    yield made
    made.stop()


async def restart(rig, to, *parties):
    for party in parties:
        rig.signal(party, signal.SIGKILL)
    await until(lambda: all(to.status()[party] is None for party in parties))
    for party in parties:
        rig.start(party)
    await until(lambda: all(to.status().values()))


async def epochs(to) -> set[int]:
    return {(await to._remotes[party].call(ShowKey(), 5)).epoch for party in (1, 2, 3)}


async def stopped_at(to, wanted: str, then) -> None:
    """Refresh, and leave it at a step, as a coordinator that dies there."""

    class Died(Exception):
        pass

    async def step(done: str) -> None:
        if done == wanted:
            await then()
            raise Died

    with pytest.raises((Died, SdtError)):
        await to.reshare(0, step)


async def test_a_location_killed_after_any_step_leaves_one_epoch_and_the_key(rig):
    async with coordinator(rig) as to:
        address, expected = await to.keygen(), 1
        for number, name in enumerate(STEPS):
            # given a refresh that dies at a step, with one location killed there
            await stopped_at(to, name, lambda party=1 + number % 3: restart(rig, to, party))
            # then nobody is on the next epoch, or, when all three had staged, everybody is once they talk again
            await to.keygen()
            if name == "staged":
                expected += 1
            assert await epochs(to) == {expected}
            assert not any([(await to._remotes[party].call(ShowStaged(), 5)).keys for party in (1, 2, 3)])
        # and the key is the same one, and signs
        assert to.address() == address
        await to.presign((1, 3), 3)
        assert (await sign(to, Line().batch(1))).signature is not None


async def test_all_killed_when_one_has_staged_stay_on_the_old_epoch(rig):
    async with coordinator(rig) as to:
        await to.keygen()
        # given two locations that staged, and a third that was killed before it could
        ceremonies = to._ceremonies._resharing
        honest = ceremonies._all

        async def without_the_third(operation, kind):
            if type(operation).__name__ == "ReshareStage":
                for party in (1, 2):
                    await to._remotes[party].call(operation, 5)
                await restart(rig, to, 1, 2, 3)
            return await honest(operation, kind)

        ceremonies._all = without_the_third
        with pytest.raises(SdtError):
            await to.reshare(0, _quiet)
        ceremonies._all = honest
        # when they talk again
        await to.keygen()
        # then all are on the old epoch, the old presignatures still sign, and the next refresh works
        assert await epochs(to) == {1}
        assert (await sign(to, Line().batch(1))).signature is not None
        assert (await to.reshare(0, _quiet)).epoch == 2
        assert await epochs(to) == {2}


async def test_the_certificate_at_one_location_brings_all_to_the_new_epoch_without_a_coordinator(rig):
    async with coordinator(rig) as to:
        await to.keygen()
        ceremonies = to._ceremonies._resharing

        async def at_one_only(statement, signatures):
            await to._remotes[1].call(ActivateKey(statement.job, signatures), 5)
            await restart(rig, to, 1, 2, 3)
            raise SystemError

        # given a certificate that reached one location before everybody was killed
        ceremonies._activate = at_one_only
        with pytest.raises(SystemError):
            await to.reshare(0, _quiet)
        # then the others fetch it from that one by themselves
        await until(lambda: {status.epoch for status in to.status().values() if status} == {2})
        await to.presign((2, 3), 3)
        assert (await sign(to, Line().batch(1))).pair == (2, 3)


async def _quiet(_: str) -> None:
    """Say nothing."""
