"""The records of a file but its addenda, as tables. Two forms exist where IAT and ADV differ from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from sdt.domain.nacha.layout import Digits, Exact, Number, Record, Text

__all__ = [
    "AdvBatchControl",
    "AdvEntryDetail",
    "AdvFileControl",
    "BatchControl",
    "BatchHeader",
    "EntryDetail",
    "FileControl",
    "FileHeader",
    "IatBatchHeader",
    "IatEntryDetail",
    "is_credit",
    "is_prenote",
]


@dataclass(frozen=True, slots=True)
class FileHeader(Record):
    """Who sends the file to whom, and when. `modifier` tells files of one day apart: A to Z, then 0 to 9."""

    PREFIX: ClassVar[str] = "1"
    priority: Annotated[str, Digits(2)]
    destination: Annotated[str, Exact(10)]
    origin: Annotated[str, Exact(10)]
    created_on: Annotated[str, Digits(6)]
    created_at: Annotated[str, Exact(4)]
    modifier: Annotated[str, Exact(1)]
    record_size: Annotated[str, Digits(3)]
    blocking_factor: Annotated[str, Digits(2)]
    format_code: Annotated[str, Digits(1)]
    destination_name: Annotated[str, Text(23)]
    origin_name: Annotated[str, Text(23)]
    reference: Annotated[str, Text(8)]


@dataclass(frozen=True, slots=True)
class BatchHeader(Record):
    """What the entries of a batch share. `settlement_day` is the operator's to write: the day of the year."""

    PREFIX: ClassVar[str] = "5"
    service_class: Annotated[str, Digits(3)]
    company_name: Annotated[str, Text(16)]
    company_data: Annotated[str, Text(20)]
    company_id: Annotated[str, Exact(10)]
    sec_code: Annotated[str, Text(3)]
    description: Annotated[str, Text(10)]
    descriptive_date: Annotated[str, Text(6)]
    effective_on: Annotated[str, Exact(6)]
    settlement_day: Annotated[str, Exact(3)]
    originator_status: Annotated[str, Exact(1)]
    odfi: Annotated[str, Digits(8)]
    batch_number: Annotated[int, Number(7)]


@dataclass(frozen=True, slots=True)
class IatBatchHeader(Record):
    """As `BatchHeader`, for payments that cross a border."""

    PREFIX: ClassVar[str] = "5"
    service_class: Annotated[str, Digits(3)]
    iat_indicator: Annotated[str, Text(16)]
    exchange_indicator: Annotated[str, Text(2)]
    exchange_reference_kind: Annotated[str, Exact(1)]
    exchange_reference: Annotated[str, Text(15)]
    country: Annotated[str, Text(2)]
    company_id: Annotated[str, Exact(10)]
    sec_code: Annotated[str, Text(3)]
    description: Annotated[str, Text(10)]
    originating_currency: Annotated[str, Text(3)]
    destination_currency: Annotated[str, Text(3)]
    effective_on: Annotated[str, Exact(6)]
    settlement_day: Annotated[str, Exact(3)]
    originator_status: Annotated[str, Exact(1)]
    odfi: Annotated[str, Digits(8)]
    batch_number: Annotated[int, Number(7)]


