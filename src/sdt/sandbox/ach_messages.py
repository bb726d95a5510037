"""What the sandbox bank is asked and answers about ACH files."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from sdt.sandbox.fields import Digest

FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]


class FileOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand in a NACHA file; `content` is base64 of the bytes that `sha256` is of."""

    name: FileName
    sha256: Digest
    content: str


class FileAnswer(Struct, frozen=True):
    """How a file stands: accepted, or rejected with a code."""

    name: str
    sha256: str
    state: str
    code: str | None


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class Listed(Struct, frozen=True):
    """One file for the originator."""

    sequence: int
    name: str


class InboundListing(Struct, frozen=True):
    """Files for the originator, by number."""

    files: tuple[Listed, ...]


class InboundFile(Struct, frozen=True):
    """A file for the originator; `content` is base64."""

    name: str
    sha256: str
    content: str


class OtherLine(Struct, frozen=True):
    """One entry of ours as the other bank's statement shows it."""

    flow: str
    amount_cents: str
    description: str
    returned: bool


class OtherStatement(Struct, frozen=True):
    """What an account at another bank shows of our entries."""

    lines: tuple[OtherLine, ...]
