"""What the sandbox bank is asked and what it answers; `/v1/schemas` publishes the questions as JSON Schema."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sdt.sandbox.fields import Name, Reference, Slug, Units


class Program(Struct, frozen=True, forbid_unknown_fields=True):
    """Open the accounts PROGRAM-clearing (prefunded), PROGRAM-reserve, PROGRAM-operating and PROGRAM-blocked."""

    program: Slug


class Counterparty(Struct, frozen=True, forbid_unknown_fields=True):
    """An account at another bank."""

    routing_number: Annotated[str, Meta(pattern=r"^[0-9]{9}\Z")]
    account_number: Annotated[str, Meta(pattern=r"^[0-9]{4,17}\Z")]
    account_type: Literal["checking", "savings"]
    holder: Name


class EntryOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Originate an ACH entry."""

    direction: Literal["debit", "credit"]
    account: Slug
    amount_cents: Units
    counterparty: Counterparty
    sec_code: Literal["PPD", "CCD", "WEB", "TEL"]
    reference: Reference


class TransferOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Move money between two accounts of one program."""

    source: Slug
    destination: Slug
    amount_cents: Units
    reference: Reference


class Accounts(Struct, frozen=True):
    """The accounts of a program."""

    program: str
    accounts: tuple[str, ...]


class Entry(Struct, frozen=True):
    """An ACH entry; days are banking days."""

    entry_id: str
    direction: str
    account: str
    amount_cents: str
    sec_code: str
    reference: str
    trace_number: str
    status: str
    return_code: str | None
    created_day: int
    filed_day: int | None
    settled_day: int | None
    window_passed_day: int | None
    returned_day: int | None


class Transfer(Struct, frozen=True):
    """A book transfer; this bank confirms at once."""

    transfer_id: str
    source: str
    destination: str
    amount_cents: str
    reference: str
    status: str
    confirmed_at: str


class StatementLine(Struct, frozen=True):
    """One movement of an account."""

    sequence: int
    kind: str
    flow: str
    amount_cents: str
    subject: str
    reference: str
    at: str


class Statement(Struct, frozen=True):
    """An account's confirmed balance now, and lines after a number."""

    account: str
    balance_cents: str
    overdraft_cents: str
    as_of: str
    banking_day: int
    last_sequence: int
    lines: tuple[StatementLine, ...]
    more: bool


class ClockOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Stop the clock, let it run (at another speed), or put it on: to a date and Eastern time, or by banking days."""

    action: Literal["freeze", "run", "set", "advance"]
    date: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")] | None = None
    time: Annotated[str, Meta(pattern=r"^[0-2][0-9]:[0-5][0-9]\Z")] | None = None
    days: int | None = None
    seconds_per_banking_day: float | None = None


class CalendarAnswer(Struct, frozen=True):
    """The present banking day: its number, its date, the Eastern time of day, and how long one lasts."""

    banking_day: int
    date: str
    time: str
    frozen: bool
    compressed: bool
    seconds_per_banking_day: float
