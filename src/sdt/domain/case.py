"""A case of the compliance role: from a finding to a decision by two people, under the clocks of the law.

Pure. What is decided about a person is decided by officers; this says only what may follow what, who may not be
the second officer, and when which report is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.errors import Conflict, Forbidden
from sdt.domain.monitoring.of_region import LegalStatus

__all__ = [
    "BLOCKING_REPORT_BANKING_DAYS",
    "CTR_DAYS",
    "SAR_CONTINUING_DAYS",
    "SAR_DAYS",
    "SAR_DAYS_WITHOUT_SUSPECT",
    "Case",
    "CaseStatus",
    "Decision",
    "approve",
    "assign",
    "blocking_report_due",
    "ctr_due",
    "decide",
    "mark_filed",
    "reopen",
    "sar_due",
    "send_back",
    "settle",
]

SAR_DAYS: Final = 30
SAR_DAYS_WITHOUT_SUSPECT: Final = 60
SAR_CONTINUING_DAYS: Final = 120
CTR_DAYS: Final = 15
BLOCKING_REPORT_BANKING_DAYS: Final = 10


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    """Nobody has taken it."""
    ASSIGNED = "assigned"
    """An officer looks at it."""
    PROPOSED = "proposed"
    """Decided by one officer; a second must agree."""
    CLOSED = "closed"
    """Both agree: nothing is reported."""
    TO_REPORT = "to_report"
    """Both agree: a report is due."""
    REPORTED = "reported"
    """The report was handed in and acknowledged under a number."""


class Decision(StrEnum):
    """What an officer proposes."""

    NOTHING = "nothing"
    REPORT = "report"


_AFTER: Final[Mapping[Decision, CaseStatus]] = {
    Decision.NOTHING: CaseStatus.CLOSED,
    Decision.REPORT: CaseStatus.TO_REPORT,
}


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands. Officers are named by the kid of their key; `reason` is theirs, for the file alone."""

    status: CaseStatus
    detected_on: date
    suspect_known: bool
    officer: str | None = None
    decision: Decision | None = None
    reason: str = ""
    second_officer: str | None = None
    filed_on: date | None = None
    confirmation: str | None = None
    """The number under which the authority acknowledged the last report."""

    def __repr__(self) -> str:
        return f"Case({self.status})"


def assign(case: Case, officer: str) -> Case:
    """Give an open case to an officer, or an assigned one to another. Errors: Conflict."""
    _expect(case, CaseStatus.OPEN, CaseStatus.ASSIGNED)
    return replace(case, status=CaseStatus.ASSIGNED, officer=officer)


def decide(case: Case, officer: str, decision: Decision, reason: str) -> Case:
    """Propose a decision: by the officer whose case it is, with a reason. Errors: Conflict, Forbidden."""
    _expect(case, CaseStatus.ASSIGNED)
    if officer != case.officer:
        raise Forbidden("The case is another officer's.", code="not_your_case")
    if not reason.strip():
        raise Conflict("A decision says why.", code="reason_missing")
    return replace(case, status=CaseStatus.PROPOSED, decision=decision, reason=reason)


def approve(case: Case, officer: str) -> Case:
    """Agree, as a second officer. Errors: Conflict; Forbidden for the one who decided."""
    _expect(case, CaseStatus.PROPOSED)
    assert case.decision is not None, "what is proposed is a decision"
    if officer == case.officer:
        raise Forbidden("Maker and checker are the same person.", code="same_officer")
    return replace(case, status=_AFTER[case.decision], second_officer=officer)


def settle(case: Case, officer: str, decision: Decision, reason: str, second_officer: str | None) -> Case:
    """Decide an unsettled case by one signed act, agreed to by the second officer where it takes two. Errors: Conflict.

    Whether it takes two is for whoever knows the act: a weak likeness may be cleared by one officer.
    """
    _expect(case, CaseStatus.OPEN, CaseStatus.ASSIGNED, CaseStatus.PROPOSED)
    if not reason.strip():
        raise Conflict("A decision says why.", code="reason_missing")
    return replace(
        case,
        status=_AFTER[decision],
        officer=officer,
        decision=decision,
        reason=reason,
        second_officer=second_officer,
    )


def send_back(case: Case, officer: str) -> Case:
    """Disagree, as a second officer: the first looks again. Errors: Conflict; Forbidden for the one who decided."""
    _expect(case, CaseStatus.PROPOSED)
    if officer == case.officer:
        raise Forbidden("Maker and checker are the same person.", code="same_officer")
    return replace(case, status=CaseStatus.ASSIGNED, decision=None, reason="")


def mark_filed(case: Case, on: date, confirmation: str) -> Case:
    """Note that the report was handed in on this day and acknowledged under this number. Errors: Conflict."""
    _expect(case, CaseStatus.TO_REPORT)
    if not confirmation.strip():
        raise Conflict("A report counts once its number came back.", code="confirmation_missing")
    return replace(case, status=CaseStatus.REPORTED, filed_on=on, confirmation=confirmation)


def reopen(case: Case, detected_on: date) -> Case:
    """Open a case anew on new evidence, found on this day: the clock begins anew with it. Errors: Conflict.

    What was reported before keeps its number: activity that goes on is reported under the clock of that report.
    """
    _expect(case, CaseStatus.CLOSED, CaseStatus.REPORTED)
    return Case(
        CaseStatus.OPEN, detected_on, case.suspect_known, filed_on=case.filed_on, confirmation=case.confirmation
    )


def _expect(case: Case, *allowed: CaseStatus) -> None:
    if case.status not in allowed:
        raise Conflict(f"The case is {case.status}.", code="case_status")


def sar_due(detected_on: date, *, suspect_known: bool, legal_status: LegalStatus) -> date:
    """Return the last day for a suspicious activity report. Source: 31 C.F.R. 1022.320(b)(3), 1020.320(b)(3).

    Only who reports as a bank does has more time while no suspect is known; a money services business has none.
    A last day on a weekend is not moved: whoever files by it is in time under any reading.
    """
    longer = not suspect_known and legal_status == "permitted_issuer"
    return detected_on + timedelta(days=SAR_DAYS_WITHOUT_SUSPECT if longer else SAR_DAYS)


def ctr_due(business_day: date) -> date:
    """Return the last day for a currency transaction report. Source: 31 C.F.R. 1010.306(a)(1)."""
    return business_day + timedelta(days=CTR_DAYS)


def blocking_report_due(blocked_on: date) -> date:
    """Return the last day for the report of blocked property. Source: 31 C.F.R. 501.603(b)(1)."""
    return add_banking_days(blocked_on, BLOCKING_REPORT_BANKING_DAYS)
