"""Keys of the platform's own, made at the first start by whichever process comes first."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from sdt.adapters.vault.errors import SecretExists, SecretNotFound
from sdt.adapters.vault.secret import Secret

__all__ = ["KEY_BYTES", "key_and_before", "made_once", "new_key"]

KEY_BYTES: Final = 32


class _Vault(Protocol):
    def get(self, name: str) -> Secret: ...
    def previous(self, name: str) -> Secret | None: ...
    def put(self, name: str, value: bytes) -> None: ...


def new_key() -> bytes:
    """Return a key nobody had before."""
    return secrets.token_bytes(KEY_BYTES)


def made_once(vault: _Vault, name: str, make: Callable[[], bytes] = new_key) -> Secret:
    """Return a secret of the vault, made if there is none."""
    try:
        return vault.get(name)
    except SecretNotFound:
        with suppress(SecretExists):
            vault.put(name, make())
        return vault.get(name)


def key_and_before(vault: _Vault, name: str) -> tuple[bytes, ...]:
    """Return the key and the one before it: what was made under that one still counts."""
    newest = made_once(vault, name).reveal()
    before = vault.previous(name)
    return (newest,) if before is None else (newest, before.reveal())
