"""The embedded secrets store: one file sealed with libsodium's secretbox (XSalsa20-Poly1305).

The key is 32 random bytes in a file of its own, or comes from a passphrase by Argon2id. The file is one
line that says which, and the sealed box. Restoring an old copy of the file is not noticed: keep it
where its owner alone can write.
Source: RFC 9106 (Argon2id); libsodium, "Secret-key authenticated encryption", MODERATE limits.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import NamedTuple, Self

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from sdt.adapters.vault.errors import SecretExists, SecretNotFound, VaultUnreadable
from sdt.adapters.vault.limits import check_name, check_value
from sdt.adapters.vault.private_file import alone_with, read_private, write_private
from sdt.adapters.vault.secret import Secret

__all__ = ["SealedFile"]

_KEY_HEADER = b"sdt-sealed-1 key"
_PASSPHRASE_HEADER = b"sdt-sealed-1 argon2id"


class _Entry(NamedTuple):
    current: Secret
    previous: Secret | None = None


class SealedFile:
    """A vault in one file; any number of processes read it, and changes show at once in all of them."""

    def __init__(self, sealed_file: Path, header: bytes, key: bytes) -> None:
        self._file, self._header, self._box = sealed_file, header, SecretBox(key)
        self._seen: tuple[int, int, int] | None = None
        self._entries: dict[str, _Entry] = {}
        self._read()

    @classmethod
    def open(cls, sealed_file: Path, key_file: Path, passphrase_file: Path | None = None) -> Self:
        """Open the vault, making the file (and the key file) when there is none yet.

        Errors: VaultUnreadable when a file is open to others or altered, or the key is another one.
        """
        with alone_with(sealed_file):
            if sealed_file.exists():
                header = read_private(sealed_file).partition(b"\n")[0]
            elif passphrase_file is not None:
                header = _PASSPHRASE_HEADER + b" " + b64encode(secrets.token_bytes(argon2id.SALTBYTES))
            else:
                header = _KEY_HEADER
            if passphrase_file is not None:
                key = _derived_key(header, read_private(passphrase_file))
            else:
                key = _key_in(key_file, header, new=not sealed_file.exists())
            if not sealed_file.exists():
                write_private(sealed_file, _sealed(header, SecretBox(key), {}))
        return cls(sealed_file, header, key)

    def get(self, name: str) -> Secret:
        """Return the current value. Errors: SecretNotFound, VaultUnreadable."""
        return self._entry(name).current

    def previous(self, name: str) -> Secret | None:
        """Return the value before the last rotation. Errors: SecretNotFound, VaultUnreadable."""
        return self._entry(name).previous

    def put(self, name: str, value: bytes) -> None:
        """Store a new secret. Errors: SecretExists, BadSecretName, BadSecretValue, VaultUnreadable."""
        check_name(name)
        check_value(value)
        with alone_with(self._file):
            self._read()
            if name in self._entries:
                raise SecretExists(f"there is a secret {name} already: rotate it")
            self._write(name, _Entry(Secret(value)))

    def rotate(self, name: str, value: bytes) -> None:
        """Make a new value the current one. Errors: SecretNotFound, BadSecretValue, VaultUnreadable."""
        check_value(value)
        with alone_with(self._file):
            current = self.get(name)
            if current != Secret(value):
                self._write(name, _Entry(Secret(value), previous=current))

    def look_again(self, name: str) -> None:
        """Do nothing: the file is looked at whenever a secret is asked for."""

    def list(self) -> list[str]:
        """Return the names, in order. Errors: VaultUnreadable."""
        self._read()
        return sorted(self._entries)

    def __repr__(self) -> str:
        return f"SealedFile({str(self._file)!r})"

    def _entry(self, name: str) -> _Entry:
        self._read()
        if name not in self._entries:
            raise SecretNotFound(f"the vault has no secret {name}")
        return self._entries[name]

    def _read(self) -> None:
        """Look at the file again if it is another than the one last seen (each change is a new file)."""
        try:
            stat = self._file.stat()
        except OSError as error:
            raise VaultUnreadable(f"{self._file}: {error.strerror}") from error
        now = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if now == self._seen:
            return
        header, _, box = read_private(self._file).partition(b"\n")
        try:
            entries = _unpacked(self._box.decrypt(box))
        except (CryptoError, ValueError):
            entries = None
        if header != self._header or entries is None:
            raise VaultUnreadable(f"{self._file} was altered, or was sealed with another key") from None
        self._entries, self._seen = entries, now

    def _write(self, name: str, entry: _Entry) -> None:
        write_private(self._file, _sealed(self._header, self._box, {**self._entries, name: entry}))
        self._seen = None


def _sealed(header: bytes, box: SecretBox, entries: dict[str, _Entry]) -> bytes:
    packed = {
        name: [b64encode(value.reveal()).decode() for value in entry if value is not None]
        for name, entry in entries.items()
    }
    return header + b"\n" + box.encrypt(json.dumps(packed, sort_keys=True).encode())


def _unpacked(text: bytes) -> dict[str, _Entry]:
    return {name: _Entry(*(Secret(b64decode(v)) for v in values)) for name, values in json.loads(text).items()}


def _key_in(key_file: Path, header: bytes, *, new: bool) -> bytes:
    if header != _KEY_HEADER:
        raise VaultUnreadable("the vault is sealed with a passphrase: name its file in vault.passphrase_file")
    if new and not key_file.exists():
        write_private(key_file, secrets.token_bytes(SecretBox.KEY_SIZE))
    key = read_private(key_file)
    if len(key) != SecretBox.KEY_SIZE:
        raise VaultUnreadable(f"{key_file} is not a key of this vault")
    return key


def _derived_key(header: bytes, passphrase: bytes) -> bytes:
    kind, _, salt = header.rpartition(b" ")
    if kind != _PASSPHRASE_HEADER:
        raise VaultUnreadable("the vault is sealed with a key file, not with a passphrase")
    try:
        return argon2id.kdf(
            SecretBox.KEY_SIZE,
            passphrase.rstrip(b"\r\n"),
            b64decode(salt, validate=True),
            opslimit=argon2id.OPSLIMIT_MODERATE,
            memlimit=argon2id.MEMLIMIT_MODERATE,
        )
    except (CryptoError, ValueError) as error:
        raise VaultUnreadable("the vault's first line was altered") from error
