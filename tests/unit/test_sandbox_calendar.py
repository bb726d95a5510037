"""The sandbox bank's clock: real dates, a speed of its own, and never backwards."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

import pytest

from sdt.domain.ach.calendar import EASTERN
from sdt.domain.errors import Conflict, Invalid, Unprocessable
from sdt.sandbox.calendar import SCHEMA, Calendar

START = datetime(2026, 11, 25, 15, 0, tzinfo=EASTERN).timestamp()
"""The Wednesday before Thanksgiving."""


@pytest.fixture
def file() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection


def test_banking_days_have_the_dates_of_the_federal_reserve(file: sqlite3.Connection) -> None:
    calendar = Calendar.open(file, 1.0, START)

    dates = [calendar.date_of(day) for day in (1, 2, 3, 4)]

    # Thanksgiving and the weekend after it are not there.
    assert dates == [date(2026, 11, 25), date(2026, 11, 27), date(2026, 11, 30), date(2026, 12, 1)]
    assert [calendar.day_on(on) for on in dates] == [1, 2, 3, 4]
    assert calendar.day_on(date(2026, 11, 26)) == 2


def test_a_day_passes_in_the_seconds_it_was_told(file: sqlite3.Connection) -> None:
    calendar = Calendar.open(file, 2.0, START)

    assert calendar.moment(calendar.minute(START + 1.0)) == datetime(2026, 11, 25, 12, 0, tzinfo=EASTERN)
    assert calendar.moment(calendar.minute(START + 2.5)) == datetime(2026, 11, 27, 6, 0, tzinfo=EASTERN)


def test_a_real_clock_begins_at_the_real_time_and_a_first_start_on_a_holiday_at_the_next_banking_day(
    file: sqlite3.Connection,
) -> None:
    real = Calendar.open(file, 86_400.0, START)
    assert real.moment(real.minute(START)) == datetime(2026, 11, 25, 15, 0, tzinfo=EASTERN)

    file.execute("delete from clock")
    holiday = Calendar.open(file, 86_400.0, START + 86_400)
    assert holiday.moment(holiday.minute(START + 86_400)) == datetime(2026, 11, 27, 0, 0, tzinfo=EASTERN)


def test_a_frozen_clock_stands_still_is_put_on_and_runs_again(file: sqlite3.Connection) -> None:
    calendar = Calendar.open(file, 1.0, START)
    calendar.freeze(file, START + 0.5)
    assert calendar.minute(START + 1_000) == 720

    calendar.advance(file, START + 1_000, 2)
    assert calendar.moment(calendar.minute(START + 2_000)) == datetime(2026, 11, 30, 12, 0, tzinfo=EASTERN)

    calendar.set(file, START + 2_000, datetime(2026, 12, 24, 14, 45, tzinfo=EASTERN))
    assert calendar.moment(calendar.minute(START + 3_000)) == datetime(2026, 12, 24, 14, 45, tzinfo=EASTERN)

    calendar.run(file, START + 3_000, 10.0)
    assert calendar.moment(calendar.minute(START + 3_010)) == datetime(2026, 12, 28, 14, 45, tzinfo=EASTERN)


def test_time_never_goes_back_nor_to_a_day_on_which_no_bank_is_open(file: sqlite3.Connection) -> None:
    calendar = Calendar.open(file, 1.0, START)
    calendar.advance(file, START, 5)

    with pytest.raises(Conflict):
        calendar.set(file, START, datetime(2026, 11, 27, 9, 0, tzinfo=EASTERN))
    with pytest.raises(Unprocessable):
        calendar.set(file, START, datetime(2026, 12, 25, 9, 0, tzinfo=EASTERN))
    with pytest.raises(Invalid):
        calendar.advance(file, START, 0)
    assert calendar.minute(START - 500) == calendar.minute(START)


def test_a_compressed_clock_stands_still_while_the_bank_is_stopped_and_a_real_one_runs_on(
    file: sqlite3.Connection,
) -> None:
    compressed = Calendar.open(file, 1.0, START)
    compressed.keep(file, START + 10)
    # What had passed since it was last kept is not known: a quarter of a day at most.
    assert 10 * 1440 <= Calendar.open(file, 1.0, START + 100_000).minute(START + 100_000) < 10 * 1440 + 360

    file.execute("delete from clock")
    Calendar.open(file, 86_400.0, START)
    later = Calendar.open(file, 86_400.0, START + 3_600)
    assert later.moment(later.minute(START + 3_600)) == datetime(2026, 11, 25, 16, 0, tzinfo=EASTERN)
