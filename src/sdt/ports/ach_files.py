"""How ACH files reach the bank and how its files reach us: a folder, SFTP, or the bank's own API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

__all__ = [
    "FILE_NAME",
    "AchFileApi",
    "AchFiles",
    "FileStanding",
    "Inbound",
    "InboundContent",
    "InboundListing",
    "ListedFile",
    "TakenFile",
]

FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""The names that files have in both directions: nothing that a shell, a folder or a batch of commands could mistake."""


class FileStanding(Enum):
    """Whether the bank has a file."""

    ABSENT = "absent"
    """It has nothing under this name and will find nothing: it may be put there."""
    PRESENT = "present"
    """It has it, or will find it where it looks."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """What the bank has for us: names, and where to go on from. A name that was listed before may come again."""

    names: tuple[str, ...]
    next_after: int


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file of ours as the bank knows it."""

    name: str
    sha256: str
    state: str


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file for us, by number."""

    sequence: int
    name: str


@dataclass(frozen=True, slots=True)
class InboundListing:
    """The next files for us."""

    files: tuple[ListedFile, ...]


@dataclass(frozen=True, slots=True)
class InboundContent:
    """A file for us, whole."""

    name: str
    sha256: str
    content: bytes


class AchFileApi(Protocol):
    """What a bank's own API for files can do, as a vendor's folder maps it. The `key` of a file is its name."""

    async def put_file(self, name: str, sha256: str, content: bytes, key: str) -> TakenFile:
        """Hand a file in. Errors: as `AchFiles`."""
        ...

    async def file_state(self, name: str) -> TakenFile:
        """Return a file that was handed in. Errors: NotFound."""
        ...

    async def inbound_files(self, after: int) -> InboundListing:
        """Return the next files numbered above `after`."""
        ...

    async def inbound_file(self, name: str) -> InboundContent:
        """Return a file for us. Errors: NotFound."""
        ...


class AchFiles(Protocol):
    """A file is put once under its name: the same name and bytes again do nothing more.

    Errors: Conflict for other bytes under a name; Unavailable when nothing was done; StateUnknown when it may have
    been: then ask for `standing`, and put it again only when it is absent.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Hand a file to the bank."""
        ...

    async def standing(self, name: str, digest: str) -> FileStanding:
        """Return whether the bank has a file. Errors: Conflict when it has another one under this name.

        Shape: digest is the SHA-256 of the file's bytes, in hex.
        """
        ...

    async def inbound(self, after: int) -> Inbound:
        """Return the names of files for us, where the bank numbers them those numbered above `after`."""
        ...

    async def fetch(self, name: str) -> bytes:
        """Return a file for us. Errors: NotFound; VendorFault for one that is too large or damaged."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
