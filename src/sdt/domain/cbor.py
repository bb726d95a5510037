"""Reading and writing CBOR with one spelling for every value: what could be written otherwise is refused.

Whole numbers, byte and text strings, arrays, maps, null and true and false; no tags, floats or undefined. Lengths are
definite and as short as can be, no key stands twice, nothing follows the value. Members of a map keep the order they
came in; whoever knows which order is right compares it.
Source: RFC 8949, 3 and 4.2.1.
"""

from __future__ import annotations

from typing import Final, NoReturn

from sdt.domain.errors import Invalid

__all__ = ["NESTING_MAX", "CborValue", "read_cbor", "write_cbor"]

CborValue = int | bytes | str | list["CborValue"] | dict["int | str", "CborValue"] | bool | None

NESTING_MAX: Final = 8
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLE_VALUES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
_SHORT_MAX: Final = 23
"""The largest argument that stands in the first byte itself."""


def read_cbor(data: bytes) -> CborValue:
    """Return the one value that `data` holds. The caller has bounded its size.

    Errors: Invalid (cbor).
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        _refuse("something follows the value")
    return value


def write_cbor(value: CborValue) -> bytes:
    """Return a value in its one spelling, the members of maps in the order that they have."""
    match value:
        case None | bool():
            return bytes([_SIMPLE << 5 | next(code for code, known in _SIMPLE_VALUES.items() if known is value)])
        case int():
            return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            text = value.encode()
            return _head(_TEXT, len(text)) + text
        case list():
            return _head(_ARRAY, len(value)) + b"".join(write_cbor(each) for each in value)
        case dict():
            return _head(_MAP, len(value)) + b"".join(write_cbor(k) + write_cbor(v) for k, v in value.items())


def _head(major: int, argument: int) -> bytes:
    if argument <= _SHORT_MAX:
        return bytes([major << 5 | argument])
    size = next(size for size in (1, 2, 4, 8) if argument < 1 << 8 * size)
    return bytes([major << 5 | 24 + (1, 2, 4, 8).index(size)]) + argument.to_bytes(size, "big")


def _refuse(why: str) -> NoReturn:
    raise Invalid(f"The CBOR cannot be read: {why}.", code="cbor")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> CborValue:
        if depth > NESTING_MAX:
            _refuse(f"it is nested more than {NESTING_MAX} deep")
        major, argument = self._head()
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._text(argument)
            case 4:
                self._demand_room(argument)
                return [self.value(depth + 1) for _ in range(argument)]
            case 5:
                self._demand_room(2 * argument)
                return self._map(argument, depth)
            case 7 if argument in _SIMPLE_VALUES:
                return _SIMPLE_VALUES[argument]
        return _refuse("a tag, a float or an undefined value has no place in it")

    def _head(self) -> tuple[int, int]:
        first = self._take(1)[0]
        major, short = first >> 5, first & 31
        if short <= _SHORT_MAX:
            return major, short
        if short > 27 or major == _SIMPLE:
            _refuse("a length is indefinite, or a value is a float")
        argument = int.from_bytes(self._take(1 << short - 24), "big")
        if argument <= _SHORT_MAX or (short > 24 and argument < 1 << 4 * (1 << short - 24)):
            _refuse("a number is written longer than it need be")
        return major, argument

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            _refuse("it ends early")
        self.at += size
        return self._data[self.at - size : self.at]

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            _refuse("a text is not UTF-8")

    def _demand_room(self, values: int) -> None:
        """Each value takes a byte at least, so no count can make us reserve more than what came."""
        if values > len(self._data) - self.at:
            _refuse("it ends early")

    def _map(self, members: int, depth: int) -> dict[int | str, CborValue]:
        found: dict[int | str, CborValue] = {}
        for _ in range(members):
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str):
                _refuse("a key is neither text nor a number")
            if key in found:
                _refuse("a key stands twice in one map")
            found[key] = self.value(depth + 1)
        return found
