"""Files that are nobody else's (mode 0600), written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sdt.adapters.vault.errors import VaultUnreadable

__all__ = ["alone_with", "read_private", "write_private"]


def read_private(file: Path) -> bytes:
    """Return the content of a file that only its owner can read.

    Errors: VaultUnreadable when it is missing or open to others.
    """
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise VaultUnreadable(f"{file} is open to other users: chmod 600 {file}")
            return opened.read()
    except OSError as error:
        raise VaultUnreadable(f"{file}: {error.strerror}") from error


def write_private(file: Path, content: bytes) -> None:
    """Replace a file in one step; when this returns, it outlives a power cut."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(new, file)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Let one process at a time change a file, for the length of a `with`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(file.with_name(f".{file.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
