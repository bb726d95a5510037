"""Banking days against the Federal Reserve's published schedule, and when what settles."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.ach.calendar import (
    CLOSED_DAYS_MAX,
    EASTERN,
    SAME_DAY_CENTS_MAX,
    add_banking_days,
    banking_day_of,
    banking_days_between,
    counts_from,
    effective_date,
    federal_holidays,
    is_banking_day,
    next_banking_day,
    settlement_of,
)
from sdt.domain.ach.codes import CHANGES, RETURNS, Action, Family, is_late, is_officers

PUBLISHED = {
    2024: "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25",
    2025: "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25",
    2026: "01-01 01-19 02-16 05-25 06-19 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 07-05 09-06 10-11 11-11 11-25",
    2028: "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-23 12-25",
}
"""What the Reserve Banks publish; a holiday on a Saturday closes nothing, one on a Sunday the Monday after."""
_days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize("year", PUBLISHED)
def test_holidays_are_the_published_ones(year: int) -> None:
    assert [f"{day:%m-%d}" for day in federal_holidays(year)] == PUBLISHED[year].split()


def test_every_day_counts_with_one_banking_day_and_no_more_than_three_closed_days_with_any() -> None:
    day = date(2000, 1, 1)
    while day < date(2100, 1, 1):
        banking = banking_day_of(day)
        assert is_banking_day(banking)
        assert counts_from(day) == counts_from(banking) <= day <= banking
        assert banking_day_of(counts_from(day) - timedelta(days=1)) < banking
        assert (banking - counts_from(day)).days <= CLOSED_DAYS_MAX
        day += timedelta(days=1)


def test_a_holiday_on_a_saturday_leaves_friday_open() -> None:
    assert is_banking_day(date(2026, 7, 3))
    assert not is_banking_day(date(2027, 7, 5))


@given(_days, st.integers(0, 40))
def test_counting_banking_days_there_and_back(day: date, count: int) -> None:
    later = add_banking_days(day, count)
    assert banking_days_between(day, later) == count
    assert count == 0 or is_banking_day(later)


@given(_days)
def test_the_next_banking_day_is_never_far(day: date) -> None:
    assert timedelta(0) < next_banking_day(day) - day <= timedelta(days=5)


def _at(day: date, hour: int, minute: int) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN)


TUESDAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("hour", "minute", "settles"),
    [(10, 30, time(13)), (10, 31, time(17)), (14, 46, time(18)), (16, 45, time(18))],
)
def test_todays_date_makes_an_entry_same_day(hour: int, minute: int, settles: time) -> None:
    assert effective_date(_at(TUESDAY, hour, minute), same_day=True) == TUESDAY
    found = settlement_of(_at(TUESDAY, hour, minute), TUESDAY, credit=False, cents=5)
    assert (found.on, found.at.time(), found.same_day) == (TUESDAY, settles, True)


def test_after_the_last_window_it_is_the_next_banking_day_whatever_is_wished() -> None:
    evening = _at(date(2026, 11, 25), 16, 46)
    assert effective_date(evening, same_day=True) == date(2026, 11, 27), "Thanksgiving lies between"
    assert settlement_of(evening, date(2026, 11, 25), credit=False).on == date(2026, 11, 27)


def test_a_stale_date_makes_it_same_day_and_a_large_amount_does_not() -> None:
    morning = _at(TUESDAY, 9, 0)
    for stale in (None, date(2026, 11, 20)):
        assert settlement_of(morning, stale, credit=False, cents=SAME_DAY_CENTS_MAX).same_day
        assert not settlement_of(morning, stale, credit=False, cents=SAME_DAY_CENTS_MAX + 1).same_day


def test_a_stale_date_over_a_holiday_settles_after_it() -> None:
    holiday = _at(date(2026, 11, 26), 9, 0)
    found = settlement_of(holiday, date(2026, 11, 26), credit=False)
    assert (found.on, found.same_day) == (date(2026, 11, 27), False)


def test_credits_may_be_handed_in_two_days_ahead_and_debits_one() -> None:
    far = date(2026, 12, 15)
    assert settlement_of(_at(TUESDAY, 9, 0), far, credit=True).on == date(2026, 11, 27)
    assert settlement_of(_at(TUESDAY, 9, 0), far, credit=False).on == date(2026, 11, 25)


@given(_days, st.times(), st.one_of(st.none(), _days), st.booleans(), st.integers(0, 10**10))
def test_nothing_ever_settles_before_it_is_handed_in_or_on_a_closed_day(
    day: date, at: time, effective: date | None, credit: bool, cents: int
) -> None:
    handed_in = datetime.combine(day, at, EASTERN)
    found = settlement_of(handed_in, effective, credit=credit, cents=cents)
    assert is_banking_day(found.on)
    assert found.at > handed_in
    assert banking_days_between(day, found.on) <= 2


def test_codes_are_whole_and_counted_in_the_rates_that_banks_watch() -> None:
    assert {code for code, of in RETURNS.items() if of.family is Family.UNAUTHORIZED} == {
        *("R05", "R07", "R10"),
        *("R11", "R29", "R51"),
    }
    assert {code for code, of in RETURNS.items() if of.family is Family.ADMINISTRATIVE} == {"R02", "R03", "R04"}
    assert RETURNS["R01"].action is Action.ASK_AGAIN
    assert all(code == of.code and of.title for code, of in RETURNS.items())
    assert CHANGES["C03"].corrects == ("routing", "account")


def test_what_needs_an_officer_is_a_case_and_nothing_is_made_again_by_itself() -> None:
    ours = {"R11", "R18", "R19", "R21", "R22", "R25", "R26", "R27", "R28", "R36"}
    assert {code for code in RETURNS if is_officers(code)} >= ours | {"R06", "R14", "R16"}
    assert not any(is_officers(code) for code in ("R01", "R02", "R09", "R10"))
    assert is_officers("R99"), "an unknown code"
    for of in RETURNS.values():
        assert is_officers(of.code) is ("officer" in of.action.value), of.code


def test_deadlines_of_returns() -> None:
    settled = date(2026, 11, 24)
    assert not is_late("R01", settled, date(2026, 11, 27))
    assert is_late("R01", settled, date(2026, 11, 30))
    assert not is_late("R29", settled, date(2026, 11, 27))
    assert is_late("R29", settled, date(2026, 11, 30)), "a corporate account has two banking days"
    assert not is_late("R10", settled, settled + timedelta(days=60))
    assert is_late("R10", settled, settled + timedelta(days=66))
    assert not is_late("R23", settled, settled + timedelta(days=40)), (
        "its time runs from the refusal, which no return tells"
    )
    assert not is_late("R06", settled, settled + timedelta(days=400)), "no rule says"
    assert not is_late("R99", settled, settled + timedelta(days=400))
