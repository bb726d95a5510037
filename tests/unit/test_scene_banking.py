"""A scene depends neither on the time of day at which it stopped the bank's clock nor on the day on which it plays."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from sdt.demo.scenes.banking import next_at
from sdt.demo.scenes.currency_report import hours_to_days_over
from sdt.domain.ach.calendar import EASTERN, banking_day_of
from sdt.domain.monitoring.movements import BusinessDay


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 25, 0, 0, tzinfo=EASTERN), date(2026, 11, 25)),
        (datetime(2026, 11, 25, 23, 30, tzinfo=EASTERN), date(2026, 11, 25)),
        # The next day is Thanksgiving
        (datetime(2026, 11, 25, 23, 31, tzinfo=EASTERN), date(2026, 11, 27)),
        (datetime(2026, 11, 26, 1, 0, tzinfo=EASTERN), date(2026, 11, 27)),
        (datetime(2026, 11, 27, 23, 45, tzinfo=EASTERN), date(2026, 11, 30)),
        # Half past four in the morning of London is half past eleven of the evening before
        (datetime(2026, 11, 26, 4, 30, tzinfo=UTC), date(2026, 11, 25)),
    ],
)
def test_the_next_half_past_eleven(moment: datetime, day: date) -> None:
    assert next_at(moment, "23:30") == day


def test_three_banking_days_that_are_over_are_three_days_of_one_week_whenever_it_is() -> None:
    texas = BusinessDay(ZoneInfo("America/Chicago"), 17)
    begins = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    for now_s in range(begins, begins + 400 * 86_400, 5 * 3_600 + 60):
        hours = hours_to_days_over(texas, now_s, 3)
        days = [texas.of(now_s - 3_600 * each) for each in hours]
        today = banking_day_of(texas.of(now_s))
        assert days == sorted(set(days)), now_s
        assert [banking_day_of(day) for day in days] == days, now_s
        assert days[-1] < today, now_s
        assert (days[-1] - days[0]).days < 7, now_s
        assert min(hours) > 0, now_s
