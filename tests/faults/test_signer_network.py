"""Cut, swallowed and slow lines between coordinator and locations: signing goes on, nobody is blamed, alarms tell."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import pytest

from sdt.signing.config import load_signer_config
from signing_rig import Line, Rig, coordinator, sign, until
from tcp_proxy import TcpProxy

pytestmark = pytest.mark.slow

FAR = 1


@pytest.fixture
def rig(tmp_path):
    """Three locations with a key and stock, not started."""
    rig = Rig(tmp_path, stocked=True)
    yield rig
    rig.stop()


async def behind(stack, rig, *, peers=True, worker=True):
    """Put a relay in front of location 1, as its peers and as the coordinator reach it; start all three."""
    port = load_signer_config(rig.folder(FAR)).me.port
    files = [rig.folder(party) / "signer.toml" for party in (2, 3)] if peers else []
    files += [rig.home / "coordinator" / "signers.toml"] if worker else []
    proxy = await stack.enter_async_context(TcpProxy(port))
    for file in files:
        text = file.read_text()
        assert f"port = {port}\n" in text
        file.write_text(text.replace(f"port = {port}\n", f"port = {proxy.port}\n"))
    for party in (1, 2, 3):
        rig.start(party)
    return proxy


def codes(to):
    return {alarm.code for alarm in to.alarms()}


@pytest.mark.parametrize("mode", ["cut", "hole", 1.5])
async def test_a_location_behind_a_bad_line_is_passed_over_and_comes_back(rig, mode):
    async with AsyncExitStack() as stack:
        proxy = await behind(stack, rig)
        to = await stack.enter_async_context(coordinator(rig))
        line = Line()
        # given that a pair with location 1 signs
        to._last_pair = (1, 2)
        outcome = await sign(to, batch := line.batch(1))
        assert outcome.pair == (1, 2)
        line.settled(batch)
        assert codes(to) == set()
        # when its line is cut, swallows everything, or is far too slow
        proxy.set(mode)
        began = time.monotonic()
        outcome = await sign(to, batch := line.batch(1))
        line.settled(batch)
        # then the other two sign within seconds, and nobody is blamed
        assert outcome.pair == (2, 3)
        assert time.monotonic() - began < 4
        assert to.culprits() == {}
        # and alarms tell who is away, and count down what the other two still have
        await until(lambda: {"location_away", "stock_counts_down"} <= codes(to))
        left = [alarm.left for alarm in to.alarms() if alarm.code == "stock_counts_down"]
        for _ in range(3):
            await sign(to, batch := line.batch(1))
            line.settled(batch)
        assert [alarm.left for alarm in to.alarms() if alarm.code == "stock_counts_down"] == [left[0] - 3]
        # and when the line is good again, so is the location
        proxy.set("pass")
        await until(lambda: codes(to) == set())
        to._last_pair = (1, 3)
        assert (await sign(to, line.batch(1))).pair == (1, 3)


async def test_a_slow_line_costs_time_and_nothing_else(rig):
    async with AsyncExitStack() as stack:
        proxy = await behind(stack, rig)
        to = await stack.enter_async_context(coordinator(rig))
        line = Line()
        # given a line that is 0.1 s late each way
        proxy.set(0.1)
        for _ in range(3):
            to._last_pair = (1, 2)
            began = time.monotonic()
            outcome = await sign(to, batch := line.batch(1))
            line.settled(batch)
            assert outcome.signature is not None
            assert time.monotonic() - began < 3
        assert to.culprits() == {}


async def test_locations_that_cannot_reach_one_another_sign_through_the_coordinator(rig):
    async with AsyncExitStack() as stack:
        # given a line between location 1 and its peers that is cut, while the coordinator reaches all three
        proxy = await behind(stack, rig, worker=False)
        to = await stack.enter_async_context(coordinator(rig))
        proxy.set("cut")
        line = Line()
        for pair in ((1, 2), (1, 3), (2, 3), (1, 2)):
            to._last_pair = pair
            outcome = await sign(to, batch := line.batch(1))
            line.settled(batch)
            # then batches are signed all the same, if need be by a pair that knows the line
            assert outcome.signature is not None
        assert to.culprits() == {}
