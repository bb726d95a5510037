"""Locations that demand attestation of each other: who is let in, who is refused, and where nothing is demanded."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from enclave_rig import IMAGE, OTHER_IMAGE, Nitro
from sdt.domain.errors import SdtError
from sdt.signing.attestation import verify_attestation
from sdt.signing.attested import LocationStatement
from sdt.signing.relocate import relocate
from signing_rig import NETWORK, Line, Rig, coordinator, sign, until

pytestmark = pytest.mark.slow
NONCE = bytes(range(32))


def policy_text(nitro: Nitro, *images: dict[int, bytes]) -> str:
    text = f'root_sha256 = "{nitro.root_sha256.hex()}"\n'
    for image in images:
        text += '[[image]]\nname = "x"\n' + "".join(f'pcr{n} = "{value.hex()}"\n' for n, value in image.items())
    return text


async def refusal(ask) -> SdtError:
    """Return what a ceremony is refused with; a location that is late on a busy machine is asked again."""
    for _ in range(10):
        with pytest.raises(SdtError) as caught:
            await ask()
        if caught.value.code != "location_unreachable":
            break
        await asyncio.sleep(0.5)
    return caught.value


@pytest.fixture(scope="module")
def nitro() -> Nitro:
    return Nitro()


@pytest.fixture
def rig(tmp_path: Path, nitro: Nitro):
    made = Rig(tmp_path)
    nitro.write(tmp_path / "nitro")
    made.nitro = tmp_path / "nitro"
    yield made
    made.stop()


def demand(rig: Rig, nitro: Nitro, party: int, *images: dict[int, bytes]) -> None:
    (rig.folder(party) / "attestation.toml").write_text(policy_text(nitro, *(images or (IMAGE,))))
    rig.settings(party, 'attestation = "attestation.toml"\n')


async def test_three_attested_locations_make_a_key_and_sign_and_a_client_checks_all_three(rig, nitro):
    for party in (1, 2, 3):
        demand(rig, nitro, party, IMAGE, OTHER_IMAGE)
        rig.start(party, image="OTHER_IMAGE" if party == 2 else "IMAGE")  # in the middle of an upgrade
    async with coordinator(rig) as to:
        await to.keygen()
        await to.presign((1, 2), 3)
        line = Line()
        batch = line.batch()
        assert (await sign(to, batch)).signature is not None
        await until(lambda: all(s and len(s.peers_attested) == 2 for s in to.status().values()))
        assert all(status.attests and status.demands_attestation for status in to.status().values())
        documents = await to.attestations(NONCE)
        address = to.address()
    for party, raw in documents.items():
        assert isinstance(raw, bytes)
        document = verify_attestation(raw, nitro.policy(IMAGE, OTHER_IMAGE), NONCE, int(time.time() * 1000))
        said = LocationStatement.of(document)
        assert (said.network, said.party, said.chain_key) == (NETWORK, party, address)
        assert said.intent_key == (rig.folder(party) / "intent.pub").read_text()


@pytest.mark.parametrize(("image", "check"), [("", "missing"), ("OTHER_IMAGE", "image"), ("DEBUG_IMAGE", "debug")])
async def test_a_peer_that_does_not_prove_the_right_image_takes_part_in_no_joint_job(rig, nitro, image, check):
    # given two locations that demand an image, and a third that runs something else or proves nothing
    for party in (1, 2):
        demand(rig, nitro, party)
    for party in (1, 2):
        rig.start(party, image="IMAGE")
    rig.start(3, image=image)
    async with coordinator(rig, wait=False) as to:
        await until(lambda: all(to.status().values()))
        # then no key comes about, and both say why
        refused = await refusal(to.keygen)
        assert (refused.code, refused.facts["check"], refused.facts["party"]) == ("peer_not_attested", check, "3")
        # and the two find each other good, the third not
        await until(lambda: to.status()[1].peers_attested == (2,) and to.status()[2].peers_attested == (1,))
        assert "location 1" not in (rig.folder(2) / "log").read_text()


async def test_a_location_that_stops_proving_is_in_no_joint_job_any_more(rig, nitro):
    for party in (1, 2, 3):
        demand(rig, nitro, party)
        rig.start(party, image="IMAGE")
    async with coordinator(rig) as to:
        await to.keygen()
        # when location 3 comes back with another image
        rig.signal(3, 9)
        rig.start(3, image="OTHER_IMAGE")
        await until(lambda: to.status()[3] is None)
        await until(lambda: to.status()[3] is not None)
        # then no stock is made with it, and the others know it no more
        refused = await refusal(lambda: to.presign((1, 3), 2))
        assert (refused.code, refused.facts["check"]) == ("peer_not_attested", "image")
        await until(lambda: to.status()[1].peers_attested == (2,))


async def test_a_fresh_location_in_a_lost_ones_place_starts_and_attests_itself(rig, nitro):
    # Given three locations that demand attestation by a file in each folder, and one that is lost
    for party in (1, 2, 3):
        demand(rig, nitro, party)
    (rig.folder(3) / "signer.db").touch()
    # When a fresh folder stands in its place, without the old one
    shutil.rmtree(relocate(rig.home, 3))
    for party in (1, 2, 3):
        rig.start(party, image="IMAGE")
    async with coordinator(rig, wait=False) as to:
        # Then all three find each other good, under one agreement
        await until(lambda: all(s and len(s.peers_attested) == 2 for s in to.status().values()))
        assert all(status.demands_attestation for status in to.status().values())


async def test_a_location_that_was_given_another_policy_is_found_out(rig, nitro):
    # given the right image everywhere, and a policy with one image more at location 3
    for party in (1, 2, 3):
        demand(rig, nitro, party, *((IMAGE, OTHER_IMAGE) if party == 3 else (IMAGE,)))
        rig.start(party, image="IMAGE")
    async with coordinator(rig, wait=False) as to:
        await until(lambda: all(to.status().values()))
        refused = await refusal(to.keygen)
        assert (refused.code, refused.facts["check"]) == ("peer_not_attested", "agreement")


async def test_where_nothing_is_demanded_nothing_changes_and_the_status_says_so(rig):
    for party in (1, 2, 3):
        rig.start(party)
    async with coordinator(rig) as to:
        for status in to.status().values():
            assert not status.attests and not status.demands_attestation and status.peers_attested == ()
        assert await to.attestations(NONCE) == {1: None, 2: None, 3: None}


async def test_an_enclave_that_vouches_for_another_key_or_another_location_is_refused(rig, nitro):
    # given location 2's module, which a man in the middle of its TLS asks: the document names another key
    for party in (1, 2, 3):
        demand(rig, nitro, party)
        rig.start(party, image="IMAGE")
    async with coordinator(rig, wait=False) as to:
        await until(lambda: all(to.status().values()) and to.status()[1].peers_attested == (2, 3))
        # when location 2's file names another certificate than the one it speaks with
        (rig.folder(2) / "tls.pem").write_bytes((rig.folder(3) / "tls.pem").read_bytes())
        assert (await refusal(to.keygen)).facts["check"] == "tls_key"
