"""A case is decided by two people, and its clocks are the law's."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sdt.domain.case import (
    Case,
    CaseStatus,
    Decision,
    approve,
    assign,
    blocking_report_due,
    ctr_due,
    decide,
    mark_filed,
    reopen,
    sar_due,
    send_back,
)
from sdt.domain.errors import Conflict, Forbidden, SdtError
from sdt.domain.monitoring.of_region import LEGAL_STATUSES

DAY = date(2026, 11, 24)
NEW = Case(CaseStatus.OPEN, DAY, suspect_known=True)
OFFICERS = ("ann", "ben", "cora")


def test_from_a_finding_to_a_report() -> None:
    case = decide(assign(NEW, "ann"), "ann", Decision.REPORT, "Deposits just below the limit, five days running.")
    assert case.status is CaseStatus.PROPOSED
    done = approve(case, "ben")
    assert (done.status, done.officer, done.second_officer) == (CaseStatus.TO_REPORT, "ann", "ben")


def test_nobody_is_their_own_second_officer() -> None:
    case = decide(assign(NEW, "ann"), "ann", Decision.NOTHING, "A wedding.")
    for act in (approve, send_back):
        with pytest.raises(Forbidden) as caught:
            act(case, "ann")
        assert caught.value.code == "same_officer"
    assert send_back(case, "ben").decision is None


def test_only_whose_case_it_is_decides_and_says_why() -> None:
    case = assign(NEW, "ann")
    with pytest.raises(Forbidden):
        decide(case, "ben", Decision.NOTHING, "x")
    with pytest.raises(Conflict, match="why"):
        decide(case, "ann", Decision.NOTHING, "  ")
    with pytest.raises(Conflict, match="open"):
        decide(NEW, "ann", Decision.NOTHING, "x")


def test_what_is_reported_is_not_reopened_and_what_is_closed_is_on_a_new_clock() -> None:
    closed = approve(decide(assign(NEW, "ann"), "ann", Decision.NOTHING, "A wedding."), "ben")
    again = reopen(closed, date(2027, 1, 4))
    assert (again.status, again.detected_on, again.officer, again.reason) == (
        CaseStatus.OPEN,
        date(2027, 1, 4),
        None,
        "",
    )
    reported = approve(decide(assign(NEW, "ann"), "ann", Decision.REPORT, "x"), "ben")
    with pytest.raises(Conflict):
        reopen(reported, DAY)


def test_a_case_prints_no_reason_and_no_officer() -> None:
    case = decide(assign(NEW, "ann"), "ann", Decision.REPORT, "suspicion")
    assert "suspicion" not in repr(case)
    assert "ann" not in repr(case)


def test_clocks() -> None:
    for status in LEGAL_STATUSES:
        assert sar_due(DAY, suspect_known=True, legal_status=status) == date(2026, 12, 24)
    # who reports as a bank does has sixty days while no suspect is known; a money services business never
    assert sar_due(DAY, suspect_known=False, legal_status="permitted_issuer") == date(2027, 1, 23)
    assert sar_due(DAY, suspect_known=False, legal_status="msb") == date(2026, 12, 24)
    assert sar_due(DAY, suspect_known=False, legal_status="agency") == date(2026, 12, 24)
    assert ctr_due(DAY) == date(2026, 12, 9)
    # Thanksgiving and two weekends lie between.
    assert blocking_report_due(DAY) == date(2026, 12, 9)


class Cases(RuleBasedStateMachine):
    """Officers do whatever comes to their minds."""

    def __init__(self) -> None:
        super().__init__()
        self.case = NEW
        self.decided_by: str | None = None

    def _try(self, act: object, *arguments: object) -> None:
        try:
            self.case = act(self.case, *arguments)  # type: ignore[operator]
        except SdtError:
            return
        if act is decide:
            self.decided_by = str(arguments[0])

    @rule(officer=st.sampled_from(OFFICERS))
    def assigned(self, officer: str) -> None:
        self._try(assign, officer)

    @rule(
        officer=st.sampled_from(OFFICERS), decision=st.sampled_from(list(Decision)), reason=st.sampled_from(["", "x"])
    )
    def decided(self, officer: str, decision: Decision, reason: str) -> None:
        self._try(decide, officer, decision, reason)

    @rule(officer=st.sampled_from(OFFICERS))
    def approved(self, officer: str) -> None:
        self._try(approve, officer)

    @rule(officer=st.sampled_from(OFFICERS))
    def sent_back(self, officer: str) -> None:
        self._try(send_back, officer)

    @rule(confirmation=st.sampled_from(["", "31000123456789"]))
    def filed(self, confirmation: str) -> None:
        self._try(mark_filed, DAY, confirmation)

    @rule()
    def reopened(self) -> None:
        self._try(reopen, DAY)

    @invariant()
    def an_end_has_two_officers_and_a_reason(self) -> None:
        assert (self.case.filed_on is None) == (self.case.confirmation is None)
        if self.case.status in (CaseStatus.CLOSED, CaseStatus.TO_REPORT, CaseStatus.REPORTED):
            assert self.case.officer == self.decided_by
            assert self.case.second_officer not in (None, self.case.officer)
            assert self.case.reason
        else:
            assert self.case.second_officer is None


TestCases = Cases.TestCase
