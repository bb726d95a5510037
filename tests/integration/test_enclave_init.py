"""A location in an enclave: its keys are made there, kept outside sealed, and come back without a presignature."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import sys

import pytest
from typer.testing import CliRunner

import vsock
from enclave_rig import IMAGE, OTHER_IMAGE, Nitro, StandInModule
from kms_rig import KEY_ID, FakeKms
from sdt.cli.app import app as cli
from sdt.domain.errors import SdtError
from sdt.signing.config import load_signer_config
from sdt.signing.enclave import init
from sdt.signing.enclave.folder import unpack
from sdt.signing.enclave.init import Enclave, NotEnclosed
from sdt.signing.enclave.keeper import Disk, Keeper
from sdt.signing.enclave.kms import PURPOSE
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.provision import FORMER_KEY_FILE, write_locations
from sdt.signing.seal import SealBroken
from sdt.signing.sockets import Endpoint
from signing_rig import BARE, Line, Rig, coordinator, sign, until

pytestmark = pytest.mark.slow


class Host:
    """The machine around one enclave: its keeper, and what an operator does there."""

    def __init__(self, tmp_path, folder) -> None:
        self.nitro = Nitro()
        self.rig = Rig(tmp_path / "rig")
        self.nitro.write(tmp_path / "nitro")
        self.rig.nitro = tmp_path / "nitro"
        self.kms = FakeKms(tmp_path, self.nitro)
        self.home = folder / "enclave-home"
        self.disk_folder = tmp_path / "disk"
        self.given = self.disk_folder / "given"
        self.given.mkdir(parents=True)
        (tmp_path / "nsm").touch()
        self.device = tmp_path / "nsm"
        (self.given / "party").write_text("1\n")
        (self.given / "kms.toml").write_text(self.kms.settings())
        (self.given / "seal.kms").write_bytes(self.kms.new_data_key(PURPOSE))
        listen, call = vsock.host(folder, "parent")
        port = vsock.free_port()
        self.keeper = Keeper(self.disk_folder, Endpoint.of(listen, port))
        self.disk = Disk(Endpoint.of(call, port))

    def enclave(self, image=IMAGE) -> Enclave:
        """A fresh enclave: nothing of the one before is in it."""
        shutil.rmtree(self.home, ignore_errors=True)
        module = StandInModule(self.nitro, image)
        signer = [sys.executable, str(BARE), "--home", str(self.home), "--nitro", str(self.rig.nitro)]
        return Enclave(self.home, self.disk, Nsm(self.device, module.ioctl), [*signer, "--image", "IMAGE"])

    def certify(self) -> None:
        """What operators do once they have seen the enclave's keys: certificate, configuration, policy."""
        rig = self.rig
        shown = self.disk_folder / "shown"
        certified = ["keys", "certify", "1", str(shown / "tls.csr"), "-o", str(self.given / "tls.pem")]
        result = CliRunner().invoke(cli, [*certified, "--home", str(rig.home)])
        assert result.exit_code == 0, result.exception
        held = rig.folder(1) / "intent.pub"
        if (self.disk_folder / "replaced").exists():
            (rig.folder(1) / FORMER_KEY_FILE).write_bytes(held.read_bytes())
        held.write_bytes((shown / "intent.pub").read_bytes())
        write_locations(rig.home, load_signer_config(rig.folder(2)).locations)
        seal = f"kms {KEY_ID} by {self.kms.authority}"
        policy = f'seals = ["{seal}", "file"]\nroot_sha256 = "{self.nitro.root_sha256.hex()}"\n'
        policy += '[[image]]\nname = "signer"\n'
        policy += "".join(f'pcr{number} = "{register.hex()}"\n' for number, register in IMAGE.items())
        for party in (1, 2, 3):
            (rig.folder(party) / "attestation.toml").write_text(policy)
            if load_signer_config(rig.folder(party)).attestation is None:
                rig.settings(party, 'attestation = "attestation.toml"\n')
        said = (rig.folder(1) / "signer.toml").read_text().splitlines()
        left_out = ("region_file", "deployment_file", "counter_file")
        lines = ['seal = "kms"', 'nsm = "/dev/nsm"', 'region_file = "region.toml"', 'deployment_file = "d.json"']
        lines += [line for line in said if line.split(" = ")[0] not in left_out]
        (self.given / "signer.toml").write_text("\n".join(lines))
        for name in ("authority.pem", "attestation.toml"):
            shutil.copy(rig.folder(1) / name, self.given / name)

    def empty(self) -> None:
        """What operators do where a share is lost: nothing of it comes back, and the location waits to be certified."""
        (self.disk_folder / "kept.sealed").rename(self.disk_folder / "replaced")
        (self.given / "tls.pem").unlink()

    async def replace(self, home) -> tuple[int, str]:
        """Run the documented command where the coordinator is, and nothing of any location; return how it ended."""
        shutil.copytree(self.rig.home / "coordinator", home / "coordinator", dirs_exist_ok=True)
        (home / "settings.toml").write_text('[default]\nnetwork = "test"\n')
        (home / "ann.key").write_text("11" * 32)
        command = ["keys", "replace", "1", "--home", str(home), "--operator", str(home / "ann.key"), "--yes"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SDT_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import sdt.cli; sdt.cli.main()", *command, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode is not None
        return process.returncode, said.decode()


@pytest.fixture
async def host(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(init, "LOOK_S", 0.2)
    made = Host(tmp_path, tmp_path_factory.mktemp("e"))
    await made.keeper.start()
    yield made
    await made.keeper.close()
    made.kms.close()
    made.rig.stop()


async def ready(to) -> None:
    """Wait until all three may sign: a machine that does much else starts three processes slowly."""
    await until(lambda: all(status and not status.held for status in to.status().values()), 60)


async def test_an_enclaves_share_survives_it_and_its_presignatures_do_not(host):
    # given a first start, which makes the keys and shows their public halves
    assert not await host.enclave().open()
    assert not (host.disk_folder / "shown" / "tls.key").exists()
    host.certify()
    # when the next starts with its certificate, and the three make a key and stock
    enclave, stop, line = host.enclave(), asyncio.Event(), Line()
    assert await enclave.open()
    running = asyncio.create_task(enclave.run(stop))
    for party in (2, 3):
        host.rig.start(party, image="IMAGE")
    async with coordinator(host.rig, wait=False) as to:
        await ready(to)
        address = await to.keygen()
        await to.presign((1, 2), 4)
        batch = line.batch()
        assert (await sign(to, batch)).pair == (1, 2)
        line.settled(batch)
        stop.set()
        assert await running == 0
        # then what is kept outside opens to this image only, and holds the share but no presignature
        kept = (host.disk_folder / "kept.sealed").read_bytes()
        with pytest.raises(SealBroken):
            await host.enclave(OTHER_IMAGE).open()
        enclave, stop = host.enclave(), asyncio.Event()
        assert await enclave.open()
        database = unpack(bytes(enclave._sealer.unseal(init.FOLDER_LABEL, kept)))["signer.db"]
        copy = host.home.with_name("look.db")
        copy.write_bytes(database)
        db = sqlite3.connect(copy)
        assert db.execute("SELECT count(*) FROM key_share WHERE state = 'active'").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM presignature WHERE sealed IS NOT NULL").fetchone() == (0,)
        assert db.execute("SELECT state, count(*) FROM presignature GROUP BY state ORDER BY 1").fetchall() == [
            ("burnt", 3),
            ("released", 1),
        ]
        db.close()
        # and the enclave that starts with it signs again, from new stock
        running = asyncio.create_task(enclave.run(stop))
        async with coordinator(host.rig, wait=False) as again:
            await ready(again)
            assert again.address() == address and again.stock()[1, 2] == 0
            await again.presign((1, 2), 2)
            assert (await sign(again, line.batch())).pair == (1, 2)
        stop.set()
        assert await running == 0


async def test_a_lost_enclave_is_replaced_by_the_documented_steps(host, tmp_path):
    # given an enclave's location with its share, and operators whose home has no location's folder
    await host.enclave().open()
    host.certify()
    enclave, stop, line = host.enclave(), asyncio.Event(), Line()
    assert await enclave.open()
    running = asyncio.create_task(enclave.run(stop))
    for party in (2, 3):
        host.rig.start(party, image="IMAGE")
    async with coordinator(host.rig, wait=False) as to:
        await ready(to)
        address = await to.keygen()
    # then it is not replaced while it holds that share
    status, said = await host.replace(tmp_path / "office")
    assert status != 0 and "holds a share of epoch 1" in " ".join(said.split()), said
    # when what it kept is lost, and its operators make it anew: keys, certificate, the key that all three know
    stop.set()
    assert await running == 0
    host.empty()
    former = (host.disk_folder / "shown" / "intent.pub").read_text()
    assert not await host.enclave().open()
    host.certify()
    for party in (2, 3):
        host.rig.signal(party, signal.SIGTERM)
        host.rig.start(party, image="IMAGE")
    enclave, stop = host.enclave(), asyncio.Event()
    assert await enclave.open()
    running = asyncio.create_task(enclave.run(stop))
    async with coordinator(host.rig, wait=False) as to:
        await ready(to)
        assert to.status()[1].epoch == 0
    # then the command gives it a share of the same key, and it signs
    status, said = await host.replace(tmp_path / "office")
    assert status == 0, said
    async with coordinator(host.rig, wait=False) as to:
        await ready(to)
        assert to.address() == address and {each.epoch for each in to.status().values()} == {2}
        assert to.stock()[1, 3] > 0
        assert bytes(to.intent_keys()[1]).hex() != former
        host.rig.signal(2, signal.SIGTERM)
        assert (await sign(to, line.batch())).pair == (1, 3)
    stop.set()
    assert await running == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("signer.db", b"x"),
        ("tls.key", b"x"),
        ("intent.sealed", b"x"),
        ("party", b"4"),
        ("signer.db-wal", b"x"),
        ("signer.db-journal", b"x"),
        ("copy.db-wal", b"x"),
    ],
)
async def test_the_machine_around_gives_no_secrets_and_one_of_three_numbers(host, name, content):
    (host.given / name).write_bytes(content)
    with pytest.raises(NotEnclosed):
        await host.enclave().open()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('seal = "kms"', 'seal = "file"'),
        ('seal = "kms"', 'seal = "command"\nseal_command = ["cat", "tls.key"]'),
        ('seal = "kms"', 'seal = "kms"\nseal_command = ["cat", "tls.key"]'),
        ('nsm = "/dev/nsm"\n', ""),
        ('attestation = "attestation.toml"\n', ""),
        ('region_file = "region.toml"', 'region_file = "/etc/passwd"'),
        ('deployment_file = "d.json"', 'deployment_file = "../d.json"'),
        ("party = 1", 'counter_file = "/run/counter"\nparty = 1'),
        ("party = 1", "party = 2"),
    ],
)
async def test_a_configuration_that_lets_the_machine_around_in_is_refused(host, old, new):
    await host.enclave().open()
    host.certify()
    file = host.given / "signer.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(SdtError):
        await host.enclave().open()


