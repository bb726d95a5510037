"""A sealed copy of one location's share under a passphrase, and putting a key together from two of them.

A presignature is a share of the key too, and is in no backup. A copy is of one epoch: after a refresh it goes with no
newer one, but two copies of one epoch give the key for ever, so old ones are destroyed as part of the ceremony.
The header is readable by anybody and sealed in with the share: change one byte of it and nothing opens.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from sdt.domain.errors import Conflict, Invalid, Unprocessable
from sdt.signing import sharing
from sdt.signing.curve import ORDER, BadPoint, multiply_base, on_line_at_zero
from sdt.signing.keyring import ChainKey, address_of
from sdt.signing.pki import write_secret

SHARE_FORMAT: Final = "sdt share backup 1"
KEY_FORMAT: Final = "sdt assembled key 1"
PASSES: Final = 3
MEMORY_BYTES: Final = 256 * 2**20
"""Argon2id for what lies in a safe for years: libsodium's MODERATE. Source: libsodium, "Password hashing"."""
PASSPHRASE_CHARACTERS_MIN: Final = 16


class BackupBroken(Unprocessable):
    """A backup that does not open, or does not hold what it says."""

    code = "backup_broken"


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself. Shape: hex; party 0 in an assembled key; points by party − 1."""

    format: str
    network: str
    epoch: int
    party: int
    job: str
    public: str
    points: tuple[str, str, str]
    salt: str


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    header: Header
    sealed: str
    checksum: str


@dataclass(frozen=True)
class Backup:
    """An opened backup; the secret is never printed."""

    header: Header
    secret: int

    def __repr__(self) -> str:
        return f"Backup(epoch={self.header.epoch}, party={self.header.party})"

    @property
    def address(self) -> str:
        """The chain key's address."""
        return "0x" + address_of(bytes.fromhex(self.header.public)).hex()


def export(path: Path, passphrase: str, network: str, party: int, key: ChainKey, secret: bytes | bytearray) -> None:
    """Seal one location's share into a new file, 0600.

    Errors: Invalid for a short passphrase; FileExistsError.
    """
    _write(path, passphrase, SHARE_FORMAT, network, party, key, secret)


def _write(
    path: Path, passphrase: str, kind: str, network: str, party: int, key: ChainKey, secret: bytes | bytearray
) -> None:
    if len(passphrase) < PASSPHRASE_CHARACTERS_MIN:
        raise Invalid(f"A passphrase has at least {PASSPHRASE_CHARACTERS_MIN} characters.", code="short_passphrase")
    one, two, three = (point.hex() for point in key.points)
    salt = random(argon2id.SALTBYTES)
    header = Header(kind, network, key.epoch, party, key.job.hex(), key.public.hex(), (one, two, three), salt.hex())
    sealed = bytes(_box(passphrase, salt).encrypt(_digest(header) + bytes(secret)))
    file = {"header": msgspec.to_builtins(header), "sealed": sealed.hex(), "checksum": _checksum(header, sealed)}
    write_secret(path, json.dumps(file, indent=2).encode() + b"\n")


def read(path: Path, passphrase: str) -> Backup:
    """Open a backup and check it: checksum, seal, and that the share stands for its point and the points for the key.

    Errors: BackupBroken.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        sealed, salt = bytes.fromhex(file.sealed), bytes.fromhex(file.header.salt)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise BackupBroken(f"{path.name} cannot be read: {error}.") from None
    header = file.header
    if header.format not in (SHARE_FORMAT, KEY_FORMAT) or len(salt) != argon2id.SALTBYTES:
        raise BackupBroken(f"{path.name} is not of a form that this program knows.")
    if _checksum(header, sealed) != file.checksum:
        raise BackupBroken(f"{path.name} was damaged: its checksum is another one.")
    try:
        opened = _box(passphrase, salt).decrypt(sealed)
    except (CryptoError, ValueError):
        raise BackupBroken(f"{path.name} does not open: another passphrase, or it was changed.") from None
    if len(opened) != 64 or opened[:32] != _digest(header):
        raise BackupBroken(f"{path.name} does not hold what its header says.")
    backup = Backup(header, int.from_bytes(opened[32:], "big"))
    _check_points(path, backup)
    return backup


def _check_points(path: Path, backup: Backup) -> None:
    header = backup.header
    try:
        one, two, three = (bytes.fromhex(point) for point in header.points)
        public = bytes.fromhex(header.public)
        expected = public if header.party == 0 else (one, two, three)[header.party - 1]
        good = multiply_base(backup.secret) == expected and on_line_at_zero(one, two, three) == public
    except (BadPoint, ValueError, IndexError, OverflowError):
        good = False
    if not good:
        raise BackupBroken(f"The share in {path.name} does not stand for its point, or the points not for the key.")


def assemble(first: Backup, second: Backup) -> int:
    """Return the key that two locations' shares of one epoch give. This is the whole key: see `recover` in the CLI.

    Errors: Conflict when they do not belong together; BackupBroken when they give another key.
    """
    one, two = first.header, second.header
    if SHARE_FORMAT not in (one.format,) or two.format != SHARE_FORMAT:
        raise Conflict("Both files must be backups of shares.", code="not_shares")
    if one.party == two.party:
        raise Conflict("Both backups are of the same location; two locations are needed.", code="same_location")
    if (one.network, one.epoch, one.job, one.public, one.points) != (
        two.network,
        two.epoch,
        two.job,
        two.public,
        two.points,
    ):
        raise Conflict("These backups are of different epochs or keys; they give nothing together.", code="other_epoch")
    secret = sharing.weight(one.party, two.party) * first.secret + sharing.weight(two.party, one.party) * second.secret
    if multiply_base(secret % ORDER) != bytes.fromhex(one.public):
        raise BackupBroken("The two shares give another key.")
    return secret % ORDER


def keep_key(path: Path, passphrase: str, of: Header, secret: int) -> None:
    """Seal the assembled key into a new file, 0600. Errors: Invalid, FileExistsError."""
    one, two, three = (bytes.fromhex(point) for point in of.points)
    key = ChainKey(of.epoch, bytes.fromhex(of.job), bytes.fromhex(of.public), (one, two, three))
    _write(path, passphrase, KEY_FORMAT, of.network, 0, key, secret.to_bytes(32, "big"))


def _box(passphrase: str, salt: bytes) -> SecretBox:
    return SecretBox(
        argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=PASSES, memlimit=MEMORY_BYTES)
    )


def _digest(header: Header) -> bytes:
    return hashlib.sha256(_canonical(msgspec.to_builtins(header))).digest()


def _checksum(header: Header, sealed: bytes) -> str:
    return hashlib.sha256(_digest(header) + sealed).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
