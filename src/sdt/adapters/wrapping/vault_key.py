"""The vault's key wraps: embedded, and wherever there is no key service."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sdt.domain import sealing
from sdt.domain.sealing import SealBroken

__all__ = ["VaultKey"]


class VaultKey:
    """Wraps with the newest of `keys`, asked for each time: a rotation in the vault counts at once.

    `look_again` is called when something was wrapped with a key that is not among them: another process may have seen
    a rotation that we have not.
    """

    def __init__(self, keys: Callable[[], tuple[bytes, ...]], look_again: Callable[[], None] = lambda: None) -> None:
        self._keys, self._look_again = keys, look_again

    def __repr__(self) -> str:
        return "VaultKey(…)"

    def prefix(self) -> bytes:
        """Return the mark of the newest key."""
        return sealing.key_mark(self._keys()[0])

    def wrap(self, key: bytes, owner: str) -> bytes:
        """Return a key wrapped for its owner."""
        return sealing.wrap(key, owner, self._keys()[0], secrets.token_bytes(sealing.NONCE_BYTES))

    def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        """Return a wrapped key. Errors: SealBroken."""
        keys = self._keys()
        try:
            return sealing.unwrap(wrapped, owner, keys)
        except SealBroken:
            self._look_again()
            if (now := self._keys()) == keys:
                raise
            return sealing.unwrap(wrapped, owner, now)

    def unseal(self, sealed: bytes, label: str) -> bytes:
        """Return what the first version sealed with the key itself. Errors: SealBroken."""
        return sealing.unseal_by_any(sealed, label, self._keys())
