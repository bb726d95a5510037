"""A number that only grows, kept where a copy of the signer's disk does not reach.

A restored database knows less than it; that is how a signer finds out. A hardware module, an enclave's host or a
key service with conditional writes is one more `Counter`; the one here is a file on other storage than the folder.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sdt.domain.errors import Conflict, Unavailable

LIFE_BYTES: Final = 16
LOOK_PERIOD_S: Final = 1.0
"""How often to look whether the file is still where it was."""
_HEADER: Final = b"sdt counter 1 "
_DIGITS: Final = 20
_SIZE: Final = len(_HEADER) + 2 * LIFE_BYTES + 1 + _DIGITS + 1


class CounterUnreachable(Unavailable):
    """The counter cannot be read or written now."""

    code = "counter_unreachable"


class CounterMoved(Conflict):
    """Somebody else advanced the counter: another copy of this signer lives, or lived after our memory was saved."""

    code = "counter_moved"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a counter says. Shape: life is 16 random bytes, chosen when it was made."""

    life: bytes
    count: int


class Counter(Protocol):
    """Blocking, called by one thread at a time; what it says must survive any restoring of the signer's disk."""

    def read(self) -> Reading | None:
        """Return what it says, None when it was never made. Errors: CounterUnreachable."""

    def create(self, life: bytes, count: int) -> Reading:
        """Make it. Errors: CounterUnreachable, also when it exists."""

    def advance(self, expected: int, count: int) -> None:
        """Go from `expected` to `count`, durably.

        Errors: CounterMoved when it says something else; CounterUnreachable.
        """

    def close(self) -> None:
        """Let go of it."""


class FileCounter:
    """A counter in a file of 68 bytes, overwritten in place and locked while a signer uses it.

    The folder must exist: on a mount that is missing, a file made anew would be a counter that knows nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._life = b""
        self._looked_s = 0.0

    def read(self) -> Reading | None:
        """Return what the file says, None when there is none. Errors: CounterUnreachable."""
        try:
            if self._file is None:
                self._file = self._open(os.O_RDWR)
            return self._read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreachable(error) from error

    def create(self, life: bytes, count: int) -> Reading:
        """Make the file, 0600. Errors: CounterUnreachable."""
        try:
            self._file = self._open(os.O_RDWR | os.O_CREAT | os.O_EXCL)
            self._life = life
            self._write(count)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._unreachable(error) from error
        return Reading(life, count)

    def advance(self, expected: int, count: int) -> None:
        """Go from `expected` to `count`, durably. Errors: CounterMoved, CounterUnreachable."""
        try:
            self._look()
            found = self._read()
            if found.count != expected:
                raise CounterMoved(f"The counter says {found.count} where this signer left it at {expected}.")
            self._write(count)
        except OSError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Let go of the file and its lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, flags: int) -> int:
        file = os.open(self._path, flags | os.O_CLOEXEC | os.O_DSYNC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise
        return file

    def _read(self) -> Reading:
        assert self._file is not None, "it was opened"
        content = os.pread(self._file, _SIZE + 1, 0)
        life, _, digits = content[len(_HEADER) :].partition(b" ")
        try:
            reading = Reading(bytes.fromhex(life.decode("ascii")), int(digits))
        except ValueError:
            reading = None
        if reading is None or content != _content(reading.life, reading.count):
            raise CounterUnreachable(f"{self._path} does not hold a counter.")
        self._life = reading.life
        return reading

    def _write(self, count: int) -> None:
        assert self._file is not None, "it was opened"
        os.pwrite(self._file, _content(self._life, count), 0)  # durable by itself: the file is open with O_DSYNC

    def _look(self) -> None:
        """Fail when the storage was taken away, which an open file does not tell. Errors: FileNotFoundError."""
        if time.monotonic() > self._looked_s + LOOK_PERIOD_S:
            self._path.stat()
            self._looked_s = time.monotonic()

    def _unreachable(self, error: OSError) -> CounterUnreachable:
        self.close()
        return CounterUnreachable(f"The counter in {self._path} cannot be used: {error.strerror}.")


def _content(life: bytes, count: int) -> bytes:
    return _HEADER + life.hex().encode() + b" " + str(count).zfill(_DIGITS).encode() + b"\n"
