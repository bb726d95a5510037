"""Emulators of Amazon's services for tests: each a process on a free loopback port, that reaches nothing outside.

They are installed apart from the platform (`make emulators`), because their libraries do not go with its own.
The fixtures are in conftest.py, where all test modules share one of each.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import outside
from ports import free_port
from sdt.config.model import Aws

REGION = "us-east-1"
_TOOLS = Path(__file__).resolve().parents[1] / ".tools"
_START_TRIES = 3
_START_WAIT_S = 90
# What the tests' own clients sign with: no emulator looks at it, and nothing of the machine's is ever read.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHAREDCREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class _Program:
    """How one emulator is started, and where it answers when it is ready."""

    argv: Callable[[int], list[str]]
    env: Callable[[int, Path], Mapping[str, str]]
    ready: str


_PROGRAMS = {
    "localstack": _Program(
        argv=lambda port: ["python", "-m", "localstack.runtime.main"],
        env=lambda port, home: {
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "FILESYSTEM_ROOT": str(home),
            "SERVICES": "sqs,secretsmanager,ssm,sts,cloudformation,iam,cloudwatch,logs,s3,events,sns",
            "EAGER_SERVICE_LOADING": "0",
            # No word home, no certificate, no program fetched, no name server.
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "SKIP_INFRA_DOWNLOADS": "1",
            "DNS_ADDRESS": "0",
            "API_ENDPOINT": "http://127.0.0.1:9",
            "SQS_DISABLE_CLOUDWATCH_METRICS": "1",
        },
        ready="/_localstack/health",
    ),
    "ministack": _Program(
        argv=lambda port: ["python", "-m", "ministack"],
        env=lambda port, home: {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "SERVICES": "sqs,secretsmanager,ssm,sts,kms",
        },
        ready="/_ministack/health",
    ),
    "moto": _Program(
        argv=lambda port: ["moto_server", "-H", "127.0.0.1", "-p", str(port)],
        env=lambda port, home: {},
        ready="/moto-api/data.json",
    ),
}


@dataclass
class Emulator:
    """One emulator: start, stop, and start again on the same port, which forgets what it held."""

    name: str
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sdt-emulator-")))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_group(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; a port that somebody else took meanwhile is given up for another."""
        fixed = self.port != 0
        for _ in range(_START_TRIES):
            if not fixed:
                self.port = free_port()
            self._launch()
            if self._answers():
                return
            self.stop()
        raise RuntimeError(f"{self.name} did not start:\n{(self._home / 'log').read_text()[-5000:]}")

    def stop(self) -> None:
        """End it and everything that it started, at once: what it held is forgotten anyway."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def remove(self) -> None:
        """Stop it and take away its folder."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _launch(self) -> None:
        program, folder = _PROGRAMS[self.name], _folder(self.name)
        command, *options = program.argv(self.port)
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [folder / "bin" / command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._home,
                # Nothing of this machine's environment: no proxy to speak through, no credentials to speak with.
                env={
                    **CREDENTIALS, "PATH": f"{folder / 'bin'}:{os.defpath}", "HOME": str(self._home),
                    "TMPDIR": str(self._home), "PYTHONUNBUFFERED": "1", **program.env(self.port, self._home),
                },
                start_new_session=True, preexec_fn=_die_with_the_tests,
            )  # fmt: skip

    def _answers(self) -> bool:
        assert self._process is not None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        until = time.monotonic() + _START_WAIT_S
        while self._process.poll() is None and time.monotonic() < until:
            with suppress(OSError), opener.open(self.url + _PROGRAMS[self.name].ready, timeout=5) as answer:
                return bool(answer.status == 200) and self._process.poll() is None
            time.sleep(0.1)
        return False


def aws_settings(url: str) -> Aws:
    """Return settings that send every service's calls to one address."""
    return Aws(region=REGION, endpoint_url=url, parameters="", endpoints={})


@contextmanager
def running(name: str) -> Iterator[Emulator]:
    """Run an emulator for the length of a `with`."""
    emulator = Emulator(name)
    try:
        emulator.start()
        yield emulator
    finally:
        emulator.remove()


@pytest.fixture(scope="session")
def aws_credentials() -> Iterator[Mapping[str, str]]:
    """Made-up credentials in the environment, in place of whatever this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield CREDENTIALS


@pytest.fixture(scope="session")
def localstack(aws_credentials: Mapping[str, str]) -> Iterator[str]:
    """The address of LocalStack, started for this run and shared by its tests: name your queues apart."""
    with running("localstack") as emulator:
        yield emulator.url


@pytest.fixture(scope="session")
def ministack(aws_credentials: Mapping[str, str]) -> Iterator[str]:
    """The address of ministack, shared like LocalStack."""
    with running("ministack") as emulator:
        yield emulator.url


@pytest.fixture(scope="session")
def moto_server(aws_credentials: Mapping[str, str]) -> Iterator[str]:
    """The address of moto's server, shared like LocalStack; for KMS and secrets: its FIFO queues are not SQS's."""
    with running("moto") as emulator:
        yield emulator.url


def _folder(name: str) -> Path:
    folder = _TOOLS / name
    if not (folder / "installed").exists():
        outside.lacking(f"{name}, which `make emulators` installs into .tools/{name}")
    return folder


def _die_with_the_tests() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
