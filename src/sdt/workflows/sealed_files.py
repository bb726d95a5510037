"""Files of many people, such as a bank's: each sealed with a key of its own, wrapped like the key of a person.

Files of the first version are sealed with the vault's key itself; they are read as they are.
"""

from __future__ import annotations

import secrets
from typing import Final

from sdt.domain import sealing
from sdt.domain.sealing import SealBroken
from sdt.ports.wrapping import Wrapping

__all__ = ["DATA_LABEL", "HEAD_BYTES", "INBOUND_LABEL", "is_wrapped_by", "open_file", "seal_file", "wrapped_anew"]

DATA_LABEL: Final = "ach file "
"""What the bytes of a file that we made are sealed as, with its name behind it."""
INBOUND_LABEL: Final = "ach inbound "
"""What the bytes of a file that came in are sealed as, with its digest behind it."""
_MARK: Final = b"\0sdt sealed file\n"
_AT: Final = len(_MARK) + 2
HEAD_BYTES: Final = _AT + 300
"""So many bytes of a sealed file say what its key is wrapped with."""


def seal_file(keys: Wrapping, data: bytes, label: str) -> bytes:
    """Return a file sealed as `label`. Errors: Unavailable."""
    key = secrets.token_bytes(sealing.KEY_BYTES)
    box = sealing.seal(data, label, key, secrets.token_bytes(sealing.NONCE_BYTES))
    return _head(keys.wrap(key, label)) + box


def open_file(keys: Wrapping, sealed: bytes, label: str) -> bytes:
    """Return what was sealed. Errors: SealBroken; Unavailable."""
    if not sealed.startswith(_MARK):
        return keys.unseal(sealed, label)
    wrapped, box = _parts(sealed)
    return sealing.unseal(box, label, keys.unwrap(wrapped, label))


def is_wrapped_by(prefix: bytes, head: bytes) -> bool:
    """Return whether the first bytes of a sealed file say that its key is wrapped under this prefix."""
    return head.startswith(_MARK) and head[_AT:].startswith(prefix)


def wrapped_anew(keys: Wrapping, sealed: bytes, label: str) -> bytes:
    """Return the same file with its key wrapped by what wraps now. Errors: SealBroken; Unavailable."""
    if not sealed.startswith(_MARK):
        return seal_file(keys, keys.unseal(sealed, label), label)
    wrapped, box = _parts(sealed)
    return _head(keys.wrap(keys.unwrap(wrapped, label), label)) + box


def _head(wrapped: bytes) -> bytes:
    return _MARK + len(wrapped).to_bytes(2, "big") + wrapped


def _parts(sealed: bytes) -> tuple[bytes, bytes]:
    end = _AT + int.from_bytes(sealed[len(_MARK) : _AT], "big")
    if len(sealed) <= end:
        raise SealBroken("A sealed file is cut short.")
    return sealed[_AT:end], sealed[end:]
