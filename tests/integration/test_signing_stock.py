"""The stock keeps itself filled while all three locations answer, and a key is made once."""

from __future__ import annotations

import asyncio
import signal
import sqlite3

import pytest

from sdt.signing.coordinator import STOCK_PERIOD_S, StockPolicy
from sdt.signing.wire import PAIRS, ActivateKey, KeyCertificate, ShowKey
from signing_rig import Line, Rig, coordinator, sign, until

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


async def test_the_stock_is_topped_up_in_the_background(fresh):
    async with coordinator(fresh, StockPolicy(low=3, target=8, per_job=8)) as to:
        # given a key and no presignature
        await to.keygen()
        # then each pair gets its target by itself
        await until(lambda: all(left >= 8 for left in to.stock().values()), 30)
        # and when it runs low, it is filled again
        line, pairs = Line(), []
        for _ in range(7):
            batch = line.batch(1)
            pairs.append((await sign(to, batch)).pair)
            line.settled(batch)
        assert set(pairs) <= set(PAIRS)
        await until(lambda: all(left >= 3 for left in to.stock().values()), 30)


async def test_a_filling_ends_though_batches_are_signed_meanwhile(fresh):
    async with coordinator(fresh) as to:
        await to.keygen()
    async with coordinator(fresh, StockPolicy(low=4, target=12, per_job=20)) as to:
        jobs, make = [], to.presign

        async def presign_while_two_are_spent(pair, count):
            took = await make(pair, count)
            jobs.append((pair, count))
            to._pool.take(pair)
            to._pool.take(pair)
            return took

        to.presign = presign_while_two_are_spent
        # when each pair is filled while its stock is spent
        await until(lambda: len(jobs) >= 3 and all(left >= 10 for left in to.stock().values()), 30)
        # then one job each was enough, and no other follows for the two that were spent
        await asyncio.sleep(3 * STOCK_PERIOD_S)
        assert sorted(jobs) == [(pair, 12) for pair in PAIRS]


async def test_a_location_that_missed_the_certificate_of_the_key_gets_it_later(rig):
    async with coordinator(rig) as to:
        address = await to.keygen()
        # given location 3 as it was before the certificate came: made anew from its own pending share
        shown = await to._remotes[1].call(ShowKey(), 5)
        assert isinstance(shown, KeyCertificate)
        rig.signal(3, signal.SIGKILL)
        await until(lambda: to.status()[3] is None)
        with sqlite3.connect(rig.folder(3) / "signer.db") as db:
            db.execute("UPDATE key_share SET state = 'pending', certificate = NULL")
        rig.start(3)
        await until(lambda: to.status()[3] is not None)
        assert to.status()[3].epoch == 0
        # when key generation is asked for again
        assert await to.keygen() == address
        # then it has the same key in force, and the certificate changes nothing a second time
        assert to.status()[3].epoch == 1
        await to._remotes[3].call(ActivateKey(shown.job, shown.signatures), 5)
