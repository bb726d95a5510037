"""What is noticed in a person's movements, to the cent and the day; and what is not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.ach.calendar import banking_day_of
from sdt.domain.monitoring.movements import BusinessDay, Channel, Direction, Finding, Movement, Pattern
from sdt.domain.monitoring.rules import DAY_S, Rule, findings_of

ZONE = ZoneInfo("America/Chicago")
CALENDAR = BusinessDay(ZONE)
NOON_S = 1_795_543_200  # 2026-11-24 12:00 in Texas
CTR = Rule("FED-CTR", Pattern.CURRENCY_REPORT, "31 C.F.R. 1010.311", 10_000_00)
STRUCTURING = Rule("FED-STR", Pattern.STRUCTURING, "31 U.S.C. 5324", 10_000_00, days=7, count=3, floor_cents=3_000_00)
VELOCITY = Rule("TX-VEL", Pattern.VELOCITY, "31 C.F.R. 1022.210", 5_000_00, days=1, count=10)
ROUND = Rule("TX-RND", Pattern.ROUND_TRIP, "31 C.F.R. 1022.210", 1_000_00, days=3, share_ppm=900_000)
DORMANT = Rule("TX-DRM", Pattern.DORMANT_THEN_ACTIVE, "31 C.F.R. 1022.210", 5_000_00, days=180)
RISK = Rule("TX-RSK", Pattern.HIGH_RISK_COUNTERPARTY, "31 C.F.R. 1022.210", 1)
TRAVEL = Rule("FED-TRV", Pattern.TRAVEL_RULE, "31 C.F.R. 1010.410(f)", 3_000_00)
ALL = (CTR, STRUCTURING, VELOCITY, ROUND, DORMANT, RISK, TRAVEL)


class _Person:
    """Makes one person's movements."""

    def __init__(self) -> None:
        self.movements: list[Movement] = []

    def moved(
        self,
        cents: int,
        *,
        days: float = 0,
        channel: Channel = Channel.CURRENCY,
        direction: Direction = Direction.IN,
        who: str = "",
    ) -> _Person:
        number = f"t{len(self.movements)}"
        at_s = NOON_S + int(days * DAY_S)
        self.movements.append(Movement(number, "alice", channel, direction, cents, at_s, who))
        return self

    def found(self, *rules: Rule, high_risk: frozenset[str] = frozenset()) -> list[Finding]:
        return findings_of(self.movements, rules, CALENDAR, high_risk)


@pytest.mark.parametrize(("cents", "reported"), [(10_000_00, 0), (10_000_01, 1)])
def test_a_report_begins_a_cent_above_ten_thousand(cents: int, reported: int) -> None:
    assert len(_Person().moved(cents).found(CTR)) == reported


def test_a_day_is_added_up_and_in_and_out_are_not() -> None:
    both = _Person().moved(6_000_00).moved(4_000_01, days=0.1)
    (finding,) = both.found(CTR)
    assert (finding.cents, finding.count, finding.anchor) == (10_000_01, 2, "2026-11-24:in")
    assert not _Person().moved(6_000_00).moved(6_000_00, direction=Direction.OUT).found(CTR)
    assert not _Person().moved(6_000_00).moved(6_000_00, days=1).found(CTR)


def test_a_weekend_and_the_evening_before_it_count_with_monday() -> None:
    # Friday 18:00 after close at 17:00, Saturday, Sunday, Monday before close
    person = _Person()
    for days in (3.25, 4, 5, 6.2):
        person.moved(6_000_00, days=days)
    (finding,) = findings_of(person.movements, [CTR], BusinessDay(ZONE, 17))
    assert (finding.cents, finding.count, finding.anchor) == (24_000_00, 4, "2026-11-30:in")
    assert finding.day == date(2026, 11, 30)
    # and Monday after close is Tuesday's
    assert not findings_of(
        _Person().moved(6_000_00, days=6).moved(6_000_00, days=6.25).movements, [CTR], BusinessDay(ZONE, 17)
    )


def test_a_holiday_counts_with_the_day_after_it() -> None:
    # Thanksgiving, and the Friday on which the banks are open
    (finding,) = _Person().moved(6_000_00, days=2).moved(6_000_00, days=3).found(CTR)
    assert (finding.cents, finding.anchor) == (12_000_00, "2026-11-27:in")


def test_other_movements_of_a_weekend_keep_their_own_days() -> None:
    person = _Person()
    for n in range(12):
        person.moved(500_00, days=4 + n % 2, channel=Channel.TOKEN)
    assert not person.found(VELOCITY), "six on either day"


