"""Reading JSON with nothing left to taste: what two parsers could read differently is refused.

Refused: bytes that are not UTF-8 (or carry a byte-order mark), duplicate keys, floats and exponents, NaN and
Infinity, integers beyond 64 bits, lone surrogates, anything but an object at the top.
Source: RFC 8259; RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from sdt.domain.errors import Invalid

__all__ = ["NESTING_MAX", "nests_too_deep", "parse_object"]

INTEGER_DIGITS_MAX: Final = 19
NESTING_MAX: Final = 32
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Invalid("A key stands twice in one JSON object.", code="json_duplicate_key")
    return members


def _integer(text: str) -> int:
    if len(text) > INTEGER_DIGITS_MAX or text == "-0":
        raise Invalid("A JSON integer has at most 19 digits.", code="json_number")
    return int(text)


def _no_float(text: str) -> NoReturn:
    raise Invalid("JSON numbers here are whole: no fractions, exponents, NaN or Infinity.", code="json_number")


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
)


def _has_surrogate(value: object) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogate(k) or _has_surrogate(v) for k, v in value.items())
    return isinstance(value, list) and any(_has_surrogate(v) for v in value)


def nests_too_deep(data: bytes) -> bool:
    """Tell whether brackets nest more than NESTING_MAX deep outside of strings.

    Asked before decoding: decoders recurse in C, and where a library has raised the recursion limit (py-evm does) they
    run out of stack and take the process with them.
    """
    if data.count(b"[") + data.count(b"{") <= NESTING_MAX:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > NESTING_MAX:
            return True
    return False


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the object that `data` holds. The caller has bounded its size.

    Errors: Invalid (json, json_duplicate_key, json_number).
    """
    if nests_too_deep(data):
        raise Invalid(f"The JSON is nested more than {NESTING_MAX} deep.", code="json")
    try:
        text = data.decode("utf-8")
        # The decoder skips no leading or trailing white space when called at an index, so `decode` it is.
        value = _decoder.decode(text)
        # Only an escape can bring a surrogate in: UTF-8 itself has none.
        if "\\u" in text and _has_surrogate(value):
            raise Invalid("A JSON string holds half of a surrogate pair.", code="json_surrogate")
    except UnicodeDecodeError:
        raise Invalid("The JSON is not UTF-8.", code="json") from None
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not JSON"
        raise Invalid(f"The JSON cannot be read: {reason}.", code="json") from None
    if type(value) is not dict:
        raise Invalid("The JSON is not an object.", code="json")
    return value
