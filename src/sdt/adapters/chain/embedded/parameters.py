"""Reading JSON-RPC parameters strictly. Errors: RpcError (invalid params) from every function."""

from __future__ import annotations

import re
from typing import Any

from sdt.adapters.chain.embedded.errors import invalid_params

__all__ = ["address", "boolean", "data", "digest", "field", "number", "slot"]

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")


def data(value: Any, size: int | None = None) -> bytes:
    """Read 0x-prefixed bytes, of a fixed size when one is given."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise invalid_params("hex string without 0x prefix")
    try:
        found = bytes.fromhex(value[2:])
    except ValueError as error:
        raise invalid_params("invalid hex string") from error
    # fromhex skips blanks; and an odd or wrong length is no data
    if len(found) * 2 != len(value) - 2 or (size is not None and len(found) != size):
        raise invalid_params(f"hex string has length {len(value) - 2}" + (f", want {2 * size}" if size else ""))
    return found


def address(value: Any) -> bytes:
    return data(value, 20)


def digest(value: Any) -> bytes:
    return data(value, 32)


def number(value: Any) -> int:
    """Read a 0x-prefixed quantity."""
    # int() alone would also take signs, underscores and other scripts' digits.
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise invalid_params("invalid hex quantity")
    return int(value[2:], 16)


def slot(value: Any) -> int:
    """Read a storage position: a quantity or a padded word."""
    return number(value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid_params("want true or false")
    return value


def field(call: dict[str, Any], name: str, read: Any, default: Any) -> Any:
    """Read a member of a call object, absent and null being the same."""
    value = call.get(name)
    return default if value is None else read(value)
