"""What can go wrong with a secret; none of these carries one."""

from __future__ import annotations

from sdt.domain.errors import Conflict, Invalid, NotFound, Unavailable

__all__ = [
    "BadSecretName",
    "BadSecretValue",
    "SecretExists",
    "SecretNotFound",
    "VaultDenied",
    "VaultUnreachable",
    "VaultUnreadable",
]


class SecretNotFound(NotFound):
    """The vault has no secret of that name."""

    code = "secret_not_found"


class SecretExists(Conflict):
    """The vault has a secret of that name; it is rotated, not put."""

    code = "secret_exists"


class BadSecretName(Invalid):
    """Names are lower-case words, digits, '.', '-' and '_', joined by '/'."""

    code = "bad_secret_name"


class BadSecretValue(Invalid):
    """A secret is neither empty nor larger than a vault takes."""

    code = "bad_secret_value"


class VaultUnreadable(Unavailable):
    """The vault does not open to us.

    A file, or its key, is missing, open to others, altered, or not of this vault; or the service refuses us. Trying
    again does not help: somebody must look.
    """

    code = "vault_unreadable"


class VaultDenied(VaultUnreadable):
    """The service does not let us do this; it may let us do something else."""


class VaultUnreachable(Unavailable):
    """The vault's service does not answer, or has had too many questions: trying again helps."""

    code = "vault_unreachable"
