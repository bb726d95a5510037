"""The secrets store: passwords and keys that the platform uses towards others, by name.

It opens neither a client's signature nor a key share: those are two other systems.
"""

from __future__ import annotations

from typing import Protocol

from sdt.adapters.vault.errors import (
    BadSecretName,
    BadSecretValue,
    SecretExists,
    SecretNotFound,
    VaultUnreachable,
    VaultUnreadable,
)
from sdt.adapters.vault.made import key_and_before, made_once
from sdt.adapters.vault.sealed_file import SealedFile
from sdt.adapters.vault.secret import Secret

__all__ = [
    "BadSecretName",
    "BadSecretValue",
    "SealedFile",
    "Secret",
    "SecretExists",
    "SecretNotFound",
    "VaultProtocol",
    "VaultUnreachable",
    "VaultUnreadable",
    "key_and_before",
    "made_once",
]


class VaultProtocol(Protocol):
    """What every secrets store can do: the embedded sealed file, or AWS Secrets Manager.

    Errors of every method: VaultUnreadable when it does not open to us, VaultUnreachable when it does not answer.
    """

    def get(self, name: str) -> Secret:
        """Return the current value.

        A rotation in this process is seen at the next call; one by another process at once with the sealed file, and
        within `vault.seen_within_s` with a service.
        Errors: SecretNotFound.
        """
        ...

    def previous(self, name: str) -> Secret | None:
        """Return the value before the one that `get` returns, if any: what a partner may still sign with.

        Errors: SecretNotFound.
        """
        ...

    def look_again(self, name: str) -> None:
        """Have the next `get` ask the service, because what it returned did not fit: somebody may have rotated it.

        Whoever sends misfits cannot turn it into questions without end: what was asked for a second ago stands.
        """
        ...

    def put(self, name: str, value: bytes) -> None:
        """Store a new secret.

        Errors: SecretExists, BadSecretName, BadSecretValue.
        """
        ...

    def rotate(self, name: str, value: bytes) -> None:
        """Make a new value the current one, and the current one the previous; the value it has already changes nothing.

        So whoever does not know whether a rotation came through repeats it, and the previous value is not lost.
        Errors: SecretNotFound, BadSecretValue.
        """
        ...

    def list(self) -> list[str]:
        """Return the names, in order."""
        ...
