"""Every code of a return and of a notification of change: what it means, how long it may take, what we do.

A dated table: deadlines and codes are those in force on `AS_OF`; counsel and the bank confirm each edition.
Source: Nacha Operating Rules, Appendix Four (returns) and Appendix Five (notifications of change).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final

from sdt.domain.ach.calendar import add_banking_days

__all__ = [
    "AS_OF",
    "CHANGES",
    "RETURNS",
    "Action",
    "ChangeCode",
    "Deadline",
    "Family",
    "ReturnCode",
    "is_late",
    "is_officers",
]

AS_OF: Final = date(2026, 3, 20)


class Action(Enum):
    """What happens when an entry comes back, besides what undoes it. No entry is presented or made again by itself."""

    ASK_AGAIN = "nothing is presented again: the depositor may make another deposit"
    STOP_ACCOUNT = "no more debits and proofs of this bank account: its holder links another"
    STOP_DEBITS = "no more debits of this bank account without a new authorization"
    CORRECT = "an officer's case: find what was wrong with our entry, for nothing is made again by itself"
    HOLD = "an officer's case: decide whether the account is frozen"
    ASK_BANK = "an officer's case: ask our bank"
    UNDONE = "our bank sent the return back: an officer has what that leaves owed to nobody"
    STANDS = "the return stands after all: an officer's case"


class Family(Enum):
    """Which of the watched return rates a code counts in, besides the overall one."""

    UNAUTHORIZED = "unauthorized"
    ADMINISTRATIVE = "administrative"
    OTHER = "other"


class Deadline(Enum):
    """How long the other bank may take after settlement."""

    TWO_BANKING_DAYS = "so that it is here by the opening of the second banking day"
    SIXTY_DAYS = "60 calendar days"
    FIVE_BANKING_DAYS = "5 banking days after the return settled"
    TWO_AFTER_DISHONORED = "2 banking days after the dishonored return settled"
    AFTER_REFUSAL = "2 banking days after the other bank learnt that its customer refuses, a day that no return tells"
    UNDEFINED = "as the banks agree"

    def last_day(self, settled_on: date) -> date | None:
        """Return the last day on which it may reach us; None where it does not follow from the settlement."""
        days = {
            Deadline.TWO_BANKING_DAYS: add_banking_days(settled_on, 2),
            Deadline.SIXTY_DAYS: add_banking_days(settled_on + timedelta(days=60), 1),
            Deadline.FIVE_BANKING_DAYS: add_banking_days(settled_on, 5),
            Deadline.TWO_AFTER_DISHONORED: add_banking_days(settled_on, 2),
        }
        return days.get(self)


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """One code of a return."""

    code: str
    title: str
    deadline: Deadline
    action: Action
    family: Family


@dataclass(frozen=True, slots=True)
class ChangeCode:
    """One code of a notification of change; `corrects` names what the addenda brings anew."""

    code: str
    title: str
    corrects: tuple[str, ...]


_TWO, _SIXTY, _ASK = Deadline.TWO_BANKING_DAYS, Deadline.SIXTY_DAYS, Deadline.UNDEFINED
_REFUSED = Deadline.AFTER_REFUSAL
_FIVE, _AFTER = Deadline.FIVE_BANKING_DAYS, Deadline.TWO_AFTER_DISHONORED
_A = Action
_TABLE: Final = (
    ("R01", "Insufficient funds", _TWO, _A.ASK_AGAIN),
    ("R02", "Account closed", _TWO, _A.STOP_ACCOUNT),
    ("R03", "No account, or unable to locate account", _TWO, _A.STOP_ACCOUNT),
    ("R04", "Invalid account number structure", _TWO, _A.STOP_ACCOUNT),
    ("R05", "Unauthorized debit to a consumer account using a corporate class", _SIXTY, _A.STOP_DEBITS),
    ("R06", "Returned at the request of the originating bank", _ASK, _A.ASK_BANK),
    ("R07", "Authorization revoked by the customer", _SIXTY, _A.STOP_DEBITS),
    ("R08", "Payment stopped", _TWO, _A.STOP_DEBITS),
    ("R09", "Uncollected funds", _TWO, _A.ASK_AGAIN),
    ("R10", "Customer says the originator is not known or not authorized to debit", _SIXTY, _A.STOP_DEBITS),
    ("R11", "Customer says the entry is not as authorized", _SIXTY, _A.CORRECT),
    ("R12", "Account sold to another bank", _TWO, _A.STOP_ACCOUNT),
    ("R13", "Invalid routing number", _TWO, _A.STOP_ACCOUNT),
    ("R14", "Representative payee deceased or unable to continue", _TWO, _A.HOLD),
    ("R15", "Beneficiary or account holder deceased", _TWO, _A.HOLD),
    ("R16", "Account frozen, or returned on OFAC's instruction", _TWO, _A.HOLD),
    ("R17", "File record edit criteria, or a questionable entry", _TWO, _A.HOLD),
    ("R18", "Improper effective entry date", _TWO, _A.CORRECT),
    ("R19", "Amount field error", _TWO, _A.CORRECT),
    ("R20", "Non-transaction account", _TWO, _A.STOP_ACCOUNT),
    ("R21", "Invalid company identification", _TWO, _A.CORRECT),
    ("R22", "Invalid individual ID number", _TWO, _A.CORRECT),
    ("R23", "Credit refused by the receiver", _REFUSED, _A.STOP_ACCOUNT),
    ("R24", "Duplicate entry", _TWO, _A.HOLD),
    ("R25", "Addenda error", _TWO, _A.CORRECT),
    ("R26", "Mandatory field error", _TWO, _A.CORRECT),
    ("R27", "Trace number error", _TWO, _A.CORRECT),
    ("R28", "Routing number check digit error", _TWO, _A.CORRECT),
    ("R29", "Corporate customer says not authorized", _TWO, _A.STOP_DEBITS),
    ("R30", "The receiving bank takes no part in check truncation", _TWO, _A.ASK_BANK),
    ("R31", "Permissible return of a corporate entry", _ASK, _A.ASK_BANK),
    ("R32", "The receiving bank does not settle", _TWO, _A.ASK_BANK),
    ("R33", "Return of a destroyed check entry", _SIXTY, _A.ASK_BANK),
    ("R34", "The receiving bank's participation is limited", _TWO, _A.STOP_ACCOUNT),
    ("R35", "Return of an improper debit entry", _TWO, _A.STOP_DEBITS),
    ("R36", "Return of an improper credit entry", _TWO, _A.CORRECT),
    ("R37", "Source document was presented for payment", _SIXTY, _A.HOLD),
    ("R38", "Stop payment on the source document", _SIXTY, _A.HOLD),
    ("R39", "Improper source document, or it was presented for payment", _TWO, _A.HOLD),
    ("R40", "Return of an enrollment entry by a federal agency", _TWO, _A.CORRECT),
    ("R41", "Invalid transaction code of an enrollment entry", _TWO, _A.CORRECT),
    ("R42", "Routing number or check digit error of an enrollment entry", _TWO, _A.CORRECT),
    ("R43", "Invalid account number of an enrollment entry", _TWO, _A.CORRECT),
    ("R44", "Invalid individual ID number of an enrollment entry", _TWO, _A.CORRECT),
    ("R45", "Invalid individual or company name of an enrollment entry", _TWO, _A.CORRECT),
    ("R46", "Invalid representative payee indicator of an enrollment entry", _TWO, _A.CORRECT),
    ("R47", "Duplicate enrollment entry", _TWO, _A.CORRECT),
    ("R50", "State law about re-presented checks", _TWO, _A.ASK_BANK),
    ("R51", "Item of a re-presented check is ineligible or improper", _SIXTY, _A.STOP_DEBITS),
    ("R52", "Stop payment on the item of a re-presented check", _SIXTY, _A.STOP_DEBITS),
    ("R53", "Item and re-presented check entry both presented", _SIXTY, _A.HOLD),
    ("R61", "Dishonored: misrouted return", _FIVE, _A.UNDONE),
    ("R62", "Dishonored: return of an erroneous or reversing debit", _FIVE, _A.UNDONE),
    ("R67", "Dishonored: duplicate return", _FIVE, _A.UNDONE),
    ("R68", "Dishonored: untimely return", _FIVE, _A.UNDONE),
    ("R69", "Dishonored: field errors", _FIVE, _A.UNDONE),
    ("R70", "Dishonored: permissible return not accepted or not asked for", _FIVE, _A.UNDONE),
    ("R71", "Contested: misrouted dishonored return", _AFTER, _A.STANDS),
    ("R72", "Contested: untimely dishonored return", _AFTER, _A.STANDS),
    ("R73", "Contested: the return was timely", _AFTER, _A.STANDS),
    ("R74", "Contested: the return is corrected", _AFTER, _A.STANDS),
    ("R75", "Contested: the return was no duplicate", _AFTER, _A.STANDS),
    ("R76", "Contested: no errors found", _AFTER, _A.STANDS),
    ("R77", "Contested: the dishonored return is not accepted", _AFTER, _A.STANDS),
    ("R80", "International payment: coding error", _TWO, _A.ASK_BANK),
    ("R81", "International payment: no part in the program", _TWO, _A.ASK_BANK),
    ("R82", "International payment: invalid foreign bank", _TWO, _A.ASK_BANK),
    ("R83", "International payment: the foreign bank does not settle", _TWO, _A.ASK_BANK),
    ("R84", "International payment: not processed by the gateway", _TWO, _A.ASK_BANK),
    ("R85", "International payment wrongly coded as domestic", _TWO, _A.HOLD),
)
_UNAUTHORIZED: Final = frozenset({"R05", "R07", "R10", "R11", "R29", "R51"})
_ADMINISTRATIVE: Final = frozenset({"R02", "R03", "R04"})


def _family(code: str) -> Family:
    if code in _UNAUTHORIZED:
        return Family.UNAUTHORIZED
    return Family.ADMINISTRATIVE if code in _ADMINISTRATIVE else Family.OTHER


RETURNS: Final = {code: ReturnCode(code, title, limit, act, _family(code)) for code, title, limit, act in _TABLE}
CHANGES: Final = {
    code: ChangeCode(code, title, corrects)
    for code, title, corrects in (
        ("C01", "Incorrect account number", ("account",)),
        ("C02", "Incorrect routing number", ("routing",)),
        ("C03", "Incorrect routing number and account number", ("routing", "account")),
        ("C04", "Incorrect name", ("name",)),
        ("C05", "Incorrect transaction code", ("kind",)),
        ("C06", "Incorrect account number and transaction code", ("account", "kind")),
        ("C07", "Incorrect routing number, account number and transaction code", ("routing", "account", "kind")),
        ("C08", "Incorrect receiving bank of an international payment", ("routing",)),
        ("C09", "Incorrect individual ID number", ("individual_id",)),
        ("C10", "Incorrect company name", ("company_name",)),
        ("C11", "Incorrect company identification", ("company_id",)),
        ("C12", "Incorrect company name and identification", ("company_name", "company_id")),
        ("C13", "Addenda format error", ("addenda",)),
        ("C14", "Incorrect class of an outbound international payment", ("sec_code",)),
        ("C61", "Misrouted notification of change", ()),
        ("C62", "Incorrect trace number", ()),
        ("C63", "Incorrect company identification", ()),
        ("C64", "Incorrect individual ID number", ()),
        ("C65", "Incorrectly formatted corrected data", ()),
        ("C66", "Incorrect discretionary data", ()),
        ("C67", "Routing number not from the original entry", ()),
        ("C68", "Account number not from the original entry", ()),
        ("C69", "Incorrect transaction code", ()),
    )
}


_OWN_WAYS: Final = frozenset({Action.ASK_AGAIN, Action.STOP_ACCOUNT, Action.STOP_DEBITS})


def is_officers(code: str) -> bool:
    """Return whether a return is an officer's case by its code: an unknown one is."""
    known = RETURNS.get(code)
    return known is None or known.action not in _OWN_WAYS


def is_late(code: str, settled_on: date, arrived_on: date) -> bool:
    """Return whether a return came after its time, so that our bank may dishonor it (R68).

    An unknown code is not, nor is one whose time does not run from the settlement.
    """
    known = RETURNS.get(code)
    last = known.deadline.last_day(settled_on) if known else None
    return last is not None and arrived_on > last
