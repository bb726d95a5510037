"""A folder as one string of bytes, as it goes into an enclave and out of it: plain files, their names and no more."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sdt.domain.errors import Invalid

FOLDER_BYTES_MAX: Final = 64 * 2**20
FILES_MAX: Final = 64
_NAME: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,63}")


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files as one archive, the same for the same files. Errors: Invalid for a name that `unpack` refuses."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            _check_name(name)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o600
            archive.addfile(entry, io.BytesIO(files[name]))
    return out.getvalue()


def unpack(raw: bytes) -> dict[str, bytes]:
    """Return the files of an archive: regular ones with plain names, and nothing else in it.

    Errors: Invalid.
    """
    files: dict[str, bytes] = {}
    if len(raw) > FOLDER_BYTES_MAX:
        raise Invalid("The folder is larger than any.", code="enclave_folder")
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for entry in archive:
                _check_name(entry.name)
                if not entry.isreg() or entry.issparse() or entry.name in files or len(files) >= FILES_MAX:
                    raise Invalid("The folder holds what is no plain file, or one twice.", code="enclave_folder")
                content = archive.extractfile(entry)
                files[entry.name] = content.read() if content else b""
    except (tarfile.TarError, EOFError, ValueError, OverflowError):
        raise Invalid("The folder cannot be read.", code="enclave_folder") from None
    return files


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the plain files of a folder. Errors: Invalid when they are too many or too large."""
    found = sorted(path for path in folder.iterdir() if path.is_file())
    if len(found) > FILES_MAX or sum(path.stat().st_size for path in found) > FOLDER_BYTES_MAX:
        raise Invalid(f"{folder.name} holds too much for an enclave.", code="enclave_folder")
    return {path.name: path.read_bytes() for path in found}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files that only their owner may read, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        _check_name(name)
        beside = folder / f"{name}.new"
        beside.touch(mode=0o600)
        beside.write_bytes(content)
        beside.replace(folder / name)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid("The folder holds a name that is none.", code="enclave_folder")
