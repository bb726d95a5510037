"""Refreshing the shares and replacing a location, over real signer processes."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sqlite3
import time

import pytest
from msgspec.structs import replace
from nacl.signing import SigningKey

from sdt.domain.errors import SdtError
from sdt.signing import keyring, sharing
from sdt.signing.config import load_signer_config
from sdt.signing.curve import ORDER, multiply_base
from sdt.signing.relocate import relocate
from sdt.signing.transcript import sign as sign_statement
from sdt.signing.wire import KeyCertificate, ShowKey
from sdt.signing.wire_lifecycle import ReshareStage, ShowStaged, StagedKey, StagedKeys
from sdt.signing.witness import Ceremony, Person, canonical, check_transcript, plan_of, write_transcript
from signing_rig import Line, Rig, coordinator, sign, until

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path, stocked=True)
    for party in (1, 2, 3):
        made.start(party)
    yield made
    made.stop()


async def quiet(_: str) -> None:
    """Say nothing."""


def share_of(rig, party) -> bytes:
    """Open a location's share as only its own folder can."""
    config = load_signer_config(rig.folder(party))
    with sqlite3.connect(rig.folder(party) / "signer.db") as db:
        return bytes(keyring.unsealed_share(db, config.sealer()))


def sealed_of(rig, party) -> bytes:
    with sqlite3.connect(rig.folder(party) / "signer.db") as db:
        return bytes(db.execute("SELECT sealed FROM key_share WHERE state = 'active'").fetchone()[0])


def joined(low: int, low_share: bytes, high: int, high_share: bytes) -> bytes:
    """Return the point of what two shares give together."""
    secret = sharing.weight(low, high) * int.from_bytes(low_share, "big")
    secret += sharing.weight(high, low) * int.from_bytes(high_share, "big")
    return multiply_base(secret % ORDER)


def bytes_on_disk(rig, party) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(rig.folder(party).glob("signer.db*")))


async def test_a_refresh_keeps_the_key_and_makes_every_old_share_useless(rig):
    async with coordinator(rig) as to:
        await to.keygen()
        # given shares and presignatures of an epoch
        address, before = to.address(), {party: share_of(rig, party) for party in (1, 2, 3)}
        sealed = {party: sealed_of(rig, party) for party in (1, 2, 3)}
        stocked = {
            party: [row[0] for row in _rows(rig, party, "SELECT sealed FROM presignature WHERE sealed IS NOT NULL")]
            for party in (1, 2, 3)
        }
        assert all(stocked.values())
        # when they are refreshed
        steps: list[str] = []

        async def note(step: str) -> None:
            steps.append(step)

        outcome = await to.reshare(0, note)
        # then the key is the same one, the epoch is the next, and nothing is left of the stock
        assert steps == ["committed", "echoed", "opened", "dealt", "staged", "in force"]
        assert outcome.epoch == 2 and to.address() == address
        assert {status.epoch for status in to.status().values()} == {2}
        assert all(sum(status.stock) == 0 for status in to.status().values())
        # and an old share goes with no new one, while two new ones go together
        after = {party: share_of(rig, party) for party in (1, 2, 3)}
        public = to.public_key()
        assert joined(1, before[1], 2, before[2]) == public == joined(1, after[1], 3, after[3])
        assert joined(1, before[1], 2, after[2]) != public
        assert joined(2, after[2], 3, before[3]) != public
        # and the erased bytes are on no disk, neither in the database nor in its log
        for party in (1, 2, 3):
            disk = bytes_on_disk(rig, party)
            assert sealed_of(rig, party) in disk
            assert sealed[party] not in disk
            assert not any(each in disk for each in stocked[party])
        # and signing goes on with new presignatures
        await to.presign((2, 3), 5)
        assert (await sign(to, Line().batch(1))).pair == (2, 3)


