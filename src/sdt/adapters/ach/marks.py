"""Marks on this machine that make a delivery by renaming certain: staged, marked, renamed, in this order.

The bank takes files away from where we put them, so that a file which is not there may have been delivered or not. What
is staged it never touches. With the mark and without the staged file it was delivered; else it was not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sdt.domain.errors import Conflict, Invalid
from sdt.ports.ach_files import FILE_NAME

__all__ = ["INBOUND_BYTES_MAX", "Marks", "checked", "sync", "write_durably"]

INBOUND_BYTES_MAX: Final = 64 * 1024 * 1024


class Marks:
    """One small file a delivery: its name, and the digest of what was staged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, name: str, digest: str) -> bool:
        """Return whether a file was staged completely. Errors: Conflict when it was with other bytes."""
        try:
            kept = (self._folder / name).read_text()
        except FileNotFoundError:
            return False
        if kept != digest:
            raise Conflict(f"Another file was delivered under the name {name}.", code="ach_file_name")
        return True

    def put(self, name: str, digest: str) -> None:
        """Note that a file is staged completely; from here on it may be delivered at any moment."""
        write_durably(self._folder / name, digest.encode())


def write_durably(path: Path, data: bytes) -> None:
    """Write a whole file that only its owner reads, and its name, to the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.writing")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file's bytes, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checked(name: str) -> str:
    """Return a name that is safe as part of a path. Errors: Invalid."""
    if not FILE_NAME.fullmatch(name):
        raise Invalid("An ACH file's name is made of letters, digits, dot, dash and underscore.", code="ach_file_name")
    return name
