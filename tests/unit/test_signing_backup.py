"""Sealed backups of shares: what opens them, what does not, and what two of them give."""

from __future__ import annotations

import json
import secrets
import stat

import pytest

from sdt.domain.errors import SdtError
from sdt.signing import backup
from sdt.signing.curve import ORDER, multiply_base
from sdt.signing.keyring import ChainKey

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Derive keys with little memory: the real cost is libsodium's affair."""
    monkeypatch.setattr(backup, "MEMORY_BYTES", 2**20)


def shares(epoch: int, secret: int):
    slope = secrets.randbelow(ORDER)
    values = [(secret + party * slope) % ORDER for party in (1, 2, 3)]
    one, two, three = map(multiply_base, values)
    return ChainKey(epoch, secrets.token_bytes(16), multiply_base(secret), (one, two, three)), values


def exported(folder, key, values, party, name=""):
    path = folder / f"{name}{key.epoch}-{party}.json"
    backup.export(path, PASSPHRASE, "test", party, key, values[party - 1].to_bytes(32, "big"))
    return path


def test_two_backups_of_one_epoch_give_the_key_and_two_of_different_epochs_do_not(tmp_path):
    secret = 1 + secrets.randbelow(ORDER - 1)
    key, values = shares(1, secret)
    one, three = (backup.read(exported(tmp_path, key, values, party), PASSPHRASE) for party in (1, 3))
    assert backup.assemble(one, three) == secret
    later, new = shares(2, secret)
    two = backup.read(exported(tmp_path, later, new, 2), PASSPHRASE)
    with pytest.raises(SdtError) as refused:
        backup.assemble(one, two)
    assert refused.value.code == "other_epoch"
    with pytest.raises(SdtError) as refused:
        backup.assemble(one, one)
    assert refused.value.code == "same_location"
    backup.keep_key(tmp_path / "key.json", PASSPHRASE, one.header, secret)
    assert backup.read(tmp_path / "key.json", PASSPHRASE).secret == secret


def test_a_backup_is_private_shows_no_secret_and_is_never_written_over(tmp_path):
    key, values = shares(1, 7)
    path = exported(tmp_path, key, values, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    opened = backup.read(path, PASSPHRASE)
    assert f"{values[1]:064x}" not in path.read_text() and str(values[1]) not in repr(opened)
    with pytest.raises(FileExistsError):
        exported(tmp_path, key, values, 2)


def test_another_passphrase_or_any_change_opens_nothing(tmp_path):
    key, values = shares(1, 7)
    path = exported(tmp_path, key, values, 2)
    whole = json.loads(path.read_text())
    with pytest.raises(backup.BackupBroken):
        backup.read(path, PASSPHRASE + "x")
    for field, value in (("epoch", 2), ("party", 1), ("network", "other"), ("job", "00"), ("salt", "00" * 16)):
        changed = {**whole, "header": {**whole["header"], field: value}}
        header = backup.msgspec.convert(changed["header"], backup.Header)
        changed["checksum"] = backup._checksum(header, bytes.fromhex(whole["sealed"]))
        path.write_text(json.dumps(changed))
        with pytest.raises(backup.BackupBroken):
            backup.read(path, PASSPHRASE)


def test_a_share_that_does_not_stand_for_its_point_is_found(tmp_path):
    key, values = shares(1, 7)
    path = tmp_path / "wrong.json"
    backup.export(path, PASSPHRASE, "test", 2, key, values[0].to_bytes(32, "big"))
    with pytest.raises(backup.BackupBroken, match="does not stand for its point"):
        backup.read(path, PASSPHRASE)


def test_a_short_passphrase_is_refused(tmp_path):
    key, values = shares(1, 7)
    with pytest.raises(SdtError) as refused:
        backup.export(tmp_path / "a", "short", "test", 2, key, values[1].to_bytes(32, "big"))
    assert refused.value.code == "short_passphrase"