async def test_a_lost_location_is_replaced_by_the_two_that_are_left(rig):
    async with coordinator(rig) as to:
        await to.keygen()
        address, public = to.address(), to.public_key()
        survivors = {party: share_of(rig, party) for party in (1, 2)}
        lost = share_of(rig, 3)
    # given a location that is lost for good, and a fresh folder with new keys and certificates in its place
    for party in (1, 2, 3):
        rig.signal(party, signal.SIGKILL)
    relocate(rig.home, 3)
    for party in (1, 2, 3):
        rig.start(party)
    async with coordinator(rig) as to:
        await to.keygen()
        # when the survivors make a share for it
        outcome = await to.reshare(3, quiet)
        # then the key is the same one, and the new location signs
        assert (outcome.epoch, to.address()) == (2, address)
        await to.presign((1, 3), 5)
        assert (await sign(to, Line().batch(1))).pair == (1, 3)
    # and the lost share goes with no share of the new epoch
    new = {party: share_of(rig, party) for party in (1, 2, 3)}
    assert joined(1, new[1], 3, new[3]) == public
    for party in (1, 2):
        assert joined(party, new[party], 3, lost) != public
        assert joined(party, survivors[party], 3, new[3]) != public


async def test_only_a_fresh_location_takes_a_place_and_only_after_the_epoch_in_force(rig):
    async with coordinator(rig) as to:
        await to.keygen()
        with pytest.raises(SdtError) as refused:
            await to.reshare(3, quiet)
        assert refused.value.code == "key_exists"
        # and the locations go on as they were
        assert (await sign(to, Line().batch(1))).signature is not None
        await until(lambda: {status.epoch for status in to.status().values()} == {1})


def _rows(rig, party, query):
    with sqlite3.connect(rig.folder(party) / "signer.db") as db:
        return db.execute(query).fetchall()


@pytest.mark.parametrize("lie", ["deal", "deal_zero", "deal_point"])
async def test_a_dealer_that_deals_off_its_line_is_named_and_nothing_changes(rig, lie):
    # given a location that gives the others another value than it committed to, or what has no point
    rig.signal(2, signal.SIGTERM)
    rig.start(2, lie=lie)
    async with coordinator(rig) as to:
        await to.keygen()
        with pytest.raises(SdtError) as refused:
            await to.reshare(0, quiet)
        assert (refused.value.code, refused.value.facts["party"]) == ("deal_failed", "2")
        await to._ceremonies._resharing.settle()
        assert {key.epoch for key in (await to._ceremonies._resharing._show_keys()).values()} == {1}


LIAR = 3


@contextlib.contextmanager
def lying(to, lies):
    """Put other answers in the place of the third location's; `lies` is given the operation and the true answer."""
    remote = to._remotes[LIAR]
    honest = remote.call

    async def call(operation, timeout_s):
        try:
            answer = await honest(operation, timeout_s)
        except SdtError as error:
            answer = error
        answer = lies(operation, answer)
        if isinstance(answer, SdtError):
            raise answer
        return answer

    remote.call = call
    try:
        yield
    finally:
        del remote.call


def staged_as(rig, statement):
    """Return a staged share that the liar signed, over whatever it likes."""
    config = load_signer_config(rig.folder(LIAR))
    signature = sign_statement(config.intent_key(config.sealer()), statement.digest())
    return StagedKey(statement.job, statement.epoch, statement.public, statement.shares, signature)


