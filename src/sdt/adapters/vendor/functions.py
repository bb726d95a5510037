"""What a mapping can do beyond JMESPath's own functions: exact money and weights, dates, codes, digits.

Every function refuses what it cannot do exactly; none of them says the value that it refused.
Source: JMESPath specification, "Functions Specification"; docs/vendors.md lists these.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from jmespath import functions
from jmespath.functions import signature

from sdt.domain.money import TROY_OUNCE_NG, UNITS_MAX

__all__ = ["Functions", "Refused"]

Tables = Mapping[str, Mapping[str, str]]

_DECIMAL = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,18}))?", re.ASCII)
_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_FORMS: Final = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "YYYYMMDD": "%Y%m%d",
    "MMDDYYYY": "%m%d%Y",
    "YYMMDD": "%y%m%d",
}
_FLOAT_DIGITS_MAX: Final = 15
"""A JSON number with more digits than this was already rounded by whoever wrote or read it."""
_REPLACE_CHARS_MAX: Final = 65_536
_MS_MAX: Final = 4_102_444_800_000
_TEXT: Final[Any] = {"types": ["string"]}
_NUMBER: Final[Any] = {"types": ["number"]}
_NUMERIC: Final[Any] = {"types": ["string", "number"]}
_OBJECT: Final[Any] = {"types": ["object"]}


class Refused(Exception):
    """A function was given what it cannot turn into something else exactly."""


class Functions(functions.Functions):
    """The functions of one vendor's mappings: `lookup` reads its tables."""

    def __init__(self, tables: Tables) -> None:
        super().__init__()
        self._tables = tables
        self._backwards = {
            name: {there: here for here, there in reversed(list(table.items()))} for name, table in tables.items()
        }

    @signature(_NUMERIC)
    def _func_cents(self, amount: object) -> str:
        """`cents("12.34")` -> "1234"; more than two decimals are refused."""
        return _units("cents", amount, 2)

    @signature(_TEXT)
    def _func_dollars(self, cents: str) -> str:
        """`dollars("1234")` -> "12.34"."""
        return _decimal("dollars", cents, 2)

    @signature(_NUMERIC, _NUMBER)
    def _func_units(self, amount: object, scale: int) -> str:
        """`units("999.9", `9`)` -> "999900000000": a decimal of grams as nanograms."""
        return _units("units", amount, _scale("units", scale))

    @signature(_TEXT, _NUMBER)
    def _func_decimal(self, units: str, scale: int) -> str:
        """`decimal("999900000000", `9`)` -> "999.900000000"."""
        return _decimal("decimal", units, _scale("decimal", scale))

    @signature(_NUMERIC)
    def _func_ounces_to_ng(self, ounces: object) -> str:
        """`ounces_to_ng("32.148")` -> "999914572166": troy ounces as nanograms, rounded down."""
        part = _units("ounces_to_ng", ounces, 18)
        return _checked("ounces_to_ng", int(part) * TROY_OUNCE_NG // 10**18)

    @signature(_NUMERIC)
    def _func_integer(self, digits: object) -> int:
        """`integer("1234")` -> 1234."""
        if type(digits) is int:
            return digits
        return int(_whole("integer", digits))

    @signature(_TEXT, _TEXT)
    def _func_date_to(self, day: str, form: str) -> str:
        """`date_to("2026-11-26", 'MM/DD/YYYY')` -> "11/26/2026"."""
        return _parsed("date_to", day, "YYYY-MM-DD").strftime(_form("date_to", form))

    @signature(_TEXT, _TEXT)
    def _func_date_from(self, text: str, form: str) -> str:
        """`date_from("11/26/2026", 'MM/DD/YYYY')` -> "2026-11-26"."""
        return _parsed("date_from", text, form).isoformat()

    @signature(_NUMBER)
    def _func_time_from_ms(self, ms: object) -> str:
        """`time_from_ms(`1795426200000`)` -> "2026-11-23T09:30:00.000Z"."""
        if type(ms) is not int or not 0 <= ms <= _MS_MAX:
            raise Refused("time_from_ms takes milliseconds since 1970")
        whole, rest = divmod(ms, 1000)
        return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"

    @signature(_TEXT)
    def _func_time_to_ms(self, moment: str) -> int:
        """`time_to_ms("2026-11-23T09:30:00Z")` -> 1795426200000."""
        try:
            read = datetime.fromisoformat(moment)
        except ValueError:
            raise Refused("time_to_ms takes an RFC 3339 time") from None
        if read.tzinfo is None:
            raise Refused("time_to_ms takes a time with its zone")
        delta = read - datetime(1970, 1, 1, tzinfo=UTC)
        return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000

    @signature(_TEXT, _TEXT)
    def _func_lookup(self, table: str, value: str) -> str:
        """`lookup('outcome', status)`: the vendor's code on the left of [tables.outcome] becomes ours on the right."""
        return _found("lookup", self._tables, table, value)

    @signature(_TEXT, _TEXT)
    def _func_lookup_back(self, table: str, value: str) -> str:
        """`lookup_back('outcome', outcome)`: ours on the right becomes the (first) vendor's code on the left."""
        return _found("lookup_back", self._backwards, table, value)

    @signature(_TEXT)
    def _func_digits(self, text: str) -> str:
        """`digits("111-00-0025")` -> "111000025"."""
        return "".join(one for one in text if "0" <= one <= "9")

    @signature(_TEXT)
    def _func_sha256(self, content: str) -> str:
        """`sha256(document.content)`: the digest of what the base64 text stands for, in lower-case hex."""
        try:
            return hashlib.sha256(base64.b64decode(content, validate=True)).hexdigest()
        except ValueError:
            raise Refused("sha256 takes base64") from None

    @signature(_TEXT)
    def _func_upper(self, text: str) -> str:
        """`upper("Austin")` -> "AUSTIN"."""
        return text.upper()

    @signature(_TEXT)
    def _func_lower(self, text: str) -> str:
        """`lower("PASSED")` -> "passed"."""
        return text.lower()

    @signature(_TEXT, _TEXT, _TEXT)
    def _func_replace(self, text: str, this: str, that: str) -> str:
        """`replace("NAME-NOT-FOUND", '-', '_')` -> "NAME_NOT_FOUND"."""
        if len(text) > _REPLACE_CHARS_MAX or len(that) > len(this) + 8:
            raise Refused("replace takes short texts")
        return text.replace(this, that) if this else text

    @signature(_TEXT, _NUMBER)
    def _func_left(self, text: str, count: int) -> str:
        """`left("78701-1234", `5`)` -> "78701"."""
        return text[: _count("left", count)]

    @signature(_TEXT, _NUMBER)
    def _func_right(self, text: str, count: int) -> str:
        """`right("123-45-6789", `4`)` -> "6789"."""
        return text[max(0, len(text) - _count("right", count)) :]

    @signature({"types": ["array"]}, _OBJECT)
    def _func_each_with(self, items: list[Any], members: dict[str, Any]) -> list[Any]:
        """`each_with(lines, {metal: metal})`: give every object of a list what stands beside the list."""
        if not all(isinstance(one, dict) for one in items):
            raise Refused("each_with takes a list of objects")
        return [{**members, **one} for one in items]

    @signature(_OBJECT)
    def _func_without_nulls(self, members: dict[str, Any]) -> dict[str, Any]:
        """`without_nulls({a: a, b: b})`: leave out what is null."""
        return {name: value for name, value in members.items() if value is not None}


def _units(name: str, amount: object, scale: int) -> str:
    if type(amount) is float:
        amount = _exact(name, amount)
    elif type(amount) is int:
        amount = str(amount)
    match = _DECIMAL.fullmatch(amount) if isinstance(amount, str) else None
    if not match or len(match[2] or "") > scale:
        raise Refused(f"{name} takes a decimal of at most {scale} places, without sign or comma")
    value = int(match[1] + (match[2] or "").ljust(scale, "0"))
    return str(value) if scale == 18 else _checked(name, value)


def _exact(name: str, number: float) -> str:
    """A JSON number as it was written: the shortest text that reads as the same number, if it is short enough."""
    text = repr(number)
    if len(text.replace(".", "").lstrip("0")) > _FLOAT_DIGITS_MAX or not _DECIMAL.fullmatch(text):
        raise Refused(f"{name} cannot take a JSON number of so many digits exactly")
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0')}".rstrip(".")


def _decimal(name: str, units: str, scale: int) -> str:
    digits = _whole(name, units).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits


def _whole(name: str, digits: object) -> str:
    if not isinstance(digits, str) or not _DIGITS.fullmatch(digits):
        raise Refused(f"{name} takes digits in the smallest unit")
    return _checked(name, int(digits))


def _checked(name: str, value: int) -> str:
    if value > UNITS_MAX:
        raise Refused(f"{name}: more than 64 bits hold")
    return str(value)


def _scale(name: str, scale: object) -> int:
    if type(scale) is not int or not 0 <= scale <= 12:
        raise Refused(f"{name} takes 0 to 12 decimal places")
    return scale


def _count(name: str, count: object) -> int:
    if type(count) is not int or count < 0:
        raise Refused(f"{name} takes a count of characters")
    return count


def _form(name: str, form: str) -> str:
    if form not in _FORMS:
        raise Refused(f"{name} knows the forms {', '.join(_FORMS)}")
    return _FORMS[form]


def _parsed(name: str, text: str, form: str) -> date:
    pattern = _form(name, form)
    try:
        read = datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Refused(f"{name} takes a day written {form}") from None
    if read.strftime(pattern) != text:
        # strptime is lenient about zeros and spaces; a day is written in one way only.
        raise Refused(f"{name} takes a day written {form}")
    return read


def _found(name: str, tables: Tables, table: str, value: str) -> str:
    if table not in tables:
        raise Refused(f"{name}: there is no [tables.{table}] in vendor.toml")
    if value not in tables[table]:
        raise Refused(f"{name}: [tables.{table}] does not know this code")
    return tables[table][value]
