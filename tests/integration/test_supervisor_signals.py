"""The end of a supervisor, asked for or not, at any moment: nothing it started lives on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PLATFORM = """
import asyncio, signal, sys
from pathlib import Path

# Whoever runs these tests in the background has had them ignore what a terminal sends, and so would this.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

from sdt.supervise import Interrupted, ProcessSpec, Supervisor

CODE = '''
import subprocess, sys, time
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
'''

def spec(name, *needs):
    return ProcessSpec(name, [sys.executable, "-S", "-c", CODE], needs=needs)

async def main():
    specs = [spec("chain"), spec("s1"), spec("s2"), spec("worker", "chain", "s1"), spec("api", "worker")]
    print("entering", flush=True)
    async with Supervisor(Path(sys.argv[1]), specs) as running:
        print("up", flush=True)
        await running.wait()

try:
    asyncio.run(main())
except Interrupted as interrupted:
    sys.exit(interrupted.exit_code)
"""


class Platform:
    """A supervisor in a process of its own, and a mark by which all that stems from it is found."""

    def __init__(self, home: Path) -> None:
        self.mark = uuid.uuid4().hex.encode()
        self.errors = home.with_suffix(".errors")
        with self.errors.open("wb") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", PLATFORM, str(home)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "MARK": self.mark.decode()},
                start_new_session=True,
            )
        self.line("entering")

    def line(self, word: str) -> None:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line.strip().decode() == word, self.errors.read_text()

    def family(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def none_left(self, within_s: float = 5) -> bool:
        until = time.monotonic() + within_s
        while self.family():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "home")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(platform: Platform, number: signal.Signals) -> None:
    platform.line("up")
    # Five processes, a child of each, the supervisor and its guard.
    assert len(platform.family()) == 12
    # As a terminal does it: to the whole foreground group.
    os.killpg(platform.popen.pid, number)
    assert platform.popen.wait(timeout=15) == 0
    assert platform.none_left()
    assert platform.errors.read_text() == ""
    logs = "".join(log.read_text() for log in platform.errors.with_suffix("").glob("log/*"))
    assert "Traceback" not in logs


def test_kill_9_of_the_supervisor_leaves_nothing(platform: Platform) -> None:
    platform.line("up")
    platform.popen.kill()
    platform.popen.wait()
    assert platform.none_left()


def test_a_home_can_be_started_again_right_after_kill_9(tmp_path: Path) -> None:
    first = Platform(tmp_path / "home")
    first.line("up")
    first.popen.kill()
    second = Platform(tmp_path / "home")
    second.line("up")
    first.popen.wait()
    assert not first.family()
    second.popen.terminate()
    assert second.popen.wait(timeout=15) == 0


@pytest.mark.parametrize("seed", range(12))
def test_the_end_in_the_middle_of_a_start_leaves_nothing(platform: Platform, seed: int) -> None:
    chance = random.Random(seed)
    number = chance.choice([signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    time.sleep(chance.uniform(0, 0.5))
    os.killpg(platform.popen.pid, number)
    status = platform.popen.wait(timeout=15)
    assert platform.none_left()
    # 0 when it was up already, 128 + the signal when it was still starting.
    assert status in {0, 128 + number, -signal.SIGKILL}
    assert "Traceback" not in platform.errors.read_text()


def test_a_second_wish_does_not_wait_for_the_slow(tmp_path: Path) -> None:
    slow = PLATFORM.replace("CODE = '''", "CODE = '''\nimport signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "PLATFORM", slow)
        platform = Platform(tmp_path / "home")
    platform.line("up")
    began = time.monotonic()
    platform.popen.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert platform.popen.poll() is None
    platform.popen.send_signal(signal.SIGINT)
    assert platform.popen.wait(timeout=15) == 0
    assert time.monotonic() - began < 5
    assert platform.none_left()
