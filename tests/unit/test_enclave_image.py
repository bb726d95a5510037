"""What goes into the enclave's image exists, suffices for a signer, and is locked; its scripts are sound."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

import outside
from sdt.domain.errors import Invalid
from sdt.signing.attestation_policy import load_policy
from sdt.signing.enclave import init, keeper
from sdt.signing.enclave.init import Enclave
from sdt.signing.enclave.keeper import Disk
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.proxy import load_routes
from sdt.signing.sockets import Endpoint

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "enclave"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
KEEPER = Endpoint("vsock", "3", 9010)
BOOT_PORT = 9000
"""Source: aws-nitro-enclaves-cli, ENCLAVE_READY_VSOCK_PORT: bound at (3, 9000) before each start."""


def copies() -> list[tuple[str, str]]:
    """Every COPY from the sources: what, and where to."""
    return [(what, to) for what, to in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)]


def entry_point() -> list[str]:
    return json.loads(re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)[1])


def test_whatever_the_dockerfile_copies_exists_and_is_let_into_the_context():
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert allowed[0] == "*"
    let_in = [line[1:] for line in allowed if line.startswith("!")]
    sources = [what for what, _ in copies()]
    assert len(sources) > 8
    for what in sources:
        assert (ROOT / what).exists(), what
        assert any(what == each or what.startswith(f"{each}/") for each in let_in), what
    for each in let_in:
        assert any(what == each or what.startswith(f"{each}/") for what in sources), each


def test_the_base_is_named_by_its_digest_and_nothing_is_fetched_without_a_hash():
    assert DOCKERFILE.count("FROM ${PYTHON_IMAGE}") == DOCKERFILE.count("FROM ") == 2
    assert "--require-hashes" in DOCKERFILE and "apt-get" not in DOCKERFILE
    for digestless in ("", "python:3.11-slim"):
        done = subprocess.run(
            ["bash", str(DEPLOY / "build.sh"), "out"], env={"PATH": "/usr/bin:/bin", "PYTHON_IMAGE": digestless},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1 and "by its digest" in done.stderr


def test_the_images_lock_is_the_signers_part_of_the_whole_one():
    made = subprocess.run([sys.executable, str(DEPLOY / "lock.py")], capture_output=True, text=True, check=True).stdout
    assert made == (DEPLOY / "requirements.lock").read_text(), (
        "run: python deploy/enclave/lock.py > deploy/enclave/requirements.lock"
    )
    assert not re.search(r"^(web3|fastapi|peewee|pydantic|boto3)==", made, re.MULTILINE)


@pytest.mark.slow
def test_a_signer_its_jobs_and_the_first_process_run_from_what_is_copied_and_locked(tmp_path):
    # given a tree as the image has it, and of the libraries those of its lock only
    for what, to in copies():
        target = tmp_path / to.lstrip("/")
        if (ROOT / what).is_dir():
            shutil.copytree(ROOT / what, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True) if to.endswith("/") else target.parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / what, target)
    program = (
        "import runpy, sys\n"
        "for name in ('signer', 'job', 'proxy', 'validation', 'enclave.init', 'enclave.keeper'):\n"
        "    __import__('sdt.signing.' + name)\n"
        "import sdt, importlib.metadata as m\n"
        "owners = m.packages_distributions()\n"
        "print(sdt.__file__)\n"
        "print(*{owner for name in sys.modules for owner in owners.get(name.split('.')[0], ())})\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path / 'app'}:{sysconfig.get_path('purelib')}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    origin, used = done.stdout.splitlines()
    assert origin.startswith(str(tmp_path))
    locked = re.findall(r"^([a-z0-9-]+)==", (DEPLOY / "requirements.lock").read_text(), re.MULTILINE)
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in used.split()} - {"sdt", "setuptools"}
    assert names <= set(locked), names - set(locked)
    entry = entry_point()
    done = subprocess.run(
        [sys.executable, *entry[1:], "--help"], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "--keeper" in done.stdout, done.stderr


def test_the_first_process_and_what_it_starts_are_found_without_the_images_path():
    # Amazon's init looks for the entry point in its own PATH, which has no /usr/local/bin, where the base's Python is
    assert entry_point()[0] == "/usr/local/bin/python"
    # it and its jobs start what they start by the whole name of the interpreter that runs
    for name, starts in (("jobs.py", 1), ("enclave/init.py", 1)):
        source = (ROOT / "src/sdt/signing" / name).read_text()
        first = re.findall(r"create_subprocess_exec\(\s*([^,)]+)", source)
        assert len(first) == starts and set(first) <= {"sys.executable", "*self._signer"}, name
    assert Enclave(Path("home"), Disk(KEEPER), Nsm(Path("nsm")))._signer[0] == sys.executable


def test_nothing_listens_where_nitro_cli_waits_for_the_enclaves_boot(monkeypatch):
    # given the two programs as they are started on a host and in the image, without a port of their own
    at: list[Endpoint] = []
    monkeypatch.setattr(keeper, "Keeper", lambda _, listen, cid: at.append(listen))
    monkeypatch.setattr(init, "Disk", at.append)
    monkeypatch.setattr(init, "system", SimpleNamespace(mount_all=int, loopback_up=int, seed=lambda _: 512))
    for program in (keeper, init):
        monkeypatch.setattr(program, "asyncio", SimpleNamespace(run=lambda _: 0))
        monkeypatch.setattr(program, "serve" if program is keeper else "start", lambda _: None)
    monkeypatch.setattr(init, "os", SimpleNamespace(umask=int))
    monkeypatch.setattr(sys, "argv", ["keeper", "/var/lib/sdt/enclave", "--cid", "16"])
    keeper.main()
    monkeypatch.setattr(sys, "argv", ["init"])
    with pytest.raises(SystemExit):
        init.main()
    # then they meet, at a port of vsock that neither nitro-cli nor a route needs
    listens, calls = at
    assert (listens.kind, listens.host) == ("vsock", "any") and (calls.kind, calls.host) == ("vsock", "3")
    assert listens.port == calls.port
    routes = load_routes(DEPLOY / "routes.toml")
    taken = [route.listen.port for route in routes if route.listen.kind == "vsock"]
    assert BOOT_PORT not in (*taken, listens.port) and listens.port not in taken


def test_the_routes_that_are_handed_out_are_routes():
    outer, inner = load_routes(DEPLOY / "routes.toml"), load_routes(DEPLOY / "inner.toml")
    outwards = {route.listen.port: route for route in outer if route.listen.kind == "vsock"}
    assert all(route.from_cid for route in outwards.values())
    # what the enclave calls is carried on
    assert all(route.to.port in outwards for route in inner)
    hosts = {route.to.host for route in outer if route.listen.kind == "tcp"}
    assert hosts == {str(route.from_cid) for route in outwards.values()}


def measured(**changed: str) -> str:
    registers = {f"PCR{n}": f"{n + 1:x}" * 96 for n in (0, 1, 2)} | changed
    return json.dumps({"Measurements": {"HashAlgorithm": "Sha384 { ... }", **registers}})


def image_toml(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DEPLOY / "image_toml.py"), 'signer "x"']
    return subprocess.run(command, input=text, capture_output=True, text=True)


def test_what_was_measured_becomes_an_image_of_a_policy(tmp_path):
    file = tmp_path / "attestation.toml"
    file.write_text(image_toml(measured()).stdout + image_toml(measured(PCR8="d" * 96)).stdout)
    plain, signed = load_policy(file).images
    assert plain == {0: bytes.fromhex("1" * 96), 1: bytes.fromhex("2" * 96), 2: bytes.fromhex("3" * 96)}
    assert signed == {**plain, 8: bytes.fromhex("d" * 96)}


@pytest.mark.parametrize("bad", ["0" * 96, "1" * 95, "", "G" * 96])
def test_what_is_no_measurement_is_not_written(bad):
    done = image_toml(measured(PCR0=bad))
    assert done.returncode and "PCR0" in done.stderr


def test_a_register_of_zeros_is_not_let_in_by_hand_either(tmp_path):
    file = tmp_path / "attestation.toml"
    file.write_text(image_toml(measured()).stdout.replace("1" * 96, "0" * 96))
    with pytest.raises(Invalid, match="debug"):
        load_policy(file)


def test_the_keys_policy_lets_nobody_decrypt_but_the_image():
    statements = json.loads((DEPLOY / "kms-key-policy.json").read_text())["Statement"]
    [decrypts] = [each for each in statements if "kms:Decrypt" in each["Action"] or "*" in each["Action"]]
    named = decrypts["Condition"]["StringEqualsIgnoreCase"]
    assert sorted(named) == [f"kms:RecipientAttestation:PCR{n}" for n in (0, 1, 2)]


def test_the_build_script_is_clean():
    checker = shutil.which("shellcheck") or outside.lacking("shellcheck; on Debian: apt-get install shellcheck")
    done = subprocess.run([checker, str(DEPLOY / "build.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
