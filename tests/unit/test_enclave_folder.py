"""What goes into an enclave and out of it, and what its first process does to the system."""

from __future__ import annotations

import io
import struct
import tarfile

import pytest

from enclave_rig import Nitro, StandInModule
from sdt.domain.errors import Invalid
from sdt.signing.enclave import system
from sdt.signing.enclave.folder import pack, read_files, unpack, write_files
from sdt.signing.enclave.nsm import Nsm


def test_a_folder_comes_out_as_it_went_in(tmp_path):
    files = {"signer.toml": b"party = 1\n", "tls.key": b"\0" * 1000, "empty": b""}
    write_files(tmp_path / "one", files)
    raw = pack(read_files(tmp_path / "one"))
    assert unpack(raw) == files and pack(unpack(raw)) == raw
    assert all(path.stat().st_mode & 0o77 == 0 for path in (tmp_path / "one").iterdir())


def archive(*entries: tuple[str, bytes, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.linkname = kind, len(content), "/etc/passwd"
            made.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        archive(("../evil", tarfile.REGTYPE, b"x")),
        archive(("/etc/passwd", tarfile.REGTYPE, b"x")),
        archive(("a/b", tarfile.REGTYPE, b"x")),
        archive((".hidden", tarfile.REGTYPE, b"x")),
        archive(("link", tarfile.SYMTYPE, b"")),
        archive(("link", tarfile.LNKTYPE, b"")),
        archive(("device", tarfile.CHRTYPE, b"")),
        archive(("folder", tarfile.DIRTYPE, b"")),
        archive(("twice", tarfile.REGTYPE, b"x"), ("twice", tarfile.REGTYPE, b"y")),
        archive(*((f"f{at}", tarfile.REGTYPE, b"x") for at in range(65))),
        b"no archive at all" * 100,
        archive(("cut", tarfile.REGTYPE, b"x" * 5000))[:2000],
    ],
)
def test_an_archive_with_anything_else_in_it_is_refused(raw):
    with pytest.raises(Invalid):
        unpack(raw)


def test_a_name_that_would_be_refused_is_not_packed():
    with pytest.raises(Invalid):
        pack({"../x": b""})


def test_what_is_mounted_already_is_left_alone():
    table = "proc /proc proc rw 0 0\ndevtmpfs /dev devtmpfs rw 0 0\n"
    done: list[tuple[str, str, str, int]] = []
    assert system.mount_all(lambda *what: done.append(what), table) == ["/sys", "/tmp", "/run"]
    assert [each[2] for each in done] == ["sysfs", "tmpfs", "tmpfs"]
    assert all(flags == system.MOUNT_FLAGS for *_, flags in done)
    assert system.mount_all(lambda *what: done.append(what), "\n".join(f"x {m[1]} x" for m in system.MOUNTS)) == []


def test_this_machines_own_loopback_is_up_and_stays_up():
    assert system.loopback_up() is False


def test_the_kernel_is_seeded_with_the_modules_bytes_and_told_how_many(tmp_path):
    (tmp_path / "nsm").touch()
    device, given = tmp_path / "random", []
    count = system.seed(
        Nsm(tmp_path / "nsm", StandInModule(Nitro()).ioctl),
        device,
        lambda descriptor, number, content: given.append((number, content)),
    )
    [(number, content)] = given
    bits, size, random = struct.unpack(f"ii{count}s", content)
    assert (number, bits, size, len(random)) == (0x40085203, 8 * count, count, system.SEED_BYTES)
    assert len(set(random)) > 100
