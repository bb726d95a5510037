"""A location that deviates on the wire: nothing bad leaves, and what can be named is named."""

from __future__ import annotations

import asyncio
import secrets
import signal

import pytest

from sdt.domain.errors import SdtError
from sdt.signing.wire import ListStock, Promote, Propose, Release, ShowCertificate, StartStock
from signing_rig import Line, Rig, coordinator, sign, until

pytestmark = pytest.mark.slow

LIAR = 2


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """Three locations with a key and stock, stopped: each test starts them with one liar."""
    rig = Rig(tmp_path_factory.mktemp("liar"), stocked=True)
    rig.line = Line()
    return rig


@pytest.fixture
def with_liar(stocked):
    def start(lie):
        for party in (1, 2, 3):
            stocked.start(party, lie=lie if party == LIAR else "")
        return stocked

    yield start
    stocked.stop()


@pytest.mark.parametrize("lie", ["part", "intent", "hash", "chain", "row", "answer"])
async def test_a_liar_is_named_and_the_other_two_sign(with_liar, lie):
    # given a location that lies in one way
    rig = with_liar(lie)
    async with coordinator(rig) as to:
        # when batches are signed until it was asked
        outcomes = []
        for _ in range(12):
            batch = rig.line.batch(2)
            outcomes.append(await sign(to, batch))
            rig.line.settled(batch)
        # then every signature is good, the liar alone is named, and asked no more
        assert all(outcome.signature for outcome in outcomes)
        assert list(to.culprits()) == [LIAR] or lie == "chain"
        assert {party for outcome in outcomes for party in outcome.culprits} <= {LIAR}
        if to.culprits():
            assert outcomes[-1].pair == (1, 3)


async def test_a_location_that_accuses_its_honest_partner_gets_nobody_named(with_liar):
    # given a location that says of every promise that it is broken
    rig = with_liar("frame")
    async with coordinator(rig) as to:
        to._last_pair = (1, LIAR)
        for _ in range(3):
            outcome = await sign(to, batch := rig.line.batch(1))
            rig.line.settled(batch)
            # then its partner is named by nobody, and signs with the third
            assert outcome.culprits == ()
            assert outcome.pair == (1, 3)
        assert to.culprits() == {}


async def test_a_cheat_in_presigning_frames_nobody(with_liar):
    # given a location whose joint jobs lie
    rig = with_liar("job:product")
    async with coordinator(rig) as to:
        before = to.stock()
        # when presigning fails
        with pytest.raises(SdtError) as failed:
            await to.presign((1, 3), 5)
        # then nothing is kept and nobody is named: the three points alone do not tell which of them is off
        assert failed.value.code in ("joint_check_failed", "peer_lost")
        assert "party" not in failed.value.facts
        assert to.culprits() == {}
        assert to.stock() == before


async def test_a_presignature_serves_its_own_pair_only(with_liar):
    rig = with_liar("")
    async with coordinator(rig) as to:
        # given a presignature of locations 1 and 2
        await to._pool.refresh((1, 2))
        job, index = to._pool.take((1, 2))
        batch = rig.line.batch(1)
        # when the third is asked to sign with it, then it has none
        assert await propose(to, 3, batch, job, index) == "unknown_presignature"
        # and a promise of the third is no promise of the partner
        await propose(to, 1, batch, job, index)
        await to._pool.refresh((1, 3))
        other_job, other_index = to._pool.take((1, 3))
        promise = await propose(to, 3, batch, other_job, other_index)
        assert await release(to, 1, job, index, promise.tx_hash, promise.intent) == "bad_intent"


