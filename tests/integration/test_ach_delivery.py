"""The three ways of delivering ACH files, against what really stands at the other end: folders, OpenSSH, a bank."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox_servers import FAMILIES, sandbox

import outside
from sdt.adapters.ach import ApiAchFiles, FolderAchFiles, SftpAchFiles, sftp_command
from sdt.domain.errors import Conflict, Invalid, NotFound, Unavailable
from sdt.ports.ach_files import AchFiles, FileStanding
from sdt.ports.evidence import StateUnknown

pytestmark = pytest.mark.slow
NAME = "TXD-20261130-A.ach"
DIGEST = hashlib.sha256(b"101").hexdigest()
SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/sftp-server")


def sftp_server() -> str:
    """Return OpenSSH's own server program."""
    named = os.environ.get("SFTP_SERVER_PROGRAM")
    found = next((path for path in (named, *SERVERS) if path and Path(path).is_file()), None)
    if found is None or shutil.which("sftp") is None:
        outside.lacking("OpenSSH's sftp and sftp-server: apt-get install openssh-client openssh-sftp-server")
    return found


@dataclass
class Bank:
    """A bank's two folders, and the way to them."""

    files: AchFiles
    outgoing: Path
    incoming: Path

    def found(self) -> list[str]:
        """What the bank finds where it looks."""
        return sorted(path.name for path in self.outgoing.glob("*.ach"))


@pytest.fixture(params=["folder", "sftp"])
async def bank(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bank]:
    outgoing, incoming, marks = tmp_path / "out", tmp_path / "in", tmp_path / "marks"
    outgoing.mkdir()
    incoming.mkdir()
    files: AchFiles
    if request.param == "folder":
        files = FolderAchFiles(outgoing, incoming, marks)
    else:
        files = SftpAchFiles(("sftp", "-D", sftp_server()), str(outgoing), str(incoming), marks, timeout_s=20)
    yield Bank(files, outgoing, incoming)
    await files.close()


async def test_a_file_is_put_whole_and_once(bank: Bank) -> None:
    data = b"101 a file\n" * 1_000
    digest = hashlib.sha256(data).hexdigest()
    assert await bank.files.standing(NAME, digest) is FileStanding.ABSENT
    await bank.files.put(NAME, data)
    await bank.files.put(NAME, data)

    assert bank.found() == [NAME]
    assert (bank.outgoing / NAME).read_bytes() == data
    assert await bank.files.standing(NAME, digest) is FileStanding.PRESENT


async def test_what_the_bank_took_away_is_not_put_again(bank: Bank) -> None:
    await bank.files.put(NAME, b"101")
    (bank.outgoing / NAME).unlink()

    assert await bank.files.standing(NAME, DIGEST) is FileStanding.PRESENT
    await bank.files.put(NAME, b"101")
    assert bank.found() == []


async def test_a_name_is_used_for_one_file(bank: Bank) -> None:
    await bank.files.put(NAME, b"101")
    with pytest.raises(Conflict):
        await bank.files.put(NAME, b"102")
    with pytest.raises(Conflict):
        await bank.files.standing(NAME, hashlib.sha256(b"102").hexdigest())
    assert (bank.outgoing / NAME).read_bytes() == b"101"


async def test_the_banks_files_are_listed_and_fetched(bank: Bank) -> None:
    assert (await bank.files.inbound(0)).names == ()
    (bank.incoming / "returns-2026-11-30.ach").write_bytes(b"101 returns")
    (bank.incoming / "a name with spaces").write_bytes(b"no")

    listed = await bank.files.inbound(7)

    assert (listed.names, listed.next_after) == (("returns-2026-11-30.ach",), 7)
    assert await bank.files.fetch("returns-2026-11-30.ach") == b"101 returns"
    with pytest.raises(NotFound):
        await bank.files.fetch("returns-2026-12-01.ach")


@pytest.mark.parametrize("name", ["../x.ach", "a b", '"; rm x', ".hidden", "a\nget secret"])
async def test_a_name_that_could_mean_something_else_is_refused(bank: Bank, name: str) -> None:
    for use in (bank.files.standing(name, DIGEST), bank.files.fetch(name), bank.files.put(name, b"x")):
        with pytest.raises(Invalid):
            await use


async def test_an_upload_that_broke_off_before_the_rename_is_finished(tmp_path: Path) -> None:
    outgoing = tmp_path / "out"
    outgoing.mkdir()
    files = SftpAchFiles(("sftp", "-D", sftp_server()), str(outgoing), str(tmp_path), tmp_path / "marks")
    session: Callable[[str], object] = files._session

    async def without_rename(commands: str) -> object:
        if commands.startswith("rename"):
            raise Unavailable("the line broke")
        return await session(commands)  # type: ignore[misc]

    files._session = without_rename  # type: ignore[method-assign,assignment]
    with pytest.raises(StateUnknown):
        await files.put(NAME, b"101")
    assert [path.name for path in outgoing.iterdir()] == [NAME + ".part"]
    assert await files.standing(NAME, DIGEST) is FileStanding.ABSENT

    files._session = session  # type: ignore[method-assign,assignment]
    await files.put(NAME, b"101")
    assert [path.name for path in outgoing.iterdir()] == [NAME]
    assert await files.standing(NAME, DIGEST) is FileStanding.PRESENT


async def test_a_server_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    if shutil.which("sftp") is None:
        outside.lacking("OpenSSH's sftp: apt-get install openssh-client")
    command = sftp_command("127.0.0.1", 1, "sdt", tmp_path / "key", tmp_path / "known_hosts")
    assert "StrictHostKeyChecking=yes" in command
    assert "PasswordAuthentication=no" in command
    files = SftpAchFiles(command, "out", "in", tmp_path / "marks", timeout_s=20)

    with pytest.raises(Unavailable):
        await files.put(NAME, b"101")
    assert await files.standing(NAME, DIGEST) is FileStanding.ABSENT


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_banks_api_takes_a_file_once_though_it_does_not_answer(tmp_path: Path, family: str) -> None:
    # An entry to this account number makes the bank take the file and say nothing for fifteen seconds.
    silent = b"101 to 9990000408, and the rest is no file"
    with sandbox(tmp_path, "bank", "--program", "TXD", family=family) as (running, _):
        files = ApiAchFiles(running.vendor("ach-files", "bank", timeout_s=0.5))

        await files.put(NAME, silent)

        assert await files.standing(NAME, hashlib.sha256(silent).hexdigest()) is FileStanding.PRESENT
        with pytest.raises(Conflict):
            await files.standing(NAME, DIGEST)
        assert await files.standing("TXD-20261130-B.ach", DIGEST) is FileStanding.ABSENT
        listed = await files.inbound(0)
        assert listed.names == (f"ack-{NAME}.json",)
        assert b"not_well_formed" in await files.fetch(listed.names[0])
        assert (await files.inbound(listed.next_after)).names == ()
        with pytest.raises(Conflict):
            await files.put(NAME, b"other bytes")
        await files.close()