async def test_a_policy_that_asks_for_no_seal_is_refused(host):
    await host.enclave().open()
    host.certify()
    file = host.given / "attestation.toml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith("seals")))
    with pytest.raises(NotEnclosed):
        await host.enclave().open()


async def test_only_a_request_whose_holder_has_its_key_is_certified(host):
    await host.enclave().open()
    shown = host.disk_folder / "shown" / "tls.csr"
    body = shown.read_text().splitlines()
    body[1] = body[1][::-1]
    for text in ("", "no request", "\n".join(body)):
        shown.write_text(text)
        result = CliRunner().invoke(cli, ["keys", "certify", "1", str(shown), "--home", str(host.rig.home)])
        assert getattr(result.exception, "code", "") == "certificate_request"
    result = CliRunner().invoke(cli, ["keys", "certify", "1", str(shown), "--home", str(host.given)])
    assert getattr(result.exception, "code", "") == "no_authority"


async def test_what_is_kept_cannot_be_changed_or_replaced(host):
    await host.enclave().open()
    file = host.disk_folder / "kept.sealed"
    kept = bytearray(file.read_bytes())
    kept[50] ^= 1
    file.write_bytes(kept)
    with pytest.raises(SealBroken):
        await host.enclave().open()


async def test_a_keeper_refuses_what_is_no_request_and_an_enclave_a_keeper_that_is_away(host):
    for sent in (b"X" + bytes(8), b"K" + b"\xff" * 8, b"S" + (5).to_bytes(8, "big") + b"notar"):
        reader, writer = await asyncio.open_connection(sock=await asyncio.to_thread(host.disk._keeper.dial, 2.0))
        writer.write(sent)
        assert await reader.read(10) == b""
        writer.close()
    assert not (host.disk_folder / "kept.sealed").exists()
    await host.keeper.close()
    host.disk._keeper = Endpoint.parse("tcp://127.0.0.1:1")
    with pytest.raises(SdtError) as caught:
        await host.enclave().open()
    assert caught.value.code == "keeper_failed"
