"""A scene does not depend on the time of day at which it stopped the bank's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sdt.demo.scenes.banking import next_at
from sdt.domain.ach.calendar import EASTERN


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
