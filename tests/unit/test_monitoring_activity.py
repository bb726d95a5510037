"""What several findings are of together is counted once: days of windows that overlap, a payment behind two."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.monitoring.activity import Activity, activity_of
from sdt.domain.monitoring.movements import BusinessDay, Channel, Direction, Movement, Pattern, book_of
from sdt.domain.monitoring.rules import DAY_S, Rule, findings_of

CALENDAR = BusinessDay(ZoneInfo("America/Chicago"))
MONDAY_S = 1_795_543_200 - 8 * DAY_S  # 2026-11-16 12:00 in Texas
STRUCTURING = Rule("FED-STR", Pattern.STRUCTURING, "31 U.S.C. 5324", 10_000_00, days=7, count=3, floor_cents=3_000_00)
VELOCITY = Rule("TX-VEL", Pattern.VELOCITY, "31 C.F.R. 1022.210", 5_000_00, days=3, count=3)
ROUND = Rule("TX-RND", Pattern.ROUND_TRIP, "31 C.F.R. 1022.210", 1_000_00, days=3, share_ppm=900_000)
DORMANT = Rule("TX-DRM", Pattern.DORMANT_THEN_ACTIVE, "31 C.F.R. 1022.210", 5_000_00, days=180)
RISK = Rule("TX-RSK", Pattern.HIGH_RISK_COUNTERPARTY, "31 C.F.R. 1022.210", 1)


def _moved(n: int, cents: int, days: float, channel: Channel, way: Direction = Direction.IN, who: str = "") -> Movement:
    return Movement(f"t{n}", "alice", channel, way, cents, MONDAY_S + int(days * DAY_S), who)


def _together(rule: Rule, movements: list[Movement], known: Rule | None) -> Activity:
    found = findings_of(movements, [rule], CALENDAR, frozenset({"bob"}))
    return activity_of(known, found, book_of(movements, CALENDAR), movements, CALENDAR)


@pytest.mark.parametrize(
    ("rule", "channel", "cents", "last"),
    [(STRUCTURING, Channel.CURRENCY, 45_000_00, 20), (VELOCITY, Channel.TOKEN, 45_000_00, 20)],
)
def test_days_of_windows_that_overlap_count_once(rule: Rule, channel: Channel, cents: int, last: int) -> None:
    movements = [_moved(n, 9_000_00, n, channel) for n in range(5)]
    assert len(findings_of(movements, [rule], CALENDAR)) == 3
    assert _together(rule, movements, rule) == Activity(date(2026, 11, 16), date(2026, 11, last), cents)


def test_what_came_on_a_weekend_is_of_the_weekend() -> None:
    movements = [_moved(n, 4_000_00, days, Channel.CURRENCY) for n, days in enumerate((5, 10, 12))]
    assert _together(STRUCTURING, movements, STRUCTURING).last_day == date(2026, 11, 28)
    assert _together(STRUCTURING, movements, STRUCTURING).first_day == date(2026, 11, 21)


def test_in_and_out_of_one_day_are_two_of_structuring() -> None:
    movements = [_moved(n, 4_000_00, n % 3, Channel.CURRENCY, way) for n, way in enumerate([*Direction] * 3)]
    assert _together(STRUCTURING, movements, STRUCTURING).cents == 24_000_00


def test_a_payment_out_that_explains_two_that_came_back_counts_once() -> None:
    out = _moved(0, 10_000_00, 0, Channel.TOKEN, Direction.OUT, "bob")
    backs = [_moved(n, cents, n, Channel.TOKEN, who="bob") for n, cents in ((1, 9_500_00), (2, 9_200_00))]
    activity = _together(ROUND, [out, *backs], ROUND)
    assert activity == Activity(date(2026, 11, 16), date(2026, 11, 18), 28_700_00)


def test_one_day_and_single_movements_are_what_was_found() -> None:
    woken = [_moved(0, 1_00, -200, Channel.TOKEN), _moved(1, 6_000_00, 0, Channel.TOKEN)]
    assert _together(DORMANT, woken, DORMANT) == Activity(date(2026, 11, 16), date(2026, 11, 16), 6_000_00)
    risky = [_moved(n, 50_00, n, Channel.TOKEN, who="bob") for n in range(3)]
    assert _together(RISK, risky, RISK) == Activity(date(2026, 11, 16), date(2026, 11, 18), 150_00)


def test_what_the_books_show_no_more_counts_as_it_was_found() -> None:
    movements = [_moved(n, 9_000_00, n, Channel.CURRENCY) for n in range(3)]
    (finding,) = findings_of(movements, [STRUCTURING], CALENDAR)
    late = book_of([*movements, _moved(9, 5_000_00, 1, Channel.CURRENCY)], CALENDAR)
    assert activity_of(STRUCTURING, [finding], late, [], CALENDAR).cents == finding.cents
    assert activity_of(None, [finding], late, [], CALENDAR) == Activity(finding.day, finding.day, finding.cents)


@given(
    st.lists(st.tuples(st.integers(1, 9_999_99), st.integers(0, 20 * 24), st.booleans()), min_size=1, max_size=30),
    st.sampled_from([STRUCTURING, VELOCITY, ROUND]),
)
def test_no_more_is_reported_than_moved_and_no_less_than_was_noticed(
    drawn: list[tuple[int, int, bool]], rule: Rule
) -> None:
    channel = Channel.CURRENCY if rule is STRUCTURING else Channel.TOKEN
    movements = [
        _moved(n, cents, hours / 24, channel, Direction.OUT if out else Direction.IN, "bob")
        for n, (cents, hours, out) in enumerate(drawn)
    ]
    found = findings_of(movements, [rule], CALENDAR)
    if found:
        activity = activity_of(rule, found, book_of(movements, CALENDAR), movements, CALENDAR)
        assert max(one.cents for one in found) <= activity.cents <= sum(one.cents for one in movements)
        days = {CALENDAR.of(one.at_s) for one in movements}
        assert {activity.first_day, activity.last_day} <= days
        assert activity.first_day <= min(one.day for one in found)
