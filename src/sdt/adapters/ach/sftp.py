"""Delivery by SFTP: OpenSSH's own client in batch mode, the bank's host key pinned, our key and no password.

A program that every bank's operators know speaks the protocol; nothing here re-implements it. As with a folder, a file
is uploaded under a name the bank leaves alone (`NAME.part`), marked, then renamed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from sdt.adapters.ach.marks import INBOUND_BYTES_MAX, Marks, checked
from sdt.domain.errors import NotFound, Unavailable
from sdt.ports.ach_files import FILE_NAME, FileStanding, Inbound
from sdt.ports.evidence import StateUnknown, VendorFault

__all__ = ["SftpAchFiles", "sftp_command"]

log = logging.getLogger(__name__)
_PART: Final = ".part"


def sftp_command(host: str, port: int, user: str, identity: Path, known_hosts: Path) -> tuple[str, ...]:
    """Return the client's command line: it asks nobody anything, and trusts the host key in one file alone."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "PasswordAuthentication": "no",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "15",
    }
    flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
    return ("sftp", "-F", "/dev/null", *flags, "-i", str(identity), "-P", str(port), f"{user}@{host}")


class SftpAchFiles:
    """The `AchFiles` port over SFTP; `command` is the client without its batch. Units: `timeout_s` for each session."""

    def __init__(
        self, command: Sequence[str], outgoing: str, incoming: str, marks: Path, *, timeout_s: float = 120
    ) -> None:
        assert command and command[0].endswith("sftp"), "the client is OpenSSH's sftp"
        self._command = (command[0], "-b", "-", "-q", *command[1:])
        self._outgoing = PurePosixPath(outgoing)
        self._incoming = PurePosixPath(incoming)
        self._marks = Marks(marks)
        self._timeout_s = timeout_s

    async def put(self, name: str, data: bytes) -> None:
        """Hand a file to the bank."""
        checked(name)
        part, final = self._outgoing / (name + _PART), self._outgoing / name
        digest = hashlib.sha256(data).hexdigest()
        if not self._marks.has(name, digest):
            with tempfile.NamedTemporaryFile(prefix="sdt-ach-") as local:
                local.write(data)
                local.flush()
                # Under this name the bank does not look: an upload that broke off is written over by the next.
                await self._session(f'put "{local.name}" "{part}"')
            self._marks.put(name, digest)
        elif await self.standing(name, digest) is FileStanding.PRESENT:
            return
        try:
            await self._session(f'rename "{part}" "{final}"')
        except Unavailable:
            raise StateUnknown("The SFTP server did not say whether it took the file.") from None

    async def standing(self, name: str, digest: str) -> FileStanding:
        """Return whether the bank has a file: without its staged copy it does. Errors: Conflict."""
        if not self._marks.has(checked(name), digest):
            return FileStanding.ABSENT
        staged = name + _PART in await self._names(self._outgoing)
        return FileStanding.ABSENT if staged else FileStanding.PRESENT

    async def inbound(self, after: int) -> Inbound:
        """Return the names of all files for us: they carry no numbers."""
        names = [name for name in await self._names(self._incoming) if not name.endswith(_PART)]
        return Inbound(tuple(sorted(name for name in names if FILE_NAME.fullmatch(name))), after)

    async def fetch(self, name: str) -> bytes:
        """Return a file for us."""
        with tempfile.TemporaryDirectory(prefix="sdt-ach-") as folder:
            local = Path(folder) / checked(name)
            if name not in await self._names(self._incoming):
                raise NotFound(f"There is no file {name}.", code="ach_file_unknown")
            await self._session(f'get "{self._incoming / name}" "{local}"')
            if local.stat().st_size > INBOUND_BYTES_MAX:
                raise VendorFault(f"{name} is larger than {INBOUND_BYTES_MAX} bytes.")
            return await asyncio.to_thread(local.read_bytes)

    async def _names(self, folder: PurePosixPath) -> list[str]:
        listed = await self._session(f'ls -1 "{folder}"')
        lines = [line.strip() for line in listed.splitlines() if not line.startswith("sftp>")]
        return [PurePosixPath(line).name for line in lines if line]

    async def _session(self, commands: str) -> str:
        """Run one batch. Errors: Unavailable, without what the client says: it names hosts and files."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise Unavailable("OpenSSH's sftp cannot be started.", code="sftp_client") from error
        try:
            async with asyncio.timeout(self._timeout_s):
                output, said = await process.communicate(commands.encode() + b"\n")
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Unavailable("The SFTP server does not answer.", code="sftp_unavailable") from None
        if process.returncode:
            log.warning("sftp ended with %d: %s", process.returncode, said.decode(errors="replace")[-500:].strip())
            raise Unavailable("The SFTP server did not do what was asked.", code="sftp_unavailable")
        return output.decode(errors="replace")

    async def close(self) -> None:
        """Each session closes itself."""
