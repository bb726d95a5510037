"""What may be a secret and what it may be called: the same in every vault, so that one can take another's place."""

from __future__ import annotations

import re
from typing import Final

from sdt.adapters.vault.errors import BadSecretName, BadSecretValue

__all__ = ["VALUE_BYTES_MAX", "check_name", "check_value", "is_name"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_NAME_CHARS_MAX: Final = 128
VALUE_BYTES_MAX: Final = 32_768
"""Secrets Manager takes 65,536 characters, and bytes are longer as text. Source: its API Reference, CreateSecret."""


def is_name(name: str) -> bool:
    """Return whether a secret may be called this."""
    return len(name) <= _NAME_CHARS_MAX and _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Errors: BadSecretName."""
    if not is_name(name):
        raise BadSecretName(f"{name!r} is not a name for a secret: lower-case words joined by '/'")


def check_value(value: bytes) -> None:
    """Errors: BadSecretValue; it does not say what the value was."""
    if not 0 < len(value) <= VALUE_BYTES_MAX:
        raise BadSecretValue(f"a secret has 1 to {VALUE_BYTES_MAX} bytes, and this has {len(value)}")
