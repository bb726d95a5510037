"""Addenda, as tables: what goes with a payment, what comes back with a return or a notification of change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from sdt.domain.nacha.layout import BadRecord, Digits, Exact, Number, Record, Text

__all__ = [
    "Addenda02",
    "Addenda05",
    "Addenda98",
    "Addenda99",
    "ContestedReturn",
    "DishonoredReturn",
    "read_addenda",
]


@dataclass(frozen=True, slots=True)
class Addenda02(Record):
    """Where a card or a machine was used."""

    PREFIX: ClassVar[str] = "702"
    reference_1: Annotated[str, Text(7)]
    reference_2: Annotated[str, Text(3)]
    terminal_id: Annotated[str, Text(6)]
    serial_number: Annotated[str, Text(6)]
    transaction_date: Annotated[str, Exact(4)]
    authorization: Annotated[str, Text(6)]
    location: Annotated[str, Text(27)]
    city: Annotated[str, Text(15)]
    state: Annotated[str, Text(2)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class Addenda05(Record):
    """Words about a payment."""

    PREFIX: ClassVar[str] = "705"
    information: Annotated[str, Text(80)]
    sequence: Annotated[int, Number(4)]
    entry_sequence: Annotated[str, Digits(7)]


@dataclass(frozen=True, slots=True)
class Addenda98(Record):
    """A notification of change: the bank corrects what we know of the account."""

    PREFIX: ClassVar[str] = "798"
    change_code: Annotated[str, Exact(3)]
    original_trace: Annotated[str, Exact(15)]
    reserved: Annotated[str, Text(6)]
    original_rdfi: Annotated[str, Exact(8)]
    corrected: Annotated[str, Text(29)]
    reserved_2: Annotated[str, Text(15)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class Addenda99(Record):
    """A return: why the other bank sends an entry back."""

    PREFIX: ClassVar[str] = "799"
    return_code: Annotated[str, Exact(3)]
    original_trace: Annotated[str, Exact(15)]
    died_on: Annotated[str, Exact(6)]
    original_rdfi: Annotated[str, Exact(8)]
    information: Annotated[str, Text(44)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class DishonoredReturn(Record):
    """The originating bank sends a return back: it was late, or wrong (R61 to R70)."""

    PREFIX: ClassVar[str] = "799"
    return_code: Annotated[str, Exact(3)]
    original_trace: Annotated[str, Exact(15)]
    reserved: Annotated[str, Text(6)]
    original_rdfi: Annotated[str, Exact(8)]
    reserved_2: Annotated[str, Text(3)]
    return_trace: Annotated[str, Exact(15)]
    return_settlement_day: Annotated[str, Exact(3)]
    return_reason: Annotated[str, Exact(2)]
    information: Annotated[str, Text(21)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class ContestedReturn(Record):
    """The receiving bank insists on its return (R71 to R77)."""

    PREFIX: ClassVar[str] = "799"
    return_code: Annotated[str, Exact(3)]
    original_trace: Annotated[str, Exact(15)]
    returned_on: Annotated[str, Exact(6)]
    original_rdfi: Annotated[str, Exact(8)]
    original_settlement_day: Annotated[str, Exact(3)]
    return_trace: Annotated[str, Exact(15)]
    return_settlement_day: Annotated[str, Exact(3)]
    return_reason: Annotated[str, Exact(2)]
    dishonored_trace: Annotated[str, Exact(15)]
    dishonored_settlement_day: Annotated[str, Exact(3)]
    dishonored_reason: Annotated[str, Exact(2)]
    reserved: Annotated[str, Text(1)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class Addenda10(Record):
    """Kind of an international payment, and who gets it. Units: `foreign_units` as the foreign currency counts."""

    PREFIX: ClassVar[str] = "710"
    kind: Annotated[str, Text(3)]
    foreign_units: Annotated[int, Number(18)]
    foreign_trace: Annotated[str, Text(22)]
    name: Annotated[str, Text(35)]
    reserved: Annotated[str, Text(6)]
    entry_sequence: Annotated[str, Digits(7)]


@dataclass(frozen=True, slots=True)
class _TwoLines(Record):
    """Two texts of 35: a name and a street, or two parts of an address."""

    first: Annotated[str, Text(35)]
    second: Annotated[str, Text(35)]
    reserved: Annotated[str, Text(14)]
    entry_sequence: Annotated[str, Digits(7)]


@dataclass(frozen=True, slots=True)
class Addenda11(_TwoLines):
    """The originator's name and street."""

    PREFIX: ClassVar[str] = "711"


@dataclass(frozen=True, slots=True)
class Addenda12(_TwoLines):
    """The originator's city, State, country and postal code."""

    PREFIX: ClassVar[str] = "712"


@dataclass(frozen=True, slots=True)
class Addenda16(_TwoLines):
    """The receiver's city, State, country and postal code."""

    PREFIX: ClassVar[str] = "716"


@dataclass(frozen=True, slots=True)
class _ABank(Record):
    """A bank that takes part."""

    name: Annotated[str, Text(35)]
    id_qualifier: Annotated[str, Text(2)]
    id: Annotated[str, Text(34)]
    branch_country: Annotated[str, Text(3)]
    reserved: Annotated[str, Text(10)]
    entry_sequence: Annotated[str, Digits(7)]


@dataclass(frozen=True, slots=True)
class Addenda13(_ABank):
    """The originating bank."""

    PREFIX: ClassVar[str] = "713"


@dataclass(frozen=True, slots=True)
class Addenda14(_ABank):
    """The receiving bank."""

    PREFIX: ClassVar[str] = "714"


@dataclass(frozen=True, slots=True)
class Addenda15(Record):
    """The receiver's number and street."""

    PREFIX: ClassVar[str] = "715"
    receiver_id: Annotated[str, Text(15)]
    street: Annotated[str, Text(35)]
    reserved: Annotated[str, Text(34)]
    entry_sequence: Annotated[str, Digits(7)]


@dataclass(frozen=True, slots=True)
class Addenda17(Record):
    """Words about an international payment."""

    PREFIX: ClassVar[str] = "717"
    information: Annotated[str, Text(80)]
    sequence: Annotated[int, Number(4)]
    entry_sequence: Annotated[str, Digits(7)]


@dataclass(frozen=True, slots=True)
class Addenda18(Record):
    """A bank abroad between the two."""

    PREFIX: ClassVar[str] = "718"
    name: Annotated[str, Text(35)]
    id_qualifier: Annotated[str, Text(2)]
    id: Annotated[str, Text(34)]
    branch_country: Annotated[str, Text(3)]
    reserved: Annotated[str, Text(6)]
    sequence: Annotated[int, Number(4)]
    entry_sequence: Annotated[str, Digits(7)]


_BY_TYPE: Final[dict[str, type[Record]]] = {
    cls.PREFIX[1:]: cls
    for cls in (
        *(Addenda02, Addenda05, Addenda10, Addenda11, Addenda12, Addenda13, Addenda14, Addenda15, Addenda16),
        *(Addenda17, Addenda18, Addenda98),
    )
}


def read_addenda(line: str) -> Record:
    """Return the addenda record in a line. Errors: BadRecord."""
    kind = line[1:3]
    if kind == "99":
        code = line[3:6]
        if "R61" <= code <= "R70":
            return DishonoredReturn.read(line)
        return ContestedReturn.read(line) if "R71" <= code <= "R77" else Addenda99.read(line)
    cls = _BY_TYPE.get(kind)
    if cls is None:
        raise BadRecord(f"There is no addenda type {kind!r}.", column=2)
    return cls.read(line)
