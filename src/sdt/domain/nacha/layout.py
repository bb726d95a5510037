"""Fixed-width records: a class whose annotations are its table of fields, and the one codec for all of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self, get_args, get_type_hints

from sdt.domain.errors import Invalid

__all__ = ["RECORD_LENGTH", "BadRecord", "Digits", "Exact", "Field", "Number", "Record", "Text"]

RECORD_LENGTH: Final = 94
_PRINTABLE: Final = frozenset(map(chr, range(0x20, 0x7F)))


class BadRecord(Invalid):
    """A NACHA file or record is not well formed; facts say in which `line` and at which `column`, both from 1."""

    code = "nacha_record"


@dataclass(frozen=True, slots=True)
class Field:
    """How one field of `width` characters is written. `read` and `write` raise ValueError for what cannot be."""

    width: int

    def read(self, text: str) -> Any:
        """Return the value that `text` stands for."""
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """Return exactly `width` characters."""
        raise NotImplementedError


def _check_printable(text: str) -> None:
    if not _PRINTABLE.issuperset(text):
        raise ValueError("holds a character that is not printable")


class Text(Field):
    """Left-justified, filled with blanks, which are no part of the value."""

    def read(self, text: str) -> str:
        _check_printable(text)
        return text.rstrip(" ")

    def write(self, value: str) -> str:
        if len(value) > self.width or value.endswith(" ") or not _PRINTABLE.issuperset(value):
            raise ValueError(f"is not printable ASCII of at most {self.width} characters")
        return value.ljust(self.width)


class Exact(Field):
    """Kept as it stands, blanks included: what may be empty, or is filled on the left."""

    def read(self, text: str) -> str:
        _check_printable(text)
        return text

    def write(self, value: str) -> str:
        if len(value) != self.width or not _PRINTABLE.issuperset(value):
            raise ValueError(f"is not {self.width} printable characters")
        return value


class Digits(Field):
    """A number used as a name: leading zeros count."""

    def read(self, text: str) -> str:
        return self.write(text)

    def write(self, value: str) -> str:
        if len(value) != self.width or not (value.isascii() and value.isdigit()):
            raise ValueError(f"is not {self.width} digits")
        return value


class Number(Field):
    """A whole number, filled with zeros on the left."""

    def read(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"is not a number of {self.width} digits")
        return int(text)

    def write(self, value: int) -> str:
        if type(value) is not int or not 0 <= value < 10**self.width:
            raise ValueError(f"is not a whole number of at most {self.width} digits")
        return f"{value:0{self.width}d}"


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a file. A subclass says its `PREFIX` and annotates each field with how it is written."""

    PREFIX: ClassVar[str] = ""

    @classmethod
    def read(cls, line: str) -> Self:
        """Return the record in a line of 94 characters. Errors: BadRecord, with the column."""
        assert line.startswith(cls.PREFIX), f"{cls.__name__} begins with {cls.PREFIX}"
        values, at = [], len(cls.PREFIX)
        for name, field in _layout(cls):
            try:
                values.append(field.read(line[at : at + field.width]))
            except ValueError as error:
                raise BadRecord(f"{name} in column {at + 1} {error}.", column=at + 1) from None
            at += field.width
        return cls(*values)

    def line(self) -> str:
        """Return the 94 characters. Errors: BadRecord for a value that does not fit its field."""
        written = [self.PREFIX]
        for name, field in _layout(type(self)):
            try:
                written.append(field.write(getattr(self, name)))
            except ValueError as error:
                raise BadRecord(f"{name} of a {type(self).__name__} {error}.") from None
        return "".join(written)


_LAYOUTS: Final[dict[type[Record], tuple[tuple[str, Field], ...]]] = {}


def _layout(cls: type[Record]) -> tuple[tuple[str, Field], ...]:
    """Return the fields of a record class in order; looked up once, since a file asks for every line."""
    known = _LAYOUTS.get(cls)
    if known is not None:
        return known
    hints = get_type_hints(cls, include_extras=True)
    layout = tuple((field.name, get_args(hints[field.name])[1]) for field in fields(cls))
    total = len(cls.PREFIX) + sum(field.width for _, field in layout)
    assert total == RECORD_LENGTH, f"{cls.__name__} has {total} characters"
    _LAYOUTS[cls] = layout
    return layout
