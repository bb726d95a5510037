"""Sealing of what a signer keeps at rest: shares, presignatures, its own signing key.

The label is sealed in with the secret, so that one sealed value cannot be put in another's place. A hardware module is
one more `Sealer`; the one here takes its key from a file, from a passphrase, from a command, the tool with which a key
service hands it out, or in an enclave from AWS KMS.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from nacl._sodium import ffi, lib  # type: ignore[import-not-found]  # cffi, without stubs
from nacl.pwhash import argon2id

from sdt.domain.errors import SdtError, Unavailable
from sdt.signing.enclave.kms import sealing_key
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.locked import LockedBytes, wipe

SealKind = Literal["file", "passphrase", "command", "kms"]
KEY_FILE: Final = "seal.key"
SALT_FILE: Final = "seal.salt"
KEY_BYTES: Final = 32
PASSES: Final = 3
MEMORY_BYTES: Final = 64 * 2**20
"""Argon2id for a passphrase. Source: RFC 9106, 4, the second recommended choice: a signer has 150 MB at most."""

COMMAND_TIMEOUT_S: Final = 30.0

_LABEL_BYTES: Final = 16
_NONCE_BYTES: Final = 24
_MAC_BYTES: Final = 16
_SALT_HEADER: Final = "sdt-seal-1 argon2id "


class SealBroken(Unavailable):
    """A sealed value does not open: another key, another label, or changed bytes."""

    code = "seal_broken"


class Sealer(Protocol):
    """Seals secrets at rest."""

    def seal(self, label: bytes, secret: bytes | bytearray) -> bytes:
        """Return the secret sealed under its label."""

    def unseal(self, label: bytes, sealed: bytes) -> bytearray:
        """Return the secret, for the caller to wipe. Errors: SealBroken."""


class BoxSealer:
    """Seals with libsodium's secretbox (XSalsa20-Poly1305) under one 32-byte key, which lies in locked memory."""

    def __init__(self, key: bytes | bytearray) -> None:
        if len(key) != KEY_BYTES:
            raise SealBroken("That is not a sealing key.", code="seal_key")
        self._key = LockedBytes(key)

    def __repr__(self) -> str:
        return "BoxSealer()"

    @classmethod
    def from_file(cls, path: Path) -> BoxSealer:
        """Read the key from a file that only its owner may read.

        Errors: SealBroken when others may, or it is not a key.
        """
        return cls(_read_private(path))

    @classmethod
    def from_passphrase(cls, salt_file: Path, passphrase_file: Path) -> BoxSealer:
        """Derive the key from a passphrase by Argon2id.

        The passphrase's file should lie where a reboot or an operator puts it, not on the disk that holds the shares.
        Errors: SealBroken.
        """
        try:
            header = salt_file.read_text()
            salt = base64.b64decode(header.removeprefix(_SALT_HEADER).strip(), validate=True)
        except (OSError, ValueError):
            salt = b""
        if len(salt) != argon2id.SALTBYTES or not header.startswith(_SALT_HEADER):
            raise SealBroken(f"{salt_file.name} does not hold the salt of a sealing key.", code="seal_key")
        passphrase = _read_private(passphrase_file)
        words = bytes(passphrase).rstrip(b"\r\n")
        wipe(passphrase)
        if not words:
            raise SealBroken(f"{passphrase_file.name} holds no passphrase.", code="seal_key")
        return cls(argon2id.kdf(KEY_BYTES, words, salt, opslimit=PASSES, memlimit=MEMORY_BYTES))

    @classmethod
    def from_command(cls, command: Sequence[str], folder: Path) -> BoxSealer:
        """Take the key from the last word that a command prints, in base64; it runs in the signer's folder.

        What it prints is never shown. Errors: SealBroken.
        """
        if not command:
            raise SealBroken("signer.toml names no seal_command.", code="seal_key")
        try:
            done = subprocess.run(  # whoever writes signer.toml runs this signer
                list(command), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired):
            raise SealBroken(f"{command[0]} cannot be run, or does not answer.", code="seal_key") from None
        if done.returncode:
            raise SealBroken(f"{command[0]} ended with {done.returncode}.", code="seal_key")
        try:
            key = base64.b64decode(b"".join(done.stdout.split()[-1:]), validate=True)
        except ValueError:
            raise SealBroken(f"{command[0]} printed no sealing key.", code="seal_key") from None
        return cls(key)

    @classmethod
    def from_kms(cls, folder: Path, nsm: Nsm | None) -> BoxSealer:
        """Take the key from AWS KMS, which gives it to attested images only.

        Errors: SealBroken outside of an enclave, or when KMS does not give it.
        """
        if nsm is None:
            raise SealBroken("signer.toml names no nsm: KMS gives this key to an enclave only.", code="seal_key")
        try:
            return cls(sealing_key(folder, nsm))
        except (OSError, SdtError) as error:
            raise SealBroken(f"KMS gave no sealing key: {error}", code="seal_key") from None

    def seal(self, label: bytes, secret: bytes | bytearray) -> bytes:
        """Return the secret sealed under its label."""
        plain = bytearray(_tag(label)) + secret
        nonce = os.urandom(_NONCE_BYTES)
        out = ffi.new("unsigned char[]", len(plain) + _MAC_BYTES)
        lib.crypto_secretbox_easy(out, _pointer(plain), len(plain), nonce, self._key.pointer)
        wipe(plain)
        return nonce + bytes(ffi.buffer(out))

    def unseal(self, label: bytes, sealed: bytes) -> bytearray:
        """Return the secret, for the caller to wipe.

        Errors: SealBroken.
        """
        nonce, box = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        opened = bytearray(max(0, len(box) - _MAC_BYTES))
        if len(opened) < _LABEL_BYTES or lib.crypto_secretbox_open_easy(
            _pointer(opened), box, len(box), nonce, self._key.pointer
        ):
            raise SealBroken("A sealed value does not open with this location's key.")
        secret, belongs = opened[_LABEL_BYTES:], opened[:_LABEL_BYTES] == _tag(label)
        wipe(opened)
        if not belongs:
            wipe(secret)
            raise SealBroken("A sealed value was put in another's place.")
        return secret


