"""Bytes as text where a service keeps secrets: plain text as it is, everything else as `base64:…`.

Consoles, templates and rotation functions read and write text, and not every emulator gives back rotated bytes.
"""

from __future__ import annotations

import unicodedata
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Final

__all__ = ["as_bytes", "as_text"]

_ENCODED: Final = "base64:"


def as_text(value: bytes) -> str:
    """Return the text that stands for these bytes: `as_bytes` reads it back."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = _ENCODED
    if text.startswith(_ENCODED) or any(unicodedata.category(letter) == "Cc" for letter in text):
        return _ENCODED + b64encode(value).decode()
    return text


def as_bytes(text: str) -> bytes:
    """Return what a text stands for; what only begins like ours is somebody's own text."""
    if text.startswith(_ENCODED):
        with suppress(ValueError):
            return b64decode(text.removeprefix(_ENCODED), validate=True)
    return text.encode()
