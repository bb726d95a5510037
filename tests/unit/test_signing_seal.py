"""Sealers: what a location's keys at rest hang on, and what memory they lie in."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sdt.signing.locked import LockedBytes, wipe
from sdt.signing.seal import SealBroken, new_salt_text, open_sealer


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_passphrase_opens_what_it_sealed_and_another_does_not(tmp_path):
    # given a folder sealed by a passphrase
    (tmp_path / "seal.salt").write_text(new_salt_text())
    words = private(tmp_path / "words", b"correct horse battery staple\n")
    sealed = open_sealer("passphrase", tmp_path, words).seal(b"label", b"secret")
    # then the same words open it, with or without the end of the line
    private(tmp_path / "words", b"correct horse battery staple")
    assert open_sealer("passphrase", tmp_path, words).unseal(b"label", sealed) == b"secret"
    # and neither other words, nor another salt
    private(tmp_path / "words", b"correct horse battery stable")
    with pytest.raises(SealBroken):
        open_sealer("passphrase", tmp_path, words).unseal(b"label", sealed)
    private(tmp_path / "words", b"correct horse battery staple")
    (tmp_path / "seal.salt").write_text(new_salt_text())
    with pytest.raises(SealBroken):
        open_sealer("passphrase", tmp_path, words).unseal(b"label", sealed)


@pytest.mark.parametrize("salt", ["", "sdt-seal-1 argon2id AAAA", "sdt-seal-1 argon2id !", "something else"])
def test_a_spoilt_salt_is_said_so(tmp_path, salt):
    (tmp_path / "seal.salt").write_text(salt)
    with pytest.raises(SealBroken) as broken:
        open_sealer("passphrase", tmp_path, private(tmp_path / "words", b"words"))
    assert broken.value.code == "seal_key"


def test_a_passphrase_that_others_may_read_or_that_is_missing_or_empty_is_refused(tmp_path):
    (tmp_path / "seal.salt").write_text(new_salt_text())
    words = private(tmp_path / "words", b"words")
    words.chmod(0o604)
    for file in (words, tmp_path / "missing", private(tmp_path / "empty", b"\n"), None):
        with pytest.raises(SealBroken):
            open_sealer("passphrase", tmp_path, file)


def test_what_is_taken_into_locked_memory_is_wiped_where_it_was():
    secret = bytearray(b"k" * 32)
    held = LockedBytes(secret)
    assert secret == bytes(32)
    assert bytes(held.pointer[at] for at in range(32)) == b"k" * 32
    # and wiped when nobody holds it
    held.wipe()
    assert [held.pointer[at] for at in range(32)] == [0] * 32
    del held
    gc.collect()
    other = bytearray(b"part")
    wipe(other)
    assert other == bytes(4)


def test_locked_memory_is_locked():
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < 2**20:
        pytest.skip("RLIMIT_MEMLOCK is too low to tell")

    def locked_kb() -> int:
        return int(Path("/proc/self/status").read_text().partition("VmLck:")[2].split()[0])

    before = locked_kb()
    held = LockedBytes(b"key")
    assert held.is_locked
    assert locked_kb() > before


@pytest.mark.slow
def test_a_system_that_refuses_to_lock_is_warned_of_once_and_the_seal_works():
    program = (
        "import logging, resource, os\n"
        "logging.basicConfig(level=logging.WARNING)\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n"
        "from sdt.signing.seal import BoxSealer, new_seal_key\n"
        "for _ in range(2):\n"
        "    sealer = BoxSealer(new_seal_key())\n"
        "    assert sealer.unseal(b'a', sealer.seal(b'a', b'b')) == b'b'\n"
        "print('locked' if sealer._key.is_locked else 'not locked')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    warned = result.stderr.count("RLIMIT_MEMLOCK")
    assert (result.stdout.strip(), warned) in {("not locked", 1), ("locked", 0)}, result.stderr  # root may lock anyway
