"""Going over to another seal: whole, and from any point at which it was killed."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from nacl.secret import SecretBox

import signing_rig
from sdt.domain.errors import SdtError
from sdt.signing import keyring, reseal, seal, stock
from sdt.signing.config import load_signer_config
from sdt.signing.relocate import relocate
from sdt.signing.reseal import Target
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


@pytest.fixture
def service(tmp_path):
    """A key service's tool: it opens the file beside the signer's with a key that the signer does not have."""
    master, sealed = bytes(SecretBox.KEY_SIZE), tmp_path / "home" / f"signer-{LOCATION}" / "seal.kms"
    sealed.parent.mkdir(parents=True, exist_ok=True)
    sealed.write_bytes(SecretBox(master).encrypt(os.urandom(32)))
    tool = tmp_path / "tool.py"
    tool.write_text(
        "import base64, pathlib, sys\n"
        "from nacl.secret import SecretBox\n"
        "key = SecretBox(bytes(32)).decrypt(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print('PLAINTEXT:', base64.b64encode(key).decode())\n"
    )
    return (sys.executable, str(tool), "seal.kms")


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
            bytes(keyring.unsealed_share(store.db, sealer)),
            stock.sealed_count(store.db),
        )
    finally:
        store.close()


def test_what_was_sealed_under_a_file_is_sealed_under_a_passphrase_and_back(rig, words):
    before = secrets_of(rig)
    old_key = (rig.folder(LOCATION) / "seal.key").read_bytes()
    assert reseal.reseal(config_of(rig), Target(words)) == before[2] + 2
    # then only the passphrase opens it
    assert config_of(rig).seal == "passphrase" and not (rig.folder(LOCATION) / "seal.key").exists()
    assert secrets_of(rig) == before
    words.write_bytes(b"another\n")
    with pytest.raises(seal.SealBroken):
        secrets_of(rig)
    words.write_bytes(WORDS)
    # and back, under a key that is not the first
    reseal.reseal(config_of(rig), Target())
    assert secrets_of(rig) == before
    assert (rig.folder(LOCATION) / "seal.key").read_bytes() != old_key
    assert not (rig.folder(LOCATION) / "seal.salt").exists()


@pytest.mark.parametrize(
    "program", ["raise SystemExit(3)", "print('nothing')", "print('AAAA')", "", "import time; time.sleep(60)"]
)
def test_a_command_that_gives_no_key_is_refused_and_what_it_prints_is_not_shown(rig, monkeypatch, program):
    monkeypatch.setattr(seal, "COMMAND_TIMEOUT_S", 2.0)
    before = secrets_of(rig)
    secret = "c2VjcmV0IHdvcmRzIG9uIHN0ZGVycg"
    program = f"import sys; print('{secret}', file=sys.stderr)\n" + program
    with pytest.raises(seal.SealBroken) as refused:
        reseal.reseal(config_of(rig), Target(command=(sys.executable, "-c", program)))
    assert secret not in str(refused.value)
    with pytest.raises(seal.SealBroken):
        reseal.reseal(config_of(rig), Target(command=("/no/such/tool",)))
    assert secrets_of(rig) == before


async def test_a_signer_with_a_key_services_key_signs_through_a_new_provision(rig, service):
    reseal.reseal(config_of(rig), Target(command=service))
    assert not (rig.folder(LOCATION) / "seal.key").exists()
    again = signing_rig.Rig(rig.home)  # its ports are written anew, what it says of the seal is kept
    try:
        for party in (1, 2):
            again.start(party)
        batch = signing_rig.Line().batch()
        async with signing_rig.coordinator(again) as to:
            assert (await to.sign(batch, signing_rig.tx_hash(batch))).pair == (1, 2)
    finally:
        again.stop()


@pytest.mark.parametrize("kind", ["passphrase", "command"])
def test_a_place_whose_secrets_were_sealed_otherwise_is_given_a_folder_that_opens(rig, words, service, kind):
    reseal.reseal(config_of(rig), Target(words) if kind == "passphrase" else Target(command=service))
    before = tomllib.loads((rig.folder(LOCATION) / "signer.toml").read_text())
    retired = relocate(rig.home, LOCATION)
    # then the fresh folder says what it is sealed under, and the old one still does
    fresh = config_of(rig)
    assert (fresh.seal, load_signer_config(retired).seal) == ("file", kind)
    assert fresh.intent_key(fresh.sealer()).verify_key == fresh.intent_keys()[LOCATION]
    # and all else is as its operator had it
    after = tomllib.loads((rig.folder(LOCATION) / "signer.toml").read_text())
    of_seal = {"seal", "passphrase_file", "seal_command", "location"}
    assert {name: after[name] for name in after.keys() - of_seal} == {
        name: before[name] for name in before.keys() - of_seal
    }


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


@pytest.mark.parametrize("kind", ["file", "passphrase", "command"])
def test_killed_before_any_step_and_run_again_it_goes_on(rig, words, service, monkeypatch, kind):
    target_of = {"file": Target(), "passphrase": Target(words), "command": Target(command=service)}
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
                reseal.reseal(config_of(rig), target_of[kind])
                ended = True
            except KeyboardInterrupt:
                ended = False
        # when it is run again, then everything opens, and nothing is left over
        if not ended:
            reseal.reseal(config_of(rig), target_of[kind])
        assert secrets_of(rig) == before
        assert config_of(rig).seal == kind
        assert not list(folder.glob("reseal*")) and not (folder / "signer.toml.new").exists()
        if ended:
            assert stop_at > 8, "hardly a step was tried"
            return
        shutil.rmtree(folder)
        kept.rename(folder)
    raise AssertionError("it never ended")


def test_a_wrong_passphrase_on_the_second_run_throws_nothing_away(rig, words, monkeypatch):
    before = secrets_of(rig)
    with monkeypatch.context() as patch:
        patch.setattr(reseal, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            reseal.reseal(config_of(rig), Target(words))
    wrong = write_words(words.with_name("wrong"), b"not it\n")
    with pytest.raises(seal.SealBroken):
        reseal.reseal(config_of(rig), Target(wrong))
    with pytest.raises(seal.SealBroken):
        reseal.reseal(config_of(rig), Target())
    reseal.reseal(config_of(rig), Target(words))
    assert secrets_of(rig) == before


async def test_a_signer_with_a_passphrase_signs_and_is_not_resealed_while_it_runs(rig, words, monkeypatch):
    monkeypatch.setattr(seal, "MEMORY_BYTES", REAL_MEMORY_BYTES)
    reseal.reseal(config_of(rig), Target(words))
    for party in (1, 2):
        rig.start(party)
    line = signing_rig.Line()
    async with signing_rig.coordinator(rig) as to:
        batch = line.batch()
        outcome = await to.sign(batch, signing_rig.tx_hash(batch))
        assert outcome.pair == (1, 2) and outcome.signature is not None
        with pytest.raises(SdtError) as refused:
            reseal.reseal(config_of(rig), Target())
        assert refused.value.code == "signer_running"