def new_seal_key() -> bytes:
    """Return a fresh sealing key."""
    return os.urandom(KEY_BYTES)


def new_salt_text() -> str:
    """Return the content of a new salt file, which is no secret."""
    return _SALT_HEADER + base64.b64encode(os.urandom(argon2id.SALTBYTES)).decode() + "\n"


def open_sealer(
    kind: SealKind,
    home: Path,
    passphrase_file: Path | None = None,
    command: Sequence[str] = (),
    nsm: Nsm | None = None,
) -> BoxSealer:
    """Open the sealer that a signer's configuration names.

    Errors: SealBroken.
    """
    if kind == "file":
        return BoxSealer.from_file(home / KEY_FILE)
    if kind == "command":
        return BoxSealer.from_command(command, home)
    if kind == "kms":
        return BoxSealer.from_kms(home, nsm)
    if passphrase_file is None:
        raise SealBroken("signer.toml names no passphrase_file.", code="seal_key")
    return BoxSealer.from_passphrase(home / SALT_FILE, passphrase_file)


def _read_private(path: Path) -> bytearray:
    """Read a file that only its owner may read, into memory that can be wiped.

    Errors: SealBroken.
    """
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise SealBroken(f"{path.name} may be read by others; it must have mode 0600.", code="seal_key_mode")
            content = bytearray(status.st_size)
            file.readinto(content)
    except OSError as error:
        raise SealBroken(f"{path.name} cannot be read: {error.strerror}.", code="seal_key") from None
    return content


def _pointer(data: bytearray) -> Any:
    return ffi.cast("unsigned char *", ffi.from_buffer(data))


def _tag(label: bytes) -> bytes:
    return hashlib.sha256(label).digest()[:_LABEL_BYTES]
