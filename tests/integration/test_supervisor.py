"""The supervisor with real processes: order, restarts, ports, one per home."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sdt.supervise import (
    AlreadyRunning,
    BadSpec,
    ProcessSpec,
    ReadyLine,
    ReadyUrl,
    StartFailed,
    Status,
    Supervisor,
    read_state,
)

pytestmark = pytest.mark.slow

SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"


def python(name: str, code: str = SLEEPER, **rest: object) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-I", "-S", "-c", code], **rest)  # type: ignore[arg-type]


def recorder(name: str, file: Path, needs: tuple[str, ...] = ()) -> ProcessSpec:
    """A process that notes when it starts and when it is asked to end."""
    code = f"""
import signal, sys, time
note = lambda word: open({str(file)!r}, "a").write(word + " {name}\\n")
signal.signal(signal.SIGTERM, lambda *_: (note("end"), sys.exit(0)))
note("start"); time.sleep(0.1); print("ready", flush=True); time.sleep(600)
"""
    return python(name, code, needs=needs)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def eventually(condition: Callable[[], bool], within_s: float = 5) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        await asyncio.sleep(0.02)


async def test_processes_start_after_what_they_need_and_end_before_it(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    specs = [
        recorder("api", notes, needs=("worker",)),
        recorder("worker", notes, needs=("chain", "signer")),
        recorder("chain", notes),
        recorder("signer", notes),
    ]
    async with Supervisor(tmp_path / "home", specs) as running:
        assert all(running.state(spec.name).status is Status.READY for spec in specs)
    lines = notes.read_text().splitlines()
    assert lines[2:6] == ["start worker", "start api", "end api", "end worker"]
    assert set(lines[:2]) == {"start chain", "start signer"}
    assert set(lines[6:]) == {"end chain", "end signer"}


async def test_more_can_be_started_later(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, [python("chain")]) as running:
        await running.start([python("worker", needs=("chain",))])
        assert running.state("worker").status is Status.READY
        with pytest.raises(BadSpec, match="two processes named worker"):
            await running.start([python("worker")])


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ([python("a", needs=("b",))], "a needs b, which nobody starts"),
        ([python("a"), python("a")], "two processes named a"),
        ([python("a", needs=("b",)), python("b", needs=("a",))], "wait for each other"),
    ],
)
async def test_a_list_that_cannot_start_is_refused(tmp_path: Path, specs: list[ProcessSpec], said: str) -> None:
    with pytest.raises(BadSpec, match=said):
        async with Supervisor(tmp_path, specs):
            pass


async def test_a_killed_process_is_restarted_and_the_state_file_says_so(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, [python("worker")]) as running:
        before = running.state("worker").pid
        running.kill("worker")
        await running.ready("worker")
        after = running.state("worker")
        assert after.pid != before
        assert (after.restarts, after.last_exit) == (1, -signal.SIGKILL)
        told = read_state(tmp_path)
        assert told is not None
        assert told.running
        assert told.processes["worker"].pid == after.pid
        assert (tmp_path / "log" / "worker.log").stat().st_mode & 0o777 == 0o600
    told = read_state(tmp_path)
    assert told is not None
    assert not told.running
    assert told.processes["worker"].status is Status.STOPPED
    assert after.pid is not None
    assert not is_alive(after.pid)


async def test_what_a_killed_process_started_ends_with_it(tmp_path: Path) -> None:
    code = """
import subprocess, sys, time
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("grandchild", own.pid, flush=True)
print("ready", flush=True)
time.sleep(600)
"""
    async with Supervisor(tmp_path, [python("signer", code)]) as running:
        grandchild = int((tmp_path / "log" / "signer.log").read_text().split()[1])
        assert is_alive(grandchild)
        running.kill("signer")
        await eventually(lambda: not is_alive(grandchild))


async def test_what_never_becomes_ready_fails_the_start_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; print('no such database'); sys.exit(3)"
    with pytest.raises(StartFailed, match="no such database"):
        async with Supervisor(tmp_path, [python("chain"), python("api", code, needs=("chain",))]):
            pass
    told = read_state(tmp_path)
    assert told is not None
    assert told.processes["api"].last_exit == 3
    assert told.processes["chain"].status is Status.STOPPED


async def test_what_cannot_be_executed_fails_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot execute no-such-program: No such file"):
        async with Supervisor(tmp_path, [ProcessSpec("geth", ["no-such-program"])]):
            pass


async def test_what_hangs_before_it_is_ready_fails_the_start(tmp_path: Path) -> None:
    spec = python("slow", "import time; time.sleep(600)", ready_timeout_s=0.2)
    with pytest.raises(StartFailed, match="slow did not become ready"):
        async with Supervisor(tmp_path, [spec]):
            pass


async def test_a_process_that_ignores_the_wish_to_end_is_killed(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPER
    async with Supervisor(tmp_path, [python("deaf", code, stop_grace_s=0.2)]) as running:
        pid = running.state("deaf").pid
    assert pid is not None
    assert not is_alive(pid)


async def test_ready_line_of_an_earlier_start_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "slow.log").write_text("ready\n")
    spec = python("slow", "import time; time.sleep(600)", ready=ReadyLine(), ready_timeout_s=0.2)
    with pytest.raises(StartFailed):
        async with Supervisor(tmp_path, [spec]):
            pass


# Ports


def server(name: str, port: int) -> ProcessSpec:
    code = (
        "import http.server as h, sys;"
        f"s = h.HTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler); s.serve_forever()"
    )
    argv = [sys.executable, "-c", code]
    return ProcessSpec(name, argv, ready=ReadyUrl(f"http://127.0.0.1:{port}/"))


async def test_ports_are_kept_for_the_next_start(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as running:
        first = dict(running.reserve(["api.port", "chain.port"]))
        await running.start([server("api", first["api.port"])])
        running.kill("api")
        await running.ready("api")
    assert json.loads((tmp_path / "ports.json").read_text()) == first
    async with Supervisor(tmp_path) as running:
        assert running.reserve(["chain.port", "api.port"]) == first


async def test_two_homes_never_share_a_port(tmp_path: Path) -> None:
    names = [f"p{i}" for i in range(20)]
    async with Supervisor(tmp_path / "a") as one:
        ports = dict(one.reserve(names))
    # The other home remembers the same ports, as a copied folder would.
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "ports.json").write_text(json.dumps(ports))
    async with Supervisor(tmp_path / "a") as one, Supervisor(tmp_path / "b") as two:
        first, second = one.reserve(names), two.reserve(names)
        assert len({*first.values(), *second.values()}) == 40


# One supervisor per home


async def test_a_second_supervisor_of_a_home_is_refused_by_name(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, [python("worker")]) as running:
        with pytest.raises(AlreadyRunning, match=f"in use by process {os.getpid()}"):
            async with Supervisor(tmp_path):
                pass
        assert running.state("worker").status is Status.READY
    async with Supervisor(tmp_path):
        pass
