"""What can go wrong with a secret; none of these carries one."""

from __future__ import annotations

from sdt.domain.errors import Conflict, Invalid, NotFound, Unavailable

__all__ = ["BadSecretName", "SecretExists", "SecretNotFound", "VaultUnreadable"]


class SecretNotFound(NotFound):
    """The vault has no secret of that name."""

    code = "secret_not_found"


class SecretExists(Conflict):
    """The vault has a secret of that name; it is rotated, not put."""

    code = "secret_exists"


class BadSecretName(Invalid):
    """Names are lower-case words, digits, '.', '-' and '_', joined by '/'."""

    code = "bad_secret_name"


class VaultUnreadable(Unavailable):
    """The vault's file, or its key, is missing, open to others, altered, or not of this vault."""

    code = "vault_unreadable"
