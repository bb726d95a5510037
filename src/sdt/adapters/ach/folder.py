"""Delivery by a folder that the bank, or its transfer software, empties: staged beside it, then renamed into it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from sdt.adapters.ach.marks import INBOUND_BYTES_MAX, Marks, checked, sync, write_durably
from sdt.domain.errors import NotFound, Unavailable
from sdt.ports.ach_files import FILE_NAME, FileStanding, Inbound
from sdt.ports.evidence import VendorFault

__all__ = ["FolderAchFiles"]


class FolderAchFiles:
    """The `AchFiles` port over two folders of one file system; what stands in `.staged` the bank leaves alone."""

    def __init__(self, outgoing: Path, incoming: Path, marks: Path) -> None:
        self._outgoing = outgoing
        self._staged = outgoing / ".staged"
        self._incoming = incoming
        self._marks = Marks(marks)

    async def put(self, name: str, data: bytes) -> None:
        """Hand a file to the bank."""
        await asyncio.to_thread(self._put, checked(name), data)

    def _put(self, name: str, data: bytes) -> None:
        try:
            digest = hashlib.sha256(data).hexdigest()
            if not self._marks.has(name, digest):
                write_durably(self._staged / name, data)
                self._marks.put(name, digest)
            if (self._staged / name).exists():
                self._outgoing.mkdir(parents=True, exist_ok=True)
                (self._staged / name).rename(self._outgoing / name)
                sync(self._outgoing)
                sync(self._staged)
        except OSError as error:
            raise Unavailable("The folder for ACH files cannot be written.", code="ach_folder") from error

    async def standing(self, name: str, digest: str) -> FileStanding:
        """Return whether the bank has a file. Errors: Conflict."""
        delivered = self._marks.has(checked(name), digest) and not (self._staged / name).exists()
        return FileStanding.PRESENT if delivered else FileStanding.ABSENT

    async def inbound(self, after: int) -> Inbound:
        """Return the names of all files in the folder: they carry no numbers."""
        return Inbound(await asyncio.to_thread(self._names), after)

    def _names(self) -> tuple[str, ...]:
        try:
            found = [path for path in self._incoming.iterdir() if path.is_file() and FILE_NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Unavailable("The folder of the bank's files cannot be read.", code="ach_folder") from error
        return tuple(path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))

    async def fetch(self, name: str) -> bytes:
        """Return a file for us."""
        path = self._incoming / checked(name)
        try:
            if path.stat().st_size > INBOUND_BYTES_MAX:
                raise VendorFault(f"{name} is larger than {INBOUND_BYTES_MAX} bytes.")
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise NotFound(f"There is no file {name}.", code="ach_file_unknown") from None

    async def close(self) -> None:
        """Nothing is held."""
