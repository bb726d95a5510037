"""The kinds of cases: what each is about, which report its clock is for, and who works it besides compliance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final

from sdt.domain.case import (
    SAR_CONTINUING_DAYS,
    Case,
    CaseStatus,
    Decision,
    blocking_report_due,
    ctr_due,
    reopen,
    sar_due,
)
from sdt.domain.monitoring.of_region import LegalStatus
from sdt.domain.registry import Role

__all__ = ["KINDS", "SETTLED", "CaseKind", "Clock", "due_on", "kinds_of", "open_anew"]


class Clock(Enum):
    """Which report's clock runs from the day of detection."""

    SUSPICION = "suspicion"
    CURRENCY = "currency"
    """The day of detection is the business day that is reported."""
    BLOCKING = "blocking"
    NONE = "none"
    """No report is due unless an officer decides so; then that of a suspicion, from the day of detection."""


@dataclass(frozen=True, slots=True)
class CaseKind:
    """One kind of case."""

    about: str
    clock: Clock
    custodian: bool = False
    """Whether the treasury's custodian works it too: it is about entries at the bank."""


KINDS: Final[Mapping[str, CaseKind]] = {
    "sanctions": CaseKind("a name that may be on a sanctions list", Clock.BLOCKING),
    "monitoring": CaseKind("a pattern in a person's movements", Clock.SUSPICION),
    "currency": CaseKind("currency above the report in one business day", Clock.CURRENCY),
    "kyc": CaseKind("an identity that needs an officer's eye", Clock.NONE),
    "vendor": CaseKind("a vendor whose answers need an officer's eye", Clock.NONE),
    "ach_return": CaseKind("a bank entry that came back late", Clock.NONE, custodian=True),
    "ach_unmatched": CaseKind("a bank's line that belongs to nothing known", Clock.NONE, custodian=True),
    "return_rate": CaseKind("returns above the network's threshold", Clock.NONE, custodian=True),
    "receivable": CaseKind("a return after the tokens were spent", Clock.NONE, custodian=True),
    "bar_lost": CaseKind("a bar that is lost, or weighs less than it did", Clock.NONE, custodian=True),
    "delivery_owed": CaseKind("a redemption burnt whose bar is lost: metal is owed", Clock.NONE, custodian=True),
    "payout_suspense": CaseKind("a payout that came back and may not be minted again", Clock.NONE, custodian=True),
}

SETTLED: Final = (CaseStatus.CLOSED, CaseStatus.REPORTED)
"""Nothing is left to do, unless new evidence opens it anew."""


def kinds_of(role: Role) -> tuple[str, ...]:
    """Return the kinds of cases that a key with these roles may see."""
    if role & Role.COMPLIANCE_OFFICER:
        return tuple(KINDS)
    if role & Role.CUSTODIAN:
        return tuple(name for name, kind in KINDS.items() if kind.custodian)
    return ()


def due_on(kind: str, case: Case, legal_status: LegalStatus) -> date | None:
    """Return the last day for the report that a case asks for now, or None when none is due.

    What was reported is looked at again: activity that goes on is reported by the 120th day after the last report.
    Source: 31 C.F.R. 1022.320(b)(3), 1020.320(b)(3); FinCEN, The SAR Activity Review 21 (continuing activity);
    31 C.F.R. 1010.306(a)(1); 31 C.F.R. 501.603(b)(1).
    """
    clock = KINDS[kind].clock
    if case.status is CaseStatus.CLOSED:
        return None
    if clock is Clock.NONE and case.decision is not Decision.REPORT and case.filed_on is None:
        return None
    if clock is Clock.CURRENCY:
        return None if case.status is CaseStatus.REPORTED else ctr_due(case.detected_on)
    if clock is Clock.BLOCKING:
        return None if case.status is CaseStatus.REPORTED else blocking_report_due(case.detected_on)
    if case.filed_on is not None:
        return case.filed_on + timedelta(days=SAR_CONTINUING_DAYS)
    return sar_due(case.detected_on, suspect_known=case.suspect_known, legal_status=legal_status)


def open_anew(kind: str, case: Case, found_on: date) -> Case:
    """Open a settled case anew on what monitoring found on this day. Errors: Conflict.

    A report of currency is due by the day that it is of, also where more of that day is booked after it was handed in.
    """
    return reopen(case, case.detected_on if KINDS[kind].clock is Clock.CURRENCY else found_on)
