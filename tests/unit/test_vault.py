"""The sealed file: what it keeps, what it shows to others, and what it refuses to open."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from sdt.adapters.vault import (
    BadSecretName,
    SealedFile,
    Secret,
    SecretExists,
    SecretNotFound,
    VaultProtocol,
    VaultUnreadable,
)

VALUE = b"correct horse battery staple"


def opened(folder: Path) -> SealedFile:
    return SealedFile.open(folder / "secrets.sealed", folder / "secrets.key")


@pytest.fixture
def vault(tmp_path: Path) -> VaultProtocol:
    return opened(tmp_path)


def test_what_is_put_is_got_by_another_process(vault: VaultProtocol, tmp_path: Path) -> None:
    vault.put("vendors/bank/key", VALUE)
    code = (
        "import sys; from pathlib import Path; from sdt.adapters.vault import SealedFile;"
        "f = Path(sys.argv[1]); v = SealedFile.open(f / 'secrets.sealed', f / 'secrets.key');"
        "print(v.list(), v.get('vendors/bank/key').text())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"['vendors/bank/key'] {VALUE.decode()}\n"


def test_a_rotation_shows_without_a_restart_and_keeps_the_previous_value(vault: VaultProtocol, tmp_path: Path) -> None:
    vault.put("webhook", b"one")
    reader = opened(tmp_path)
    assert (reader.get("webhook").reveal(), reader.previous("webhook")) == (b"one", None)
    vault.rotate("webhook", b"two")
    assert (reader.get("webhook"), reader.previous("webhook")) == (Secret(b"two"), Secret(b"one"))


def test_two_writers_lose_nothing(vault: VaultProtocol, tmp_path: Path) -> None:
    other = opened(tmp_path)
    for i in range(5):
        vault.put(f"a{i}", b"x")
        other.put(f"b{i}", b"x")
    assert len(vault.list()) == len(other.list()) == 10


def test_files_are_nobody_elses_and_hold_nothing_in_the_clear(vault: VaultProtocol, tmp_path: Path) -> None:
    vault.put("bank", VALUE)
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
        assert VALUE not in file.read_bytes()
        assert b"bank" not in file.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".secrets.sealed.lock",
        "secrets.key",
        "secrets.sealed",
    ]


def test_a_secret_does_not_show_by_accident(vault: VaultProtocol, caplog: pytest.LogCaptureFixture) -> None:
    vault.put("bank", VALUE)
    secret = vault.get("bank")
    logging.getLogger("t").warning("%s %r %s", secret, [secret], vault)
    shown = caplog.text + f"{secret} {secret!r} {vars(vault)!r}"
    assert "horse" not in shown
    assert b64encode(VALUE).decode() not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_a_name_twice_an_unknown_name_and_a_bad_name_are_refused(vault: VaultProtocol) -> None:
    vault.put("bank", VALUE)
    with pytest.raises(SecretExists):
        vault.put("bank", b"other")
    with pytest.raises(SecretNotFound):
        vault.get("bnak")
    with pytest.raises(SecretNotFound):
        vault.rotate("bnak", b"other")
    for name in ("", "Bank", "a//b", "/a", "a/", "a b", "a" * 129):
        with pytest.raises(BadSecretName):
            vault.put(name, b"x")
    assert vault.get("bank").reveal() == VALUE


def test_a_changed_byte_anywhere_is_noticed(vault: VaultProtocol, tmp_path: Path) -> None:
    vault.put("bank", VALUE)
    file = tmp_path / "secrets.sealed"
    whole = file.read_bytes()
    for position in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[position] ^= 1
        file.write_bytes(bytes(changed))
        with pytest.raises(VaultUnreadable):
            opened(tmp_path).get("bank")
    file.write_bytes(whole[:-1])
    with pytest.raises(VaultUnreadable):
        vault.get("bank")


def test_another_key_opens_nothing(vault: VaultProtocol, tmp_path: Path) -> None:
    vault.put("bank", VALUE)
    key = tmp_path / "secrets.key"
    key.write_bytes(bytes(32))
    with pytest.raises(VaultUnreadable, match="another key"):
        opened(tmp_path)
    key.unlink()
    with pytest.raises(VaultUnreadable, match="No such file"):
        opened(tmp_path)
    assert not key.exists(), "a lost key is not replaced by one that cannot open the vault"


@pytest.mark.parametrize("name", ["secrets.key", "secrets.sealed"])
def test_a_file_open_to_others_is_refused(vault: VaultProtocol, tmp_path: Path, name: str) -> None:
    os.chmod(tmp_path / name, 0o640)
    with pytest.raises(VaultUnreadable, match="chmod 600"):
        opened(tmp_path)


@pytest.mark.slow
def test_a_passphrase_opens_what_it_sealed(tmp_path: Path) -> None:
    sealed, key, passphrase = (tmp_path / name for name in ("sealed", "key", "passphrase"))
    passphrase.write_text("open sesame\n")
    passphrase.chmod(0o600)
    SealedFile.open(sealed, key, passphrase).put("bank", VALUE)
    assert SealedFile.open(sealed, key, passphrase).get("bank").reveal() == VALUE
    assert not key.exists()
    with pytest.raises(VaultUnreadable, match="sealed with a passphrase"):
        SealedFile.open(sealed, key)
    passphrase.write_text("open barley")
    with pytest.raises(VaultUnreadable, match="another key"):
        SealedFile.open(sealed, key, passphrase)


def test_a_write_that_fails_leaves_the_old_file(
    vault: VaultProtocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.put("bank", VALUE)

    def disk_full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        vault.rotate("bank", b"new")
    monkeypatch.undo()
    assert opened(tmp_path).get("bank").reveal() == VALUE
    assert len(list(tmp_path.iterdir())) == 3
