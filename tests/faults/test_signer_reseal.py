"""Going over to another seal: whole, and from any point at which it was killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import signing_rig
from sdt.domain.errors import SdtError
from sdt.signing import keyring, reseal, seal, stock
from sdt.signing.config import load_signer_config
from sdt.signing.store import Store

pytestmark = pytest.mark.slow

LOCATION = 1
REAL_MEMORY_BYTES = seal.MEMORY_BYTES
WORDS = b"the passphrase of location one\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Derive keys with little memory: the real cost is libsodium's affair."""
    monkeypatch.setattr(seal, "MEMORY_BYTES", 2**20)


@pytest.fixture
def rig(tmp_path):
    """Three locations with a key and stock, not started."""
    made = signing_rig.Rig(tmp_path / "home", stocked=True)
    yield made
    made.stop()


@pytest.fixture
def words(tmp_path):
    return write_words(tmp_path / "words", WORDS)


def write_words(path: Path, words: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(words)
    return path


def config_of(rig):
    return load_signer_config(rig.folder(LOCATION))


def secrets_of(rig):
    """Open everything that a location keeps; return its share and how many presignatures it has."""
    config = config_of(rig)
    sealer, store = config.sealer(), Store(config.home / "signer.db")
    try:
        stock.check_sealed(store.db, sealer)
        return (
            bytes(config.intent_key(sealer)),
            keyring.unsealed_share(store.db, sealer),
            stock.sealed_count(store.db),
        )
    finally:
        store.close()


def test_what_was_sealed_under_a_file_is_sealed_under_a_passphrase_and_back(rig, words):
    before = secrets_of(rig)
    old_key = (rig.folder(LOCATION) / "seal.key").read_bytes()
    assert reseal.reseal(config_of(rig), words) == before[2] + 2
    # then only the passphrase opens it
    assert config_of(rig).seal == "passphrase" and not (rig.folder(LOCATION) / "seal.key").exists()
    assert secrets_of(rig) == before
    words.write_bytes(b"another\n")
    with pytest.raises(seal.SealBroken):
        secrets_of(rig)
    words.write_bytes(WORDS)
    # and back, under a key that is not the first
    reseal.reseal(config_of(rig), None)
    assert secrets_of(rig) == before
    assert (rig.folder(LOCATION) / "seal.key").read_bytes() != old_key
    assert not (rig.folder(LOCATION) / "seal.salt").exists()


def steps_of(monkeypatch, stop_at):
    """Fail before the step of that number; return what counts the steps."""
    done = []

    def counted(function):

        def step(*arguments, **more):
            done.append(function.__name__)
            if len(done) == stop_at:
                raise KeyboardInterrupt(f"killed before {function.__name__}")
            return function(*arguments, **more)

        return step

    for owner, name in (
        (reseal, "write_secret"),
        (reseal, "_sync"),
        (keyring, "reseal"),
        (stock, "reseal"),
        (Store, "checkpoint"),
        (Path, "rename"),
        (Path, "replace"),
        (Path, "unlink"),
        (Path, "rmdir"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return done


@pytest.mark.parametrize("to_passphrase", [True, False])
def test_killed_before_any_step_and_run_again_it_goes_on(rig, words, monkeypatch, to_passphrase):
    target = words if to_passphrase else None
    before = secrets_of(rig)
    for stop_at in range(1, 100):
        # given a run that is killed before one of its steps
        folder = rig.folder(LOCATION)
        kept = folder.with_name("kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        with monkeypatch.context() as patch:
            steps_of(patch, stop_at)
            try:
                reseal.reseal(config_of(rig), target)
                ended = True
            except KeyboardInterrupt:
                ended = False
        # when it is run again, then everything opens, and nothing is left over
        if not ended:
            reseal.reseal(config_of(rig), target)
        assert secrets_of(rig) == before
        assert config_of(rig).seal == ("passphrase" if to_passphrase else "file")
        assert not list(folder.glob("reseal*")) and not (folder / "signer.toml.new").exists()
        if ended:
            assert stop_at > 10, "hardly a step was tried"
            return
        shutil.rmtree(folder)
        kept.rename(folder)
    raise AssertionError("it never ended")


def test_a_wrong_passphrase_on_the_second_run_throws_nothing_away(rig, words, monkeypatch):
    before = secrets_of(rig)
    with monkeypatch.context() as patch:
        patch.setattr(reseal, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            reseal.reseal(config_of(rig), words)
    wrong = write_words(words.with_name("wrong"), b"not it\n")
    with pytest.raises(seal.SealBroken):
        reseal.reseal(config_of(rig), wrong)
    with pytest.raises(seal.SealBroken):
        reseal.reseal(config_of(rig), None)
    reseal.reseal(config_of(rig), words)
    assert secrets_of(rig) == before


async def test_a_signer_with_a_passphrase_signs_and_is_not_resealed_while_it_runs(rig, words, monkeypatch):
    monkeypatch.setattr(seal, "MEMORY_BYTES", REAL_MEMORY_BYTES)
    reseal.reseal(config_of(rig), words)
    for party in (1, 2):
        rig.start(party)
    line = signing_rig.Line()
    async with signing_rig.coordinator(rig) as to:
        batch = line.batch()
        outcome = await to.sign(batch, signing_rig.tx_hash(batch))
        assert outcome.pair == (1, 2) and outcome.signature is not None
        with pytest.raises(SdtError) as refused:
            reseal.reseal(config_of(rig), None)
        assert refused.value.code == "signer_running"
