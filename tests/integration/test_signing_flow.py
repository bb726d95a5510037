"""Key generation, presigning and signing by three real processes."""

from __future__ import annotations

import signal
import time

import pytest

from sdt.domain.errors import SdtError
from sdt.signing.coordinator import NoPair
from sdt.signing.wire import PAIRS
from signing_rig import Line, Rig, coordinator, message, sign, until

pytestmark = pytest.mark.slow


def started(made):
    for party in (1, 2, 3):
        made.start(party)
    yield made
    made.stop()


@pytest.fixture
def fresh(tmp_path):
    """Three locations without a key."""
    yield from started(Rig(tmp_path))


@pytest.fixture
def rig(tmp_path):
    """Three locations with a key and stock."""
    yield from started(Rig(tmp_path, stocked=True))


async def test_a_key_stock_and_signatures(fresh):
    async with coordinator(fresh) as to:
        # given three locations without a key
        with pytest.raises(SdtError):
            to.address()
        # when the key is made and presignatures for each pair
        address = await to.keygen()
        for pair in PAIRS:
            await to.presign(pair, 20)
        assert to.stock() == dict.fromkeys(PAIRS, 20)
        # then batches are signed under that key, by pairs that still have stock
        line, seen = Line(), set()
        for _ in range(50):
            batch = line.batch(3)
            outcome = await sign(to, batch)
            seen.add(outcome.signature.r)
            line.settled(batch)
        assert len(seen) == 50
        assert sum(to.stock().values()) == 10
        # and making the key again changes nothing
        assert await to.keygen() == address


async def test_refused_messages_are_named_and_the_rest_is_signed(rig):
    async with coordinator(rig) as to:
        line = Line()
        # given a batch with two messages that signers refuse
        entries = (message(), message(b"refuse"), message(), message(b"refuse"))
        # when it is proposed
        outcome = await sign(to, line.batch(entries=entries))
        # then these two are named, and the rest is signed
        assert outcome.signature is None
        assert [(each.position, each.code) for each in outcome.refusals] == [(1, "refused"), (3, "refused")]
        assert (await sign(to, line.batch(entries=(entries[0], entries[2])))).signature is not None


async def test_each_location_may_die_and_signing_goes_on_within_two_seconds(rig):
    async with coordinator(rig) as to:
        line = Line()
        for dead in (1, 2, 3):
            # given one location killed
            rig.signal(dead, signal.SIGKILL)
            # when batches are signed
            started = time.monotonic()
            outcomes = []
            for _ in range(3):
                batch = line.batch(2)
                outcomes.append(await sign(to, batch))
                line.settled(batch)
            # then the other two sign at once
            assert time.monotonic() - started < 2.0
            assert all(dead not in outcome.pair for outcome in outcomes)
            await until(lambda dead=dead: to.status()[dead] is None)
            rig.start(dead)
            await until(lambda dead=dead: to.status()[dead] is not None)


async def test_a_paused_location_is_passed_over_within_two_seconds(rig):
    async with coordinator(rig) as to:
        # given a location that hangs
        rig.signal(2, signal.SIGSTOP)
        started = time.monotonic()
        # when a batch is signed
        outcome = await sign(to, Line().batch(2))
        # then another pair signed it
        assert time.monotonic() - started < 2.0
        assert outcome.pair == (1, 3)
        # and with two away nothing is signed, and that is said
        rig.signal(3, signal.SIGKILL)
        with pytest.raises(NoPair):
            await sign(to, Line().batch(2))
