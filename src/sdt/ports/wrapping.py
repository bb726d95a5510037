"""What wraps the keys of people: the vault's own key, or a key service that never hands its key out."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Wrapping"]


class Wrapping(Protocol):
    """Wraps keys, and opens what it or its predecessors wrapped; it may be shared by threads.

    Errors of every method: Unavailable when the vault or the service does not answer.
    """

    def prefix(self) -> bytes:
        """Return how everything begins that is wrapped now: what begins otherwise is to be wrapped anew."""
        ...

    def wrap(self, key: bytes, owner: str) -> bytes:
        """Return a key wrapped for its owner, and for nobody else. Shape: 32 bytes."""
        ...

    def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        """Return a wrapped key. Errors: SealBroken."""
        ...

    def unseal(self, sealed: bytes, label: str) -> bytes:
        """Return what the first version sealed with the vault's key itself. Errors: SealBroken."""
        ...
