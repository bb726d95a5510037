"""One supervisor per home folder: an flock that the system lifts when its holder and its guard are gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sdt.supervise.errors import AlreadyRunning

__all__ = ["LOCK_FILE", "HomeLock", "is_locked"]

LOCK_FILE = "supervisor.lock"
_WAIT_S = 2.0
"""Time for the guard of a killed supervisor to end, and for a reader that looks whether the lock is held."""


class HomeLock:
    """The lock, held from `acquire` to `release`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.fd = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    async def acquire(self) -> None:
        """Take the lock.

        Errors: AlreadyRunning, naming the process that has it.
        """
        waited_s = 0.0
        while not self._try():
            if waited_s > _WAIT_S:
                holder = os.pread(self.fd, 20, 0).decode().strip()
                raise AlreadyRunning(f"{self._home} is in use by process {holder}", pid=holder)
            await asyncio.sleep(0.05)
            waited_s += 0.05
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Give the lock up."""
        os.close(self.fd)

    def _try(self) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


def is_locked(home: Path) -> bool:
    """Return whether a supervisor has this home now."""
    try:
        file = (home / LOCK_FILE).open()
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
