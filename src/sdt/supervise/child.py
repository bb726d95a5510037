"""One operating-system process: started so that it cannot outlive the supervisor, watched until it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sdt.supervise.spec import ProcessSpec

__all__ = ["Child", "Guard"]

_HERE = Path(__file__).parent
_BARE_PYTHON = [sys.executable, "-I", "-S"]


class Guard:
    """The supervisor's end of the guard process."""

    def __init__(self, lock_fd: int) -> None:
        read_end, self.pipe = os.pipe()
        self._popen = subprocess.Popen(
            [*_BARE_PYTHON, str(_HERE / "guard.py")],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock_fd,),
            start_new_session=True,
        )
        os.close(read_end)

    def forget(self, pid: int) -> None:
        """Strike out a process that has ended and whose group is empty."""
        with suppress(BrokenPipeError):
            os.write(self.pipe, b"-%d\n" % pid)

    def close(self) -> None:
        """Let the guard end what is left, if anything is, and end itself."""
        os.close(self.pipe)
        self._popen.wait()


class Child:
    """A running process; `exited` is done when it and its process group are gone."""

    def __init__(self, spec: ProcessSpec, log: Path, guard: Guard) -> None:
        self._guard = guard
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
            self.log_offset = output.tell()
            self._popen = subprocess.Popen(
                [*_BARE_PYTHON, str(_HERE / "launch.py"), str(os.getpid()), str(guard.pipe), *spec.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **spec.env},
                pass_fds=(guard.pipe,),
                # Its own session: a terminal's Ctrl-C does not reach it. Its files are nobody else's.
                start_new_session=True,
                umask=0o077,
            )
        self.pid = self._popen.pid
        self._watch()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended already."""
        if not self.exited.done():
            self._popen.send_signal(number)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._pidfd: int | None = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or a kernel before 5.3
            self._pidfd = None
            self._poller = loop.create_task(self._poll())
        else:
            loop.add_reader(self._pidfd, self._ended)

    async def _poll(self) -> None:
        while self._popen.poll() is None:  # noqa: ASYNC110 - nothing tells us but asking
            await asyncio.sleep(0.05)
        self._ended()

    def _ended(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
        # Not reaped yet, so the group's number cannot have passed to anybody else.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        status = self._popen.wait()
        self._guard.forget(self.pid)
        self.exited.set_result(status)