async def test_a_certificate_for_another_pair_promotes_nothing(with_liar):
    rig = with_liar("")
    async with coordinator(rig) as to:
        # given the three signatures over one batch, and another batch that waits for its own
        await to.presign((1, 2), 3)
        await to._pool.refresh((1, 2))
        jobs = {job for job, _ in to._pool._ready[(1, 2)]}
        waiting = secrets.token_bytes(16)
        operation = StartStock(waiting, (1, 3), 3, 20)
        signed = await asyncio.gather(*(to._remotes[party].call(operation, 30) for party in (1, 2, 3)))
        shown = await to._remotes[1].call(ShowCertificate(jobs.pop()), 5)
        # then those promote nothing but their own, nor do two of three
        two = (signed[0].signature, signed[1].signature, bytes(64))
        for signatures in (shown.signatures, two):
            with pytest.raises(SdtError) as refused:
                await to._remotes[1].call(Promote(waiting, signatures), 5)
            assert refused.value.code == "bad_certificate"
        assert waiting not in {job for job, _ in (await to._remotes[1].call(ListStock((1, 3)), 5)).batches}


async def test_one_location_alone_cannot_refuse_a_message(with_liar):
    rig = with_liar("refuse")
    async with coordinator(rig) as to:
        for _ in range(4):
            batch = rig.line.batch(1)
            outcome = await sign(to, batch)
            assert outcome.signature is not None
            rig.line.settled(batch)


async def test_one_location_cannot_refuse_a_message_while_the_third_is_behind(stocked, monkeypatch):
    # given a location that refuses what it should not, and a third that cannot say for a while
    for party, lie in ((1, ""), (LIAR, "refuse"), (3, "behind15")):
        stocked.start(party, lie=lie)
    try:
        async with coordinator(stocked) as to:
            before = sum(to._pool.level(pair) for pair in ((1, 2), (1, 3), (2, 3)))
            batch = stocked.line.batch(1)
            # then the batch waits for it, at the cost of no more than the two presignatures that were tried
            assert (await sign(to, batch)).pair == (1, 3)
            stocked.line.settled(batch)
            assert before - sum(to._pool.level(pair) for pair in ((1, 2), (1, 3), (2, 3))) <= 3
            # and where there is no third, one location's word counts
            stocked.signal(3, signal.SIGKILL)
            outcome = await sign(to, stocked.line.batch(1))
            assert outcome.signature is None and [each.code for each in outcome.refusals] == ["because"]
        # when the third cannot say for long, then no message of the batch ends
        stocked.start(3, lie="behind999")
        monkeypatch.setattr("sdt.signing.coordinator.BEHIND_WAIT_S", 1.0)
        async with coordinator(stocked) as to:
            with pytest.raises(SdtError) as waits:
                await sign(to, stocked.line.batch(1))
            assert waits.value.code == "registry_behind"
    finally:
        stocked.stop()


async def test_a_hostile_coordinator_cannot_make_one_presignature_serve_two_hashes(with_liar):
    rig = with_liar("")
    async with coordinator(rig) as to:
        # given a presignature whose members were each shown another batch
        await to._pool.refresh((1, 2))
        job, index = to._pool.take((1, 2))
        one, two = rig.line.batch(1), rig.line.batch(1)
        promise_1 = await propose(to, 1, one, job, index)
        promise_2 = await propose(to, 2, two, job, index)
        # when each is given the other's promise
        # then neither releases
        assert await release(to, 1, job, index, promise_1.tx_hash, promise_2.intent) == "bad_intent"
        assert await release(to, 2, job, index, promise_2.tx_hash, promise_1.intent) == "bad_intent"
        # and neither takes another hash, or the other's
        assert await propose(to, 1, two, job, index) == "presignature_bound"
        assert await release(to, 1, job, index, promise_2.tx_hash, promise_2.intent) == "presignature_bound"
        # while the same proposal again gives the same promise
        assert await propose(to, 1, one, job, index) == promise_1


async def test_a_released_part_is_given_again_and_nothing_else(with_liar):
    rig = with_liar("")
    async with coordinator(rig) as to:
        await to._pool.refresh((1, 3))
        job, index = to._pool.take((1, 3))
        batch = rig.line.batch(1)
        promises = {party: await propose(to, party, batch, job, index) for party in (1, 3)}
        part = await release(to, 1, job, index, promises[1].tx_hash, promises[3].intent)
        assert isinstance(part, bytes)
        assert await release(to, 1, job, index, promises[1].tx_hash, promises[3].intent) == part
        assert await propose(to, 1, rig.line.batch(1), job, index) == "presignature_bound"
        # and a field of the promise that was changed is no promise
        spoilt = promises[3].intent[:-1] + bytes([promises[3].intent[-1] ^ 1])
        assert await release(to, 1, job, index, promises[1].tx_hash, spoilt) == "bad_intent"


