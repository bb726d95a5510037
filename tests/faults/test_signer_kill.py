"""kill -9 of signers at any moment: no presignature serves twice, no r comes twice, signing goes on."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3

import pytest

from sdt.domain.errors import SdtError
from sdt.signing.wire import Propose, Release
from signing_rig import Line, Rig, coordinator, sign, tx_hash, until

pytestmark = pytest.mark.slow

SIGNATURES = 240
KILLS = 5


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path, stocked=True)
    for party in (1, 2, 3):
        made.start(party)
    yield made
    made.stop()


def rows(rig, party, query):
    with sqlite3.connect(rig.folder(party) / "signer.db") as db:
        return db.execute(query).fetchall()


async def test_a_half_used_presignature_is_burnt_by_a_crash(rig):
    async with coordinator(rig) as to:
        await to._pool.refresh((1, 2))
        job, index = to._pool.take((1, 2))
        batch = Line().batch(1)
        # given a presignature bound at both, and released at one only
        promises = [await to._remotes[party].call(Propose(batch, job, index), 5) for party in (1, 2)]
        part = await to._remotes[1].call(Release(job, index, tx_hash(batch), promises[1].intent), 5)
        # when both are killed and come back
        for party in (1, 2):
            rig.signal(party, signal.SIGKILL)
        await until(lambda: to.status()[1] is None and to.status()[2] is None)
        for party in (1, 2):
            rig.start(party)
        await until(lambda: all(to.status().values()))
        # then what was released is given again, the other half is burnt, and no share of it is left anywhere
        again = await to._remotes[1].call(Release(job, index, tx_hash(batch), promises[1].intent), 5)
        assert again == part
        with pytest.raises(SdtError) as refused:
            await to._remotes[2].call(Release(job, index, tx_hash(batch), promises[0].intent), 5)
        assert refused.value.code == "presignature_not_bound"
        for party, state in ((1, "released"), (2, "burnt")):
            left = f"SELECT state, sealed FROM presignature WHERE idx = {index} AND job = x'{job.hex()}'"
            assert rows(rig, party, left) == [(state, None)]
        # and the batch is signed with another presignature
        assert (await sign(to, batch)).signature is not None


async def test_signatures_go_on_through_kills_and_no_nonce_comes_twice(rig):
    chance = random.Random(4)
    async with coordinator(rig) as to:
        line, seen = Line(), set()

        async def killer():
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                party = chance.choice((1, 2, 3))
                rig.signal(party, signal.SIGKILL)
                rig.start(party)
                await until(lambda party=party: to.status()[party] is not None)

        # given signers that are killed at random
        kills = asyncio.create_task(killer())
        # when batches are signed one after another, each tried again while too few locations answer
        while len(seen) < SIGNATURES:
            batch = line.batch(1)
            try:
                outcome = await sign(to, batch)
            except SdtError:
                await asyncio.sleep(0.1)
                continue
            assert outcome.signature.r not in seen
            seen.add(outcome.signature.r)
            line.settled(batch)
        await kills
    # then no r was used twice, and what is spent holds no share
    assert len(seen) == SIGNATURES
    for party in (1, 2, 3):
        assert rows(
            rig, party, "SELECT count(*) FROM presignature WHERE state IN ('released', 'burnt') AND sealed IS NOT NULL"
        ) == [(0,)]
        assert rows(rig, party, "SELECT count(*) - count(DISTINCT r) FROM presignature") == [(0,)]


async def test_a_joint_job_fails_fast_when_a_location_dies_in_it_and_leaves_nothing(rig):
    async with coordinator(rig) as to:
        before = to.stock()[(1, 2)]
        # given a presigning job in which one location's signer is killed, and with it its job
        job = asyncio.create_task(to.presign((1, 2), 1000))
        await asyncio.sleep(0.5)
        rig.signal(3, signal.SIGKILL)
        # then the job fails well before its deadline of 30 s
        with pytest.raises(SdtError):
            await asyncio.wait_for(job, 10)
        rig.start(3)
        await until(lambda: to.status()[3] is not None)
        # and what was made of it is not usable, and the next job works
        assert to.stock()[(1, 2)] == before
        await until_presigned(to)
        assert to.stock()[(1, 2)] == before + 5


async def until_presigned(to):
    for _ in range(100):
        try:
            return await to.presign((1, 2), 5)
        except SdtError:
            await asyncio.sleep(0.2)
    raise AssertionError("presigning never came back")
