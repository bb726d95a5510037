"""A share and the seed of the signing key are gone from where they were unsealed, as soon as they were used."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from sdt.cli.app import app
from sdt.signing import backup, jobs, joint, keyring, reshare
from sdt.signing.config import load_signer_config
from sdt.signing.curve import multiply_base
from sdt.signing.job_wire import JobSpec, spec_decoder
from sdt.signing.jobs import JobThrownAway
from sdt.signing.keyring import ChainKey
from sdt.signing.provision import Address, provision
from sdt.signing.seal import BoxSealer
from sdt.signing.store import Store
from sdt.signing.wire import StartStock

SECRETS = [1000 + 7 * party for party in (1, 2, 3)]
SHARE = SECRETS[0].to_bytes(32, "big")
JOB = b"j" * 16


@pytest.fixture
def unsealed(monkeypatch):
    """Every buffer that was unsealed, beside what it held at first."""
    seen, honest = [], BoxSealer.unseal

    def unseal(self, label, sealed):
        secret = honest(self, label, sealed)
        seen.append((secret, bytes(secret)))
        return secret

    monkeypatch.setattr(BoxSealer, "unseal", unseal)
    return seen


@pytest.fixture
def config(tmp_path):
    provision(
        tmp_path,
        [Address("127.0.0.1", 7000 + party, 7100 + party) for party in (1, 2, 3)],
        network="test",
        chain_urls=["http://127.0.0.1:1"],
        region_file=tmp_path / "region.toml",
        deployment_file=tmp_path / "deployment.json",
        now=datetime.now(UTC),
    )
    return load_signer_config(tmp_path / "signer-1")


@pytest.fixture
def store(config):
    """Location 1's database, with a share in force."""
    made = Store(config.home / "signer.db")
    one, two, three = map(multiply_base, SECRETS)
    key = ChainKey(1, JOB, multiply_base(1000), (one, two, three))
    with made.write() as db:
        keyring.keep_pending(db, config.sealer(), key, 1, SHARE)
        keyring.activate(db, JOB, bytes(192))
    yield made
    made.close()


def all_wiped(unsealed, *secrets):
    assert [held for _, held in unsealed] == list(secrets)
    return not any(any(buffer) for buffer, _ in unsealed)


def test_the_seed_of_the_signing_key_is_wiped(config, unsealed):
    key = config.intent_key(config.sealer())
    assert all_wiped(unsealed, bytes(key))


async def test_a_joint_job_is_given_the_share_and_nothing_of_it_stays(config, store, unsealed, monkeypatch):
    frames = []

    class Pipe:
        def write(self, frame):
            frames.append((frame, bytes(frame)))

        async def drain(self):
            """Nothing to wait for."""

    async def run_job(spec):
        await jobs._tell(Pipe(), spec)
        raise JobThrownAway("It fails.")

    async def prove_all():
        return {}

    monkeypatch.setattr(joint, "run_job", run_job)
    intent_key = config.intent_key(config.sealer())
    unsealed.clear()
    made = joint.JointJobs(config, store, config.sealer(), intent_key, time.time, SimpleNamespace(prove_all=prove_all))
    with pytest.raises(JobThrownAway):
        await made.start_stock(StartStock(b"s" * 16, (1, 2), 3, 5.0))
    [(frame, told)] = frames
    assert int.from_bytes(told[:4], "big") == len(told) - 4
    spec = spec_decoder.decode(told[4:])
    assert isinstance(spec, JobSpec) and spec.secret == SHARE
    assert all_wiped(unsealed, SHARE) and not any(frame)


async def test_a_dealer_wipes_its_share(config, store, unsealed):
    part = reshare.Resharing(config, store, config.sealer(), config.intent_key(config.sealer()), {})
    unsealed.clear()
    session = reshare._Session(b"r" * 16, keyring.demand_key(store.db), 3, 5, b"")
    await part._give(session)
    assert session.values[1] == (2 * SECRETS[0] + 5).to_bytes(32, "big")  # its weight beside the second is two
    assert all_wiped(unsealed, SHARE)


def test_a_backup_wipes_its_share(config, store, unsealed, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "MEMORY_BYTES", 2**20)
    words = tmp_path / "words"
    words.touch(mode=0o600)
    words.write_text("correct horse battery staple")
    file = tmp_path / "share.json"
    arguments = ["keys", "export-backup", "1", str(file), "--home", str(tmp_path), "--passphrase-file", str(words)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert backup.read(file, words.read_text()).secret == SECRETS[0]
    assert all_wiped(unsealed, SHARE)
