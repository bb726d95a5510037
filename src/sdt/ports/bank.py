"""The State treasury's bank: ACH entries, book transfers between its own accounts, statements.

Two accounts per dollar token: *clearing* takes every ACH entry, *reserve* moves only by book transfers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import Enum
from typing import Protocol

from sdt.domain.ach.calendar import EASTERN
from sdt.domain.money import Amount
from sdt.ports.evidence import Evidence
from sdt.ports.kyc import PostalAddress
from sdt.ports.statement import Statement


class AchDirection(Enum):
    """Seen by the other account: a debit takes from it (a deposit), a credit pays into it (a payout)."""

    DEBIT = "debit"
    CREDIT = "credit"


class SecCode(Enum):
    """Standard entry class: how the person authorised the entry.

    Source: Nacha Operating Rules, Appendix Three.
    """

    PPD = "PPD"
    CCD = "CCD"
    WEB = "WEB"
    TEL = "TEL"


class AchStatus(Enum):
    """Where an entry stands. Mint no earlier than `window_passed`; even then a late `returned` may follow."""

    CREATED = "created"
    FILED = "filed"
    SETTLED = "settled"
    WINDOW_PASSED = "window_passed"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """Somebody's account at another bank. Never printed.

    Shape: `routing` nine digits, `number` up to 17 characters, `kind` "checking" or "savings".
    """

    routing: str = field(repr=False)
    number: str = field(repr=False)
    kind: str
    holder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AchOrder:
    """One ACH entry to originate against our `account`; `reference` is the transaction_id."""

    direction: AchDirection
    account: str
    amount: Amount
    counterparty: ExternalAccount
    sec_code: SecCode
    reference: str


@dataclass(frozen=True, slots=True)
class AchEntry:
    """An ACH entry as the bank knows it.

    Units: `*_day` are banking days as the bank's calendar counts them; None until reached.
    """

    entry_id: str
    direction: AchDirection
    account: str
    amount: Amount
    sec_code: SecCode
    reference: str
    trace_number: str
    status: AchStatus
    return_code: str | None
    created_day: int
    filed_day: int | None
    settled_day: int | None
    window_passed_day: int | None
    returned_day: int | None
    evidence: Evidence = field(compare=False)


class BookTransferStatus(Enum):
    """A transfer counts only when confirmed."""

    PENDING = "pending"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class BookTransferOrder:
    """Move money between two of our own accounts at the bank."""

    source: str
    destination: str
    amount: Amount
    reference: str


@dataclass(frozen=True, slots=True)
class BookTransfer:
    """A book transfer as the bank knows it."""

    transfer_id: str
    source: str
    destination: str
    amount: Amount
    reference: str
    status: BookTransferStatus
    confirmed_at: datetime | None
    evidence: Evidence = field(compare=False)


@dataclass(frozen=True, slots=True)
class Conductor:
    """Whoever handed currency in, as their document says. Never printed.

    Shape: `document` "drivers_license", "state_id" or "passport"; `issuer` a State's or a country's two letters.
    """

    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    born_on: date = field(repr=False)
    address: PostalAddress = field(repr=False)
    document: str = field(repr=False)
    document_number: str = field(repr=False)
    document_issuer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CurrencyDeposit:
    """Coin and paper counted at the bank's counter into our clearing account; `reference` is the transaction_id.

    `by_holder`: whoever handed it in is whom it is for.
    """

    deposit_id: str
    account: str
    amount: Amount
    reference: str
    by_holder: bool
    conductor: Conductor
    counted_at: datetime
    evidence: Evidence = field(compare=False)


@dataclass(frozen=True, slots=True)
class BankCalendar:
    """The bank's time: the number of the banking day, its date and the Eastern time of day.

    `compressed` days are a sandbox's, `seconds_per_banking_day` long; a `frozen` clock stands still.
    """

    banking_day: int
    on: date
    at: time
    frozen: bool
    compressed: bool
    seconds_per_banking_day: float

    @property
    def moment(self) -> datetime:
        """Date and time of day in Eastern time."""
        return datetime.combine(self.on, self.at, EASTERN)


class Bank(Protocol):
    """The same `key` to the same method always means the same order: repeat it after any failure.

    Errors: Unprocessable when the bank refuses; Conflict for a key used with another order; NotFound;
    StateUnknown when it may have been done; Unavailable when nothing was done.
    """

    async def originate(self, order: AchOrder, key: str) -> AchEntry:
        """Hand an ACH entry to the bank."""
        ...

    async def originated(self, order: AchOrder, key: str) -> AchEntry | None:
        """Return what became of an order that may have reached the bank; None when the bank itself says it has none.

        Errors: StateUnknown when it does not say so plainly.
        """
        ...

    async def ach_entry(self, entry_id: str) -> AchEntry:
        """Return an entry as it stands now."""
        ...

    async def book_transfer(self, order: BookTransferOrder, key: str) -> BookTransfer:
        """Move money between our own accounts."""
        ...

    async def transfer(self, transfer_id: str) -> BookTransfer:
        """Return a book transfer as it stands now."""
        ...

    async def currency_deposit(self, deposit_id: str) -> CurrencyDeposit:
        """Return what was counted at the counter, and who handed it in."""
        ...

    async def statement(self, account: str, after: int = 0, limit: int = 500) -> Statement:
        """Return the confirmed balance and the lines numbered above `after`."""
        ...

    async def calendar(self) -> BankCalendar:
        """Return the present date and time at the bank."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
