"""Promises under attack by a partner that signs with its real key: every field counts, and nothing bad leaves."""

from __future__ import annotations

import secrets
from dataclasses import fields, replace

import pytest

import bare_signer
from sdt.domain.errors import SdtError
from sdt.signing.config import load_signer_config
from sdt.signing.transcript import Intent
from sdt.signing.transcript import sign as sign_statement
from sdt.signing.wire import Propose, Release
from signing_rig import NETWORK, Line, Rig, coordinator, sign, tx_hash, with_stock

pytestmark = pytest.mark.slow

LIAR = 2
SIGNATURES = 1_000
BETWEEN_RESTARTS = 40

CHANGED = {
    "network": "production",
    "chain_id": 1,
    "public": secrets.token_bytes(64),
    "epoch": 2,
    "number": 2,
    "job": secrets.token_bytes(16),
    "index": 10_000,
    "point": secrets.token_bytes(64),
    "pair": (2, 3),
    "tx_hash": secrets.token_bytes(32),
    "nonce": 7,
}


@pytest.fixture
def rig(tmp_path):
    """Three locations with a key and stock, not started."""
    rig = Rig(tmp_path, stocked=True)
    yield rig
    rig.stop()


async def test_a_promise_that_differs_in_any_one_field_releases_nothing(rig):
    # given an honest location 1 that bound a presignature, and location 2's own signing key in hostile hands
    config = load_signer_config(rig.folder(LIAR))
    key = config.intent_key(config.sealer())
    for party in (1, 2, 3):
        rig.start(party)
    async with coordinator(rig) as to:
        await to.keygen()
        await to._pool.refresh((1, LIAR))
        job, index = to._pool.take((1, LIAR))
        batch = Line().batch(1)
        proposed = await to._remotes[1].call(Propose(batch, job, index), 5)
        honest = Intent(
            network=NETWORK,
            chain_id=bare_signer.CHAIN_ID,
            public=to.public_key(),
            epoch=proposed.epoch,
            number=batch.number,
            job=job,
            index=index,
            point=proposed.row.point,
            pair=(1, LIAR),
            tx_hash=tx_hash(batch),
            nonce=batch.nonce,
        )
        # when it promises something that differs in one field
        assert CHANGED.keys() == {field.name for field in fields(Intent)}
        refusals = {}
        for name, value in CHANGED.items():
            forged = replace(honest, **{name: value})
            assert forged != honest
            refusals[name] = await _released(to, job, index, honest, sign_statement(key, forged.digest()))
        # then each is refused
        assert refusals == dict.fromkeys(CHANGED, "bad_intent")
        # while the very promise releases
        part = await _released(to, job, index, honest, sign_statement(key, honest.digest()))
        assert isinstance(part, bytes)


async def test_of_a_thousand_signatures_with_a_liar_none_is_bad(rig):
    # given a location that gives wrong parts, and coordinators that forget who lied
    line = Line()
    for party in (1, 2, 3):
        rig.start(party, lie="part" if party == LIAR else "")
    async with coordinator(rig) as to:
        await with_stock(to, SIGNATURES, [(1, 3)])
    named, seen = 0, set()
    while len(seen) < SIGNATURES:
        async with coordinator(rig) as to:
            # (the pair with the liar is tried first after each restart)
            to._last_pair = (1, LIAR)
            for _ in range(BETWEEN_RESTARTS):
                batch = line.batch(1)
                # when a signature is wanted, then it verifies, whoever lied on the way
                outcome = await sign(to, batch)
                assert outcome.signature is not None
                assert set(outcome.culprits) <= {LIAR}
                seen.add(outcome.signature.r)
                line.settled(batch)
            named += list(to.culprits()) == [LIAR]
    # and the liar was named again and again, and no r came twice
    assert named >= 10
    assert len(seen) == SIGNATURES


async def _released(to, job, index, honest, promise):
    """Ask location 1 for its part on this promise; return it, or the code of the refusal."""
    try:
        return (await to._remotes[1].call(Release(job, index, honest.tx_hash, promise), 5)).part
    except SdtError as error:
        return error.code