async def test_a_hostile_coordinator_cannot_drain_the_stock(with_liar):
    rig = with_liar("")
    async with coordinator(rig) as to:
        first = rig.line.batch(1)
        await sign(to, first)
        rig.line.settled(first)
        # given one batch proposed again and again with new presignatures
        await to._pool.refresh((2, 3))
        batch = rig.line.batch(1)
        codes = [await propose(to, 3, batch, *to._pool.take((2, 3))) for _ in range(5)]
        # then three are bound to its hash and no more
        assert codes[3:] == ["hash_exhausted"] * 2
        # and with other hashes for the same nonce, eight in all
        codes = [await propose(to, 3, rig.line.batch(1, gas=gas), *to._pool.take((2, 3))) for gas in range(20, 30)]
        assert [isinstance(code, str) for code in codes] == [False] * 5 + [True] * 5
        assert codes[-1] == "nonce_exhausted"


async def test_a_payment_does_not_replay_through_the_other_pair(with_liar):
    rig = with_liar("")
    async with coordinator(rig) as to:
        # given a batch that locations 1 and 2 signed and 3 never saw
        batch = rig.line.batch(1)
        await to._pool.refresh((1, 2))
        job, index = to._pool.take((1, 2))
        for party in (1, 2):
            await propose(to, party, batch, job, index)
        rig.line.settled(batch)
        # when the same payment is proposed to 2 and 3 in the next batch
        again = rig.line.batch(entries=batch.entries)
        await to._pool.refresh((2, 3))
        answer = await propose(to, 3, again, *to._pool.take((2, 3)))
        # then 3 fetches what stands behind the parent from a peer and refuses
        assert [(r.position, r.code) for r in answer.refusals] == [(0, "already_used")]
        # and with a parent that nobody can explain it signs nothing
        lost = Line()
        lost.number, lost.parent = rig.line.number, secrets.token_bytes(32)
        assert await propose(to, 3, lost.batch(1), *to._pool.take((2, 3))) == "unknown_parent"


@pytest.mark.parametrize("lie", ["withhold", "made_up", "answer"])
async def test_a_replay_fails_when_the_corrupt_partner_keeps_the_batch_to_itself(with_liar, lie):
    rig = with_liar(lie)
    async with coordinator(rig) as to:
        # given a batch of locations 1 and 2, of which 2 tells nobody, or lies
        batch = rig.line.batch(1)
        await to._pool.refresh((1, 3))
        await propose(to, 1, batch, *to._pool.take((1, 3)))
        rig.line.settled(batch)
        again = rig.line.batch(entries=batch.entries)
        # when the same payment is proposed to 3 while 1 is gone
        presignatures = [to._pool.take((1, 3)) for _ in range(2)]
        rig.signal(1, signal.SIGKILL)
        await until(lambda: to.status()[1] is None)
        assert await propose(to, 3, again, *presignatures[0]) == "unknown_parent"
        # and when it is back
        rig.start(1)
        await until(lambda: to.status()[1] is not None and to.status()[3] is not None)
        answer = await propose(to, 3, again, *presignatures[1])
        assert not isinstance(answer, str), answer
        # then 3 signs nothing before it knows, and then refuses
        assert [(r.position, r.code) for r in answer.refusals] == [(0, "already_used")]


async def propose(to, party, batch, job, index):
    """Propose to one location alone; return its answer, or the code of its refusal."""
    try:
        return await to._remotes[party].call(Propose(batch, job, index), 5)
    except SdtError as error:
        return error.code


async def release(to, party, job, index, tx_hash, intent):
    try:
        return (await to._remotes[party].call(Release(job, index, tx_hash, intent), 5)).part
    except SdtError as error:
        return error.code
