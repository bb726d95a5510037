"""The Federal Reserve's banking days, and when an entry that is handed in at a moment settles.

Pure: moments come in with their time zone. The operator's own settlement date, where it says one, wins over ours.
Source: Federal Reserve Banks, holiday schedule and FedACH processing schedule (same-day windows).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

__all__ = [
    "CLOSED_DAYS_MAX",
    "EASTERN",
    "SAME_DAY_CENTS_MAX",
    "SAME_DAY_WINDOWS",
    "Settlement",
    "Window",
    "add_banking_days",
    "banking_day_of",
    "banking_days_between",
    "counts_from",
    "effective_date",
    "federal_holidays",
    "is_banking_day",
    "next_banking_day",
    "settlement_of",
]

EASTERN: Final = ZoneInfo("America/New_York")
SAME_DAY_CENTS_MAX: Final = 1_000_000_00
CLOSED_DAYS_MAX: Final = 3
"""The Reserve Banks are never closed for longer: over a weekend and a holiday beside it."""
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_MONDAY: Final = 0
_THURSDAY: Final = 3


class Window(NamedTuple):
    """A same-day window, in Eastern time: a file that is in by `closes` settles at `settles`."""

    closes: time
    settles: time


SAME_DAY_WINDOWS: Final = (
    Window(time(10, 30), time(13, 0)),
    Window(time(14, 45), time(17, 0)),
    Window(time(16, 45), time(18, 0)),
)


class Settlement(NamedTuple):
    """When an entry settles. Moments are in Eastern time."""

    on: date
    at: datetime
    same_day: bool


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    """Return the n-th such weekday of a month, from 1; the last one for n = -1."""
    if n < 0:
        following = date(year + month // 12, month % 12 + 1, 1)
        last = following - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


@cache
def federal_holidays(year: int) -> dict[date, str]:
    """Return the days of a year on which the Reserve Banks are closed, weekends apart.

    A holiday on a Sunday closes the Monday after it; one on a Saturday leaves the Friday before it open.
    """
    fixed = {
        date(year, 1, 1): "New Year's Day",
        date(year, 6, 19): "Juneteenth National Independence Day",
        date(year, 7, 4): "Independence Day",
        date(year, 11, 11): "Veterans Day",
        date(year, 12, 25): "Christmas Day",
    }
    moving = {
        _nth(year, 1, _MONDAY, 3): "Birthday of Martin Luther King, Jr.",
        _nth(year, 2, _MONDAY, 3): "Washington's Birthday",
        _nth(year, 5, _MONDAY, -1): "Memorial Day",
        _nth(year, 9, _MONDAY, 1): "Labor Day",
        _nth(year, 10, _MONDAY, 2): "Columbus Day",
        _nth(year, 11, _THURSDAY, 4): "Thanksgiving Day",
    }
    observed = {
        day + timedelta(days=1) if day.weekday() == _SUNDAY else day: name
        for day, name in fixed.items()
        if day.weekday() != _SATURDAY
    }
    return dict(sorted({**observed, **moving}.items()))


def is_banking_day(day: date) -> bool:
    """Return whether the Reserve Banks are open."""
    return day.weekday() < _SATURDAY and day not in federal_holidays(day.year)


@lru_cache(maxsize=4_096)
def banking_day_of(day: date) -> date:
    """Return the banking day that what comes in on a day counts with: the day itself, or the first one after it."""
    return day if is_banking_day(day) else next_banking_day(day)


@lru_cache(maxsize=4_096)
def counts_from(day: date) -> date:
    """Return the first of the days that count with the same banking day as this one."""
    while not is_banking_day(day - timedelta(days=1)):
        day -= timedelta(days=1)
    return day


def next_banking_day(day: date) -> date:
    """Return the first banking day after `day`."""
    return add_banking_days(day, 1)


def add_banking_days(day: date, count: int) -> date:
    """Return the banking day that lies `count` banking days after `day`, which need not be one itself."""
    assert count >= 0, "banking days are counted forwards"
    while count:
        day += timedelta(days=1)
        count -= is_banking_day(day)
    return day


def banking_days_between(first: date, last: date) -> int:
    """Return how many banking days come after `first`, up to and including `last`."""
    return sum(is_banking_day(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))


def effective_date(handed_in: datetime, *, same_day: bool) -> date:
    """Return the date to write into a batch that is handed in at this moment.

    Same-day is no flag: today's date makes it so, as long as a window is still to close.
    """
    here = handed_in.astimezone(EASTERN)
    if same_day and is_banking_day(here.date()) and here.time() <= SAME_DAY_WINDOWS[-1].closes:
        return here.date()
    return next_banking_day(here.date())


def settlement_of(handed_in: datetime, effective: date | None, *, credit: bool, cents: int = 0) -> Settlement:
    """Return when an entry settles that the operator gets at `handed_in` with this effective date.

    Today's, a stale or an invalid date (None) makes an entry same-day if a window is still open and the amount is not
    above the same-day limit; else it settles on the next banking day. A later date is kept as far as the operator keeps
    it: a credit settles two banking days ahead at most, a debit one. Units: cents.
    """
    here = handed_in.astimezone(EASTERN)
    today = here.date()
    wants_today = effective is None or effective <= today
    if wants_today and is_banking_day(today) and cents <= SAME_DAY_CENTS_MAX:
        for window in SAME_DAY_WINDOWS:
            if here.time() <= window.closes:
                return Settlement(today, datetime.combine(today, window.settles, EASTERN), True)
    first, latest = add_banking_days(today, 1), add_banking_days(today, 2 if credit else 1)
    on = first
    if effective is not None and effective > first:
        on = effective if is_banking_day(effective) else next_banking_day(effective)
        on = min(on, latest)
    return Settlement(on, datetime.combine(on, time(8, 30), EASTERN), False)
