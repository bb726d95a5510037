"""Hundreds of signatures through kill -9 of each signer in turn; `make endurance` does thousands, and an hour."""

from __future__ import annotations

import pytest

import endurance
from signing_rig import Rig

pytestmark = pytest.mark.slow

SIGNATURES = 600
KILLS = 6


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path, stocked=True)


async def test_signatures_verify_and_no_nonce_comes_twice_across_kills_of_each_signer(rig):
    # given three signers, each killed twice in turn while batches are signed
    seen = await endurance.run(rig, SIGNATURES, KILLS, minutes=0)
    # then libsecp256k1 took every signature (checked as they came), and every r is another
    assert seen.signatures == len(seen.nonces) >= SIGNATURES
    assert seen.kills == KILLS
