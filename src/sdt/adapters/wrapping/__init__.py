"""What wraps the keys of people: the vault's key, or KMS; and both while one takes the other's place."""

from __future__ import annotations

from sdt.adapters.wrapping.kms_key import KmsKey
from sdt.adapters.wrapping.vault_key import VaultKey

__all__ = ["KmsAndVault", "KmsKey", "VaultKey"]


class KmsAndVault:
    """KMS wraps, or with `by_vault` the vault's key does; either opens what it wrapped."""

    def __init__(self, kms: KmsKey, vault: VaultKey, *, by_vault: bool = False) -> None:
        self._kms, self._vault = kms, vault
        self._wraps: KmsKey | VaultKey = vault if by_vault else kms

    def __repr__(self) -> str:
        return f"KmsAndVault({self._kms!r}, {self._vault!r})"

    def prefix(self) -> bytes:
        """Return how everything begins that is wrapped now."""
        return self._wraps.prefix()

    def wrap(self, key: bytes, owner: str) -> bytes:
        """Return a key wrapped for its owner."""
        return self._wraps.wrap(key, owner)

    def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        """Return a wrapped key. Errors: SealBroken."""
        return (self._kms if self._kms.opens(wrapped) else self._vault).unwrap(wrapped, owner)

    def unseal(self, sealed: bytes, label: str) -> bytes:
        """Return what the first version sealed with the vault's key itself. Errors: SealBroken."""
        return self._vault.unseal(sealed, label)
