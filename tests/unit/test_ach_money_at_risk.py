"""The life of a bank entry, what may come back of it, how often, and proof of a bank account."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.ach.codes import is_late
from sdt.domain.ach.entry_life import ASKED, NEXT, EntryEvent, EntryStatus, follow
from sdt.domain.ach.exposure import RETURNABLE_DAYS_MAX, Cover, Minted, exposure_of, last_return_day, required_cents
from sdt.domain.ach.micro_entries import ATTEMPTS_MAX, CENTS_MAX, draw_micro_entries
from sdt.domain.ach.return_rate import LEVELS_PPM, return_rates
from sdt.domain.errors import Conflict

S, E = EntryStatus, EntryEvent
TODAY = date(2026, 11, 24)


def _reachable(start: EntryStatus) -> set[EntryStatus]:
    seen, waiting = {start}, [start]
    while waiting:
        status = waiting.pop()
        for event in EntryEvent:
            following = follow(status, event)
            if following and following not in seen:
                seen.add(following)
                waiting.append(following)
    return seen


def test_every_status_is_reached_from_the_beginning() -> None:
    assert _reachable(S.CREATED) == set(EntryStatus)


def test_never_a_return_and_a_reversal() -> None:
    assert S.REVERSED not in _reachable(S.RETURNED)
    assert S.RETURNED not in _reachable(S.REVERSED)


def test_nothing_is_sent_again_before_the_bank_says_it_has_nothing() -> None:
    ways_back = {(status, event) for (status, event), after in NEXT.items() if after is S.CREATED}
    assert ways_back == {(S.UNKNOWN, E.MISS)}
    assert follow(S.UNKNOWN, E.FILE) is None


def test_a_fact_that_does_not_fit_changes_nothing() -> None:
    ends = (S.REFUSED, S.CONTESTED, S.REVERSED)
    assert all(follow(status, event) is None for status, event in product(ends, EntryEvent))
    assert follow(S.CREATED, E.SETTLE) is None
    assert not ASKED & set(ends)


_minted = st.lists(
    st.builds(
        Minted,
        account=st.sampled_from("abcdef"),
        cents=st.integers(1, 10**9),
        settled_on=st.dates(TODAY - timedelta(days=90), TODAY),
    ),
    max_size=40,
)
_covers = st.builds(Cover, share_ppm=st.integers(0, 1_000_000), largest_users=st.integers(0, 10))


@given(_minted, _covers)
def test_cover_is_never_less_than_it_says(minted: list[Minted], cover: Cover) -> None:
    exposure = exposure_of(minted, TODAY)
    total = sum(one.cents for one in minted if not is_late("R10", one.settled_on, TODAY))
    assert sum(exposure.values()) == total
    required = required_cents(exposure, cover)
    assert required * 1_000_000 >= total * cover.share_ppm
    for size in range(min(cover.largest_users, len(exposure)) + 1):
        assert required >= sum(sorted(exposure.values())[len(exposure) - size :])
    assert required <= total


@given(_minted, _covers, st.integers(1, 10**9))
def test_more_minted_never_asks_for_less(minted: list[Minted], cover: Cover, cents: int) -> None:
    before = required_cents(exposure_of(minted, TODAY), cover)
    after = required_cents(exposure_of([*minted, Minted("a", cents, TODAY)], TODAY), cover)
    assert after >= before


def test_a_debit_is_at_risk_until_its_last_timely_return_can_be_here() -> None:
    # The sixtieth day is Friday, 15 January 2027; Monday is a holiday.
    debit = [Minted("a", 100, date(2026, 11, 16))]
    assert exposure_of(debit, date(2027, 1, 19)) == {"a": 100}
    assert exposure_of(debit, date(2027, 1, 20)) == {}


@given(st.dates(date(2026, 1, 1), date(2080, 1, 1)))
def test_whatever_may_still_come_back_in_time_is_looked_for(settled_on: date) -> None:
    assert timedelta(days=60) < last_return_day(settled_on) - settled_on <= timedelta(days=RETURNABLE_DAYS_MAX)


def test_rates_are_watched_at_their_exact_levels() -> None:
    debits = [TODAY] * 2_000
    # 10 of 2,000 are 0.5 %: the level itself is not above it.
    at_level = {r.name: r for r in return_rates(debits, [("R10", TODAY)] * 10, TODAY)}
    assert (at_level["unauthorized"].ppm, at_level["unauthorized"].above) == (LEVELS_PPM["unauthorized"], False)
    above = {r.name: r for r in return_rates(debits, [("R29", TODAY)] * 11, TODAY)}
    assert above["unauthorized"].above
    assert not above["administrative"].above
    assert {r.name for r in return_rates(debits, [("R03", TODAY)] * 61, TODAY) if r.above} == {"administrative"}
    assert {r.name for r in return_rates(debits, [("R01", TODAY)] * 301, TODAY) if r.above} == {"overall"}


def test_only_sixty_days_count() -> None:
    old = TODAY - timedelta(days=60)
    rates = return_rates([TODAY, old], [("R01", TODAY), ("R01", old)], TODAY)
    assert {(r.returned, r.originated) for r in rates if r.name == "overall"} == {(1, 1)}
    assert all(not r.above for r in return_rates([], [], TODAY))


@given(st.integers(0, 2**32))
def test_micro_entries_are_cents_and_differ(seed: int) -> None:
    import random

    drawn = draw_micro_entries(random.Random(seed).randrange)
    assert drawn.first_cents != drawn.second_cents
    assert drawn.debit_cents == drawn.first_cents + drawn.second_cents < 2 * CENTS_MAX
    assert drawn.confirm(drawn.second_cents, drawn.first_cents, 0)
    assert not drawn.confirm(drawn.first_cents, drawn.first_cents, 0)
    assert str(drawn.first_cents) not in repr(drawn)


def test_every_pair_of_amounts_can_be_drawn() -> None:
    pairs = {
        (d.first_cents, d.second_cents)
        for i, j in product(range(CENTS_MAX), range(CENTS_MAX - 1))
        for d in [draw_micro_entries(lambda n, it=iter((i, j)): next(it))]
    }
    assert len(pairs) == CENTS_MAX * (CENTS_MAX - 1)


def test_attempts_are_counted_even_for_the_right_answer() -> None:
    drawn = draw_micro_entries(lambda n: n - 1)
    with pytest.raises(Conflict) as caught:
        drawn.confirm(drawn.first_cents, drawn.second_cents, ATTEMPTS_MAX)
    assert caught.value.code == "micro_entries_exhausted"
