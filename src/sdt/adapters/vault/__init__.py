"""The secrets store: passwords and keys that the platform uses towards others, by name.

It opens neither a client's signature nor a key share: those are two other systems.
"""

from __future__ import annotations

from typing import Protocol

from sdt.adapters.vault.errors import BadSecretName, SecretExists, SecretNotFound, VaultUnreadable
from sdt.adapters.vault.sealed_file import SealedFile
from sdt.adapters.vault.secret import Secret

__all__ = [
    "BadSecretName",
    "SealedFile",
    "Secret",
    "SecretExists",
    "SecretNotFound",
    "VaultProtocol",
    "VaultUnreadable",
]


class VaultProtocol(Protocol):
    """What every secrets store can do; the embedded sealed file is one, a cloud's store another."""

    def get(self, name: str) -> Secret:
        """Return the current value; a rotation by another process is seen at the next call.

        Errors: SecretNotFound, VaultUnreadable.
        """
        ...

    def previous(self, name: str) -> Secret | None:
        """Return the value before the last rotation, if any: what a partner may still sign with.

        Errors: SecretNotFound, VaultUnreadable.
        """
        ...

    def put(self, name: str, value: bytes) -> None:
        """Store a new secret.

        Errors: SecretExists, BadSecretName, VaultUnreadable.
        """
        ...

    def rotate(self, name: str, value: bytes) -> None:
        """Make a new value the current one, and the current one the previous.

        Errors: SecretNotFound, VaultUnreadable.
        """
        ...

    def list(self) -> list[str]:
        """Return the names, in order.

        Errors: VaultUnreadable.
        """
        ...
