"""What was noticed grows: its case is told, and opened anew where officers had settled it, on both databases."""

from __future__ import annotations

from datetime import date

import pytest
from test_monitoring import opened

from monitoring_rig import DAY_S, NOON_S, Payment, count_currency, judge_all, noticed, pay, read_all
from sdt.domain.case import Case, Decision, approve, assign, decide, mark_filed
from sdt.store import Store, cases
from sdt.store.cases import CaseRow, Load
from store_rig import address, transaction_id

NUMBER = "31000123456789"
FILED_ON = date(2026, 11, 26)


def decided(case: Case, decision: Decision) -> Case:
    return approve(decide(assign(case, "ann"), "ann", decision, "x"), "ben")


def settled(store: Store, row: CaseRow, decision: Decision) -> None:
    """Settle a case as two officers would: closed, or reported and acknowledged."""
    state = decided(row.state, decision)
    if decision is Decision.REPORT:
        state = mark_filed(state, FILED_ON, NUMBER)
    cases.save(store, row.id, state, event="settled", actor="ben", detail=None, at_ms=NOON_S * 1000)


def the(store: Store, kind: str) -> CaseRow:
    (row,) = opened(store, kind)
    return row


def told(store: Store, row: CaseRow) -> list[str]:
    return [one.event for one in cases.events_of(store, row.id)]


@pytest.mark.parametrize(("decision", "number"), [(Decision.REPORT, NUMBER), (Decision.NOTHING, None)])
def test_currency_booked_after_its_report_opens_the_case_anew(
    store: Store, decision: Decision, number: str | None
) -> None:
    count_currency(store, 1, 1, 10_000_01, NOON_S)
    read_all(store, [10], NOON_S)
    settled(store, the(store, "currency"), decision)
    assert the(store, "currency").due_on is None
    # when currency of that day is booked nine days later, among much else that moved since, then a report of it is due
    late_s = NOON_S + 9 * DAY_S
    pay(store, [Payment(1_000 + n, 1, 2, 5_000_00, NOON_S + 2 * DAY_S + n) for n in range(120)])
    count_currency(store, 2, 1, 90_000_00, NOON_S + 60, booked_s=late_s)
    read_all(store, [500], late_s)
    row = the(store, "currency")
    assert (row.status, row.detected_on, row.due_on) == ("open", "2026-11-24", "2026-12-09")
    assert (row.officer, row.decision, row.confirmation) == (None, None, number)
    assert told(store, row) == ["opened", "settled", "found_again", "reopened"]
    again = cases.events_of(store, row.id)[-2]
    assert again.detail == "FED-CTR 2026-11-24:in: 2 movements, 10000001 cents, 1000001 before"
    assert [one.reference for one in cases.evidence_of(store, row.id)] == [transaction_id(1), transaction_id(2)]
    load = {one.kind: one for one in cases.load(store, date(2026, 12, 10))}
    assert load["currency"] == Load("currency", 1, 1, 0), "late from the 16th day on"


@pytest.mark.parametrize("to_report", [False, True])
def test_an_open_case_is_told_of_each_growth_of_its_currency(store: Store, to_report: bool) -> None:
    count_currency(store, 1, 1, 10_000_01, NOON_S)
    read_all(store, [10], NOON_S)
    row = the(store, "currency")
    if to_report:
        state = decided(row.state, Decision.REPORT)
        cases.save(store, row.id, state, event="agreed", actor="ben", detail=None, at_ms=NOON_S * 1000)
    for n in (2, 3):
        count_currency(store, n, 1, 100_00, NOON_S + n)
        read_all(store, [10], NOON_S)
    read_all(store, [10], NOON_S)
    after = the(store, "currency")
    assert after.status == ("to_report" if to_report else "open"), "what was decided stands"
    assert told(store, row)[-2:] == ["found_again", "found_again"]
    assert len(told(store, row)) == 3 + to_report
    references = [one.reference for one in cases.evidence_of(store, row.id)]
    assert references == [transaction_id(n) for n in (1, 2, 3)]


def test_a_finding_of_the_other_direction_opens_the_days_case_anew(store: Store) -> None:
    count_currency(store, 1, 1, 10_000_01, NOON_S)
    read_all(store, [10], NOON_S)
    settled(store, the(store, "currency"), Decision.REPORT)
    # given that the day's currency was noticed before under another name of the rule
    store.execute("UPDATE findings SET key = ?, rule = ?", (f"OLD-CTR:{address(1)}:2026-11-24:in", "OLD-CTR"))
    count_currency(store, 2, 1, 1_00, NOON_S + 60)
    read_all(store, [10], NOON_S)
    assert told(store, the(store, "currency"))[-2:] == ["found_again", "reopened"]
    assert len(noticed(store)) == 2


def test_a_busy_day_is_not_told_with_every_payment(store: Store) -> None:
    pay(store, [Payment(n, 1, n, 1_500_00, NOON_S + n) for n in range(10, 30)])
    read_all(store, [500], NOON_S)
    row = the(store, "monitoring")
    for n in range(30, 80):
        pay(store, [Payment(n, 1, n, 1_500_00, NOON_S + n)])
        read_all(store, [500], NOON_S)
    # $30,000 in 20 payments became $105,000 in 70: past 2^22 and 2^23 cents
    assert told(store, row) == ["opened", "found_again", "found_again"]
    assert [count for _, _, count in noticed(store)] == [70]


@pytest.mark.parametrize(("decision", "due"), [(Decision.REPORT, "2027-03-26"), (Decision.NOTHING, "2027-01-02")])
def test_a_settled_suspicion_that_grows_is_on_the_clock_of_its_report_or_a_new_one(
    store: Store, decision: Decision, due: str
) -> None:
    for n, day in enumerate((-5, -4, -1), 1):  # Thursday, Friday, Monday
        count_currency(store, n, 1, 9_000_00, NOON_S + day * DAY_S)
    read_all(store, [10], NOON_S)
    judge_all(store, NOON_S)
    settled(store, the(store, "monitoring"), decision)
    late_s = NOON_S + 9 * DAY_S
    count_currency(store, 4, 1, 500_00, NOON_S - DAY_S, booked_s=late_s)
    read_all(store, [10], late_s)
    judge_all(store, late_s)
    row = the(store, "monitoring")
    assert (row.status, row.detected_on, row.due_on) == ("open", "2026-12-03", due)
    assert told(store, row) == ["opened", "settled", "found_again", "reopened"]
    assert transaction_id(4) in [one.reference for one in cases.evidence_of(store, row.id)]


def test_a_day_that_shows_less_than_it_did_opens_nothing(store: Store) -> None:
    for n, day in enumerate((-7, -5, -4, -1), 1):  # four days below the report
        count_currency(store, n, 1, 9_000_00, NOON_S + day * DAY_S)
    read_all(store, [10], NOON_S)
    judge_all(store, NOON_S)
    row = the(store, "monitoring")
    settled(store, row, Decision.REPORT)
    before = told(store, row)
    # when the first day goes above the report by itself, then that is reported, and the others still are structuring
    count_currency(store, 5, 1, 9_000_00, NOON_S - 7 * DAY_S, booked_s=NOON_S + DAY_S)
    read_all(store, [10], NOON_S + DAY_S)
    judge_all(store, NOON_S + DAY_S)
    assert told(store, row) == before
    assert the(store, "currency").detected_on == "2026-11-17"