@pytest.mark.parametrize("channel", [Channel.ACH, Channel.TOKEN, Channel.METAL])
def test_only_physical_money_is_currency(channel: Channel) -> None:
    assert not _Person().moved(50_000_00, channel=channel).found(CTR, STRUCTURING)


def test_the_day_is_the_regions_own() -> None:
    late_s = NOON_S + 11 * 3_600
    assert CALENDAR.of(late_s) == CALENDAR.of(NOON_S)
    assert CALENDAR.of(late_s + 2 * 3_600) > CALENDAR.of(NOON_S)
    assert BusinessDay(ZONE, 17).of(NOON_S + 5 * 3_600) > CALENDAR.of(NOON_S)
    assert BusinessDay(ZONE, 17).of(NOON_S + 5 * 3_600 - 1) == CALENDAR.of(NOON_S)


@given(st.integers(1_700_000_000, 2_000_000_000), st.integers(1, 24))
def test_a_day_begins_where_the_one_before_it_ends(at_s: int, closes_hour: int) -> None:
    calendar = BusinessDay(ZONE, closes_hour)
    day = calendar.of(at_s)
    assert calendar.opens_s(day) <= at_s < calendar.opens_s(day + timedelta(days=1))


def test_days_just_below_the_report_are_structuring() -> None:
    person = _Person().moved(9_500_00).moved(9_000_00, days=2).moved(4_000_00, days=5)
    (finding,) = person.found(STRUCTURING)
    assert (finding.cents, finding.count) == (22_500_00, 3)
    assert not person.found(CTR)


def test_days_of_a_weekend_are_days_of_structuring_as_long_as_their_banking_day_is_not_reported() -> None:
    person = _Person()
    for days in (4, 5, 6, 7):  # Saturday to Tuesday
        person.moved(3_300_00, days=days)
    (finding,) = person.found(STRUCTURING)
    assert (finding.anchor, finding.cents, finding.count) == ("2026-12-01:in", 13_200_00, 4)
    assert not person.found(CTR)
    # a cent above the report on Monday: only Tuesday is below it
    assert not person.moved(100_01, days=6).found(STRUCTURING)
    assert person.found(CTR)
    # small change of a weekend makes no days of its own
    assert (
        not _Person()
        .moved(50_00, days=4)
        .moved(50_00, days=5)
        .moved(9_000_00, days=6)
        .moved(9_000_00, days=7)
        .found(STRUCTURING)
    )


def test_a_week_that_begins_and_ends_on_a_closed_day_is_seven_days() -> None:
    person = _Person().moved(9_000_00, days=5).moved(9_000_00, days=8).moved(9_000_00, days=11)  # Sunday to Saturday
    assert [finding.anchor for finding in person.found(STRUCTURING)] == ["2026-12-07:in"]


@pytest.mark.parametrize(
    "person",
    [
        _Person().moved(9_500_00).moved(9_000_00, days=2),
        _Person().moved(9_500_00).moved(9_000_00, days=4).moved(9_000_00, days=8),
        _Person().moved(2_999_99).moved(2_999_99, days=1).moved(2_999_99, days=2).moved(2_999_99, days=3),
        _Person().moved(12_000_00).moved(12_000_00, days=1).moved(12_000_00, days=2),
    ],
    ids=["two days", "too far apart", "small change", "reported anyway"],
)
def test_what_is_no_structuring(person: _Person) -> None:
    assert not person.found(STRUCTURING)


def test_many_payments_in_a_day_are_noticed_once() -> None:
    person = _Person()
    for n in range(25):
        person.moved(600_00, days=n / 100, channel=Channel.TOKEN)
    found = person.found(VELOCITY)
    assert [(finding.count, finding.cents) for finding in found] == [(25, 15_000_00)]
    slow = _Person()
    for n in range(25):
        slow.moved(600_00, days=n / 5, channel=Channel.TOKEN)
    assert not slow.found(VELOCITY)


def test_money_that_comes_back_from_whom_it_went_to() -> None:
    out = {"channel": Channel.TOKEN, "direction": Direction.OUT, "who": "bob"}
    back = {"channel": Channel.TOKEN, "who": "bob"}
    assert _Person().moved(2_000_00, **out).moved(1_800_00, days=1, **back).found(ROUND)  # type: ignore[arg-type]
    assert not _Person().moved(2_000_00, **out).moved(1_799_99, days=1, **back).found(ROUND)  # type: ignore[arg-type]
    assert not _Person().moved(2_000_00, **out).moved(2_000_00, days=3, **back).found(ROUND)  # type: ignore[arg-type]
    other = back | {"who": "carol"}
    assert not _Person().moved(2_000_00, **out).moved(2_000_00, days=1, **other).found(ROUND)  # type: ignore[arg-type]


