"""Pure parts of the sandbox: calendar, fine weight, routing numbers."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

import pytest

from sdt.domain.ach.calendar import EASTERN
from sdt.domain.errors import Invalid, Unprocessable
from sdt.sandbox.ach import check_routing, magic_return
from sdt.sandbox.calendar import SCHEMA, Calendar, day_of, opening
from sdt.sandbox.weight import KILOBAR_LIST_NG, fine_ng

GRAM = 1_000_000_000


@pytest.fixture
def connection() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection


def test_a_day_is_as_long_as_told_and_begins_at_its_opening(connection: sqlite3.Connection) -> None:
    calendar = Calendar.open(connection, 10, now=1000)

    assert [calendar.day(now) for now in (1000, 1009.9, 1010, 1035)] == [1, 1, 2, 4]
    assert [day_of(opening(day)) for day in (1, 2, 40)] == [1, 2, 40]


def test_another_speed_keeps_the_present_minute(connection: sqlite3.Connection) -> None:
    slow = Calendar.open(connection, 10, now=1000)
    slow.keep(connection, 1025)
    fast = Calendar.open(connection, 1, now=1025)

    assert fast.minute(1025) == slow.minute(1025)
    assert fast.day(1026) == slow.day(1025) + 1


def test_a_compressed_clock_stands_still_while_it_is_stopped_and_never_goes_back(
    connection: sqlite3.Connection,
) -> None:
    before = Calendar.open(connection, 10, now=1000)
    before.keep(connection, 1025)
    seen = before.minute(1026)

    assert seen < before.minute(1025) + 360, "not kept yet when the process dies"
    assert Calendar.open(connection, 10, now=1026).minute(1026) == seen
    assert before.minute(1025) < Calendar.open(connection, 10, now=900_000).minute(900_000) < seen + 2 * 360


def test_a_clock_set_back_does_not_turn_banking_time_back(connection: sqlite3.Connection) -> None:
    calendar = Calendar.open(connection, 10, now=1000)

    assert calendar.minute(0) == calendar.minute(1000)


@pytest.mark.parametrize(
    ("form", "gross", "fineness", "fine"),
    [
        ("kilobar", 1000 * GRAM, 9999, 999_900_000_000),
        ("kilobar", 1001 * GRAM, 9999, KILOBAR_LIST_NG),
        ("other", 1, 9999, 0),
        ("other", 3, 9950, 2),
    ],
)
def test_fine_weight_is_rounded_down_and_capped(form: str, gross: int, fineness: int, fine: int) -> None:
    assert fine_ng(form, gross, fineness) == fine


def test_a_kilobar_of_another_weight_is_refused() -> None:
    with pytest.raises(Unprocessable):
        fine_ng("kilobar", 1006 * GRAM, 9999)


@pytest.mark.parametrize(
    ("cents", "number", "code"),
    [
        (420, "1234", "R01"),
        (500_420, "1234", "R01"),
        (42_000, "1234", None),
        (1, "9990000010", "R10"),
        (1, "9990000099", None),
        (420, "9990000003", "R03"),
    ],
)
def test_magic_returns(cents: int, number: str, code: str | None) -> None:
    assert magic_return(cents, number) == code


def test_a_routing_number_has_a_check_digit() -> None:
    check_routing("111000025")
    # Nine zeros have the right sum and are nobody's.
    for wrong in ("111000052", "000000000"):
        with pytest.raises(Unprocessable):
            check_routing(wrong)


def test_a_clock_that_begins_on_a_day_of_choice_stands_there_until_told_to_run(connection: sqlite3.Connection) -> None:
    with pytest.raises(Invalid):
        Calendar.open(connection, 1, now=1_000, begins=date(2026, 11, 26))

    calendar = Calendar.open(connection, 1, now=1_000, begins=date(2026, 11, 27))

    assert calendar.moment(calendar.minute(2_000)) == datetime(2026, 11, 27, tzinfo=EASTERN)
    calendar.run(connection, 2_000)
    assert calendar.moment(calendar.minute(2_001.5)) == datetime(2026, 11, 30, 12, tzinfo=EASTERN)
    again = Calendar.open(connection, 1, now=2_001.5, begins=date(2027, 11, 30))
    assert again.date_of(1) == date(2026, 11, 27), "a bank that is there goes on"