@dataclass(frozen=True, slots=True)
class EntryDetail(Record):
    """One payment. Units: `cents`. `individual_id` and `name` hold other things in classes that we do not originate
    (check serial numbers, counts of addenda, card data): there they are kept as they stand.
    """

    PREFIX: ClassVar[str] = "6"
    transaction_code: Annotated[str, Digits(2)]
    rdfi: Annotated[str, Digits(8)]
    check_digit: Annotated[str, Digits(1)]
    account: Annotated[str, Text(17)]
    cents: Annotated[int, Number(10)]
    individual_id: Annotated[str, Text(15)]
    name: Annotated[str, Text(22)]
    discretionary: Annotated[str, Exact(2)]
    addenda_indicator: Annotated[str, Digits(1)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class IatEntryDetail(Record):
    """One payment that crosses a border; seven addenda or more say between whom."""

    PREFIX: ClassVar[str] = "6"
    transaction_code: Annotated[str, Digits(2)]
    rdfi: Annotated[str, Digits(8)]
    check_digit: Annotated[str, Digits(1)]
    addenda_count: Annotated[int, Number(4)]
    reserved: Annotated[str, Text(13)]
    cents: Annotated[int, Number(10)]
    account: Annotated[str, Text(35)]
    reserved_2: Annotated[str, Text(2)]
    gateway_screened: Annotated[str, Exact(1)]
    secondary_screened: Annotated[str, Exact(1)]
    addenda_indicator: Annotated[str, Digits(1)]
    trace_number: Annotated[str, Digits(15)]


@dataclass(frozen=True, slots=True)
class AdvEntryDetail(Record):
    """One line of the operator's accounting advice."""

    PREFIX: ClassVar[str] = "6"
    transaction_code: Annotated[str, Digits(2)]
    rdfi: Annotated[str, Digits(8)]
    check_digit: Annotated[str, Digits(1)]
    account: Annotated[str, Text(15)]
    cents: Annotated[int, Number(12)]
    advice_routing: Annotated[str, Digits(9)]
    file_id: Annotated[str, Text(5)]
    operator_data: Annotated[str, Text(1)]
    name: Annotated[str, Text(22)]
    discretionary: Annotated[str, Exact(2)]
    addenda_indicator: Annotated[str, Digits(1)]
    operator_routing: Annotated[str, Digits(8)]
    day_of_year: Annotated[str, Digits(3)]
    sequence: Annotated[int, Number(4)]


@dataclass(frozen=True, slots=True)
class BatchControl(Record):
    """The totals of a batch. Units: cents. `entry_hash` is the sum of the RDFIs, its last ten digits."""

    PREFIX: ClassVar[str] = "8"
    service_class: Annotated[str, Digits(3)]
    entry_addenda_count: Annotated[int, Number(6)]
    entry_hash: Annotated[int, Number(10)]
    debit_cents: Annotated[int, Number(12)]
    credit_cents: Annotated[int, Number(12)]
    company_id: Annotated[str, Exact(10)]
    authentication_code: Annotated[str, Text(19)]
    reserved: Annotated[str, Text(6)]
    odfi: Annotated[str, Digits(8)]
    batch_number: Annotated[int, Number(7)]


@dataclass(frozen=True, slots=True)
class AdvBatchControl(Record):
    """The totals of a batch of accounting advices. Units: cents."""

    PREFIX: ClassVar[str] = "8"
    service_class: Annotated[str, Digits(3)]
    entry_addenda_count: Annotated[int, Number(6)]
    entry_hash: Annotated[int, Number(10)]
    debit_cents: Annotated[int, Number(20)]
    credit_cents: Annotated[int, Number(20)]
    operator_data: Annotated[str, Text(19)]
    odfi: Annotated[str, Digits(8)]
    batch_number: Annotated[int, Number(7)]


@dataclass(frozen=True, slots=True)
class FileControl(Record):
    """The totals of a file. Units: cents. `block_count` counts tens of lines, the fill included."""

    PREFIX: ClassVar[str] = "9"
    batch_count: Annotated[int, Number(6)]
    block_count: Annotated[int, Number(6)]
    entry_addenda_count: Annotated[int, Number(8)]
    entry_hash: Annotated[int, Number(10)]
    debit_cents: Annotated[int, Number(12)]
    credit_cents: Annotated[int, Number(12)]
    reserved: Annotated[str, Text(39)]


@dataclass(frozen=True, slots=True)
class AdvFileControl(Record):
    """The totals of a file of accounting advices. Units: cents."""

    PREFIX: ClassVar[str] = "9"
    batch_count: Annotated[int, Number(6)]
    block_count: Annotated[int, Number(6)]
    entry_addenda_count: Annotated[int, Number(8)]
    entry_hash: Annotated[int, Number(10)]
    debit_cents: Annotated[int, Number(20)]
    credit_cents: Annotated[int, Number(20)]
    reserved: Annotated[str, Text(23)]


def is_credit(transaction_code: str) -> bool:
    """Return whether an entry pays into the account it names. Source: Appendix Three, transaction codes.

    The second digit tells: 1 to 4 credit, 5 to 9 debit; in accounting advices (80 to 89) odd ones credit.
    """
    kind, digit = transaction_code[0], int(transaction_code[1])
    return digit % 2 == 1 if kind == "8" else digit < 5


def is_prenote(transaction_code: str) -> bool:
    """Return whether an entry moves nothing and only asks whether the account is there."""
    return transaction_code in {f"{kind}{digit}" for kind in "2345" for digit in "38"}