def test_an_account_that_wakes_with_much() -> None:
    person = _Person().moved(10_00, days=-180).moved(3_000_00).moved(2_000_00, days=0.4)
    assert [(finding.count, finding.cents) for finding in person.found(DORMANT)] == [(2, 5_000_00)]
    assert not _Person().moved(10_00, days=-179).moved(5_000_00).found(DORMANT)
    assert not _Person().moved(5_000_00).found(DORMANT), "a first payment wakes nobody"


def test_travel_data_from_three_thousand_and_not_by_ach() -> None:
    out = Direction.OUT
    assert _Person().moved(3_000_00, channel=Channel.TOKEN, direction=out).found(TRAVEL)
    assert not _Person().moved(2_999_99, channel=Channel.TOKEN, direction=out).found(TRAVEL)
    assert not _Person().moved(9_000_00, channel=Channel.ACH, direction=out).found(TRAVEL)


def test_whoever_is_watched() -> None:
    person = _Person().moved(1, channel=Channel.TOKEN, who="mallory").moved(1, channel=Channel.TOKEN, who="bob")
    assert [f.movements for f in person.found(RISK, high_risk=frozenset({"mallory"}))] == [("t0",)]


_movements = st.lists(
    st.tuples(
        st.integers(1, 20_000_00),
        st.sampled_from(list(Channel)),
        st.sampled_from(list(Direction)),
        st.integers(0, 400 * DAY_S),
        st.sampled_from(["", "bob", "carol"]),
    ),
    max_size=40,
)


@given(_movements, st.integers(0, 2**32))
def test_the_order_in_which_movements_are_read_changes_nothing(drawn: list[tuple[object, ...]], seed: int) -> None:
    movements = [
        Movement(f"t{n}", "alice", channel, direction, cents, NOON_S + at_s, who)  # type: ignore[arg-type,operator]
        for n, (cents, channel, direction, at_s, who) in enumerate(drawn)
    ]
    shuffled = list(movements)
    random.Random(seed).shuffle(shuffled)
    found = findings_of(movements, ALL, CALENDAR, frozenset({"carol"}))
    assert found == findings_of(shuffled, ALL, CALENDAR, frozenset({"carol"}))
    assert len({finding.key for finding in found}) == len(found), "the same finding twice"
    by_id = {movement.id: movement for movement in movements}
    for finding in found:
        if finding.movements:
            assert finding.cents == sum(by_id[id_].cents for id_ in finding.movements)


def test_a_rule_holds_on_the_days_it_is_in_force() -> None:
    person = _Person().moved(20_000_00).moved(20_000_00, days=1).moved(20_000_00, days=2)
    dated = replace(CTR, effective=date(2026, 11, 25), sunset=date(2026, 11, 26))
    assert [finding.anchor for finding in person.found(dated)] == ["2026-11-25:in"]


def test_a_rule_about_one_domain_leaves_the_other_alone() -> None:
    movement = Movement("t0", "alice", Channel.TOKEN, Direction.OUT, 5_000_00, NOON_S, "bob", "cash")
    assert findings_of([movement], [TRAVEL], CALENDAR)
    assert not findings_of([movement], [replace(TRAVEL, domain="dollar")], CALENDAR)


@given(_movements)
def test_a_day_above_ten_thousand_is_never_missed(drawn: list[tuple[object, ...]]) -> None:
    movements = [
        Movement(f"t{n}", "alice", Channel.CURRENCY, direction, cents, NOON_S + at_s % (9 * DAY_S))  # type: ignore[arg-type,operator]
        for n, (cents, _, direction, at_s, _) in enumerate(drawn)
    ]
    sums: dict[object, int] = {}
    for movement in movements:
        key = (banking_day_of(CALENDAR.of(movement.at_s)), movement.direction)
        sums[key] = sums.get(key, 0) + movement.cents
    found = findings_of(movements, [CTR], CALENDAR)
    assert sorted(finding.cents for finding in found) == sorted(cents for cents in sums.values() if cents > 10_000_00)


def test_nobody_is_named_when_a_finding_is_printed() -> None:
    person = _Person().moved(20_000_00, who="bob")
    (finding,) = person.found(CTR)
    assert "alice" not in repr(finding) + repr(person.movements)
    assert "bob" not in repr(person.movements)