async def test_a_location_that_shows_what_is_not_so_is_named_and_nothing_is_asked_of_the_others(rig):
    async with coordinator(rig) as to:
        await to.keygen()
        key = await to.key_in_force()
        coming = dataclasses.replace(key, epoch=2, job=b"j" * 16)
        with_points = dataclasses.replace(coming, shares=(key.shares[1], key.shares[0], key.shares[2]))
        unsigned = replace(staged_as(rig, coming), signature=bytes(64))
        for asked, tell in (
            # an epoch far ahead, one without points and signatures, a key of nobody's
            (ShowKey, lambda shown: replace(shown, epoch=2**40)),
            (ShowKey, lambda shown: KeyCertificate(b"j" * 16, 2)),
            (ShowKey, lambda shown: replace(shown, public=multiply_base(7))),
            # a staged share that it did not sign, and more of them than a location keeps
            (ShowStaged, lambda shown: StagedKeys((unsigned,))),
            (ShowStaged, lambda shown: StagedKeys((staged_as(rig, coming), staged_as(rig, with_points)))),
            # a share of the next epoch over other points than the others made
            (ReshareStage, lambda shown: replace(shown, points=with_points.shares)),
        ):
            with lying(to, lambda op, true, asked=asked, tell=tell: tell(true) if isinstance(op, asked) else true):
                with pytest.raises(SdtError) as refused:
                    await to.reshare(0, quiet)
                assert (refused.value.code, refused.value.facts["party"]) == ("bad_certificate", LIAR)
        await to.keygen()  # all three had staged: with nobody lying it is put in force
        assert (await to.key_in_force()).epoch == 2
        # when it shows the key in force as one that waits, or says that it has no key, it holds up nothing
        for asked, answer in (
            (ShowStaged, StagedKeys((staged_as(rig, await to.key_in_force()),))),
            (ShowKey, KeyCertificate(b"", 2**40)),
        ):
            with lying(to, lambda op, true, asked=asked, answer=answer: answer if isinstance(op, asked) else true):
                epoch = (await to.key_in_force()).epoch
                assert (await to.reshare(0, quiet)).epoch == epoch + 1
        assert to.address() == "0x" + keyring.address_of(key.public).hex()


async def test_a_second_location_is_replaced_after_a_first(rig):
    """The certificate in force then carries the signature of one location that is in place and of one that is lost."""
    for epoch, lost in ((2, 2), (3, 3)):
        for party in (1, 2, 3):
            rig.signal(party, signal.SIGKILL)
        relocate(rig.home, lost)
        for party in (1, 2, 3):
            rig.start(party)
        async with coordinator(rig) as to:
            await to.keygen()
            assert (await to.key_in_force()).epoch == epoch - 1
            assert (await to.reshare(lost, quiet)).epoch == epoch


async def test_a_location_signs_only_a_ceremony_that_it_knows_to_be_so(rig, tmp_path):
    async with coordinator(rig) as to:
        await to.keygen()
        key, began_s, mine = await to.key_in_force(), int(time.time()), SigningKey.generate()
        plan = plan_of("refresh", key.network, 0, began_s)
        person = Person("ann", bytes(mine.verify_key).hex(), sign_statement(mine, plan).hex())
        true = Ceremony(
            "refresh",
            key.network,
            key.epoch,
            key.job.hex(),
            key.public.hex(),
            tuple(point.hex() for point in key.shares),
            0,
            (person,),
            ("in force",),
            began_s,
            began_s,
            plan.hex(),
        )
        # given a true statement, all sign, and the file can be checked by anybody; a changed one cannot
        path = write_transcript(tmp_path / "t", canonical(true), await to.witness(canonical(true)))
        assert check_transcript(path, to.intent_keys()) == true
        path.write_text(path.read_text().replace("in force", "in farce"))
        with pytest.raises(SdtError):
            check_transcript(path, to.intent_keys())
        # and what is not so is signed by nobody
        for false, code in (
            (replace(true, epoch=9), "not_so"),
            (replace(true, public="00"), "not_so"),
            (replace(true, ended_s=began_s + 9999), "not_so"),
            (replace(true, people=(person, person)), "same_person"),
            (replace(true, people=(replace(person, confirmed="00" * 64),)), "not_confirmed"),
            (replace(true, kind="replace"), "bad_statement"),
        ):
            with pytest.raises(SdtError) as refused:
                await to.witness(canonical(false))
            assert refused.value.code == code
