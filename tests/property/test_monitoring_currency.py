"""Currency by hand and over the counter counts for the same people whatever the order and the pages it is read in.

Source: 31 C.F.R. 1010.313 (aggregation): by or on behalf of one person.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitoring_rig import DAY_S, FAR_S, NOON_S, REGION, count_currency, judge_all, noticed, read_all
from sdt.domain.monitoring.movements import Book, Channel, Direction, Finding, Movement, Pattern, book_of, merged
from sdt.domain.monitoring.persons import PREFIX
from sdt.domain.monitoring.rules import day_findings, days_to_look_at
from sdt.store import Store, cases, open_store, people_behind
from sdt.store.cases import Filter
from store_rig import address, empty, transaction_id

PAUL, ANN, CARL = (PREFIX + letter * 64 for letter in "abc")
HELD = {PAUL: (1, 2, 4), ANN: (3, 4)}
"""Account 4 is a business of two people; behind account 5 nobody is known to stand, and Carl has none."""

Fact = tuple[int, str, int, int]
"""For which account, by whose hand (empty: the holder's own), cents, hours after the first noon."""

facts = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.sampled_from(["", PAUL, ANN, CARL]),
        st.sampled_from([200_00, 3_000_00, 5_000_00, 6_000_00, 9_000_00, 10_000_01]),
        st.integers(0, 9 * 24),
    ),
    max_size=16,
)
OWN_AND_FOR_ANOTHER: list[Fact] = [(1, "", 6_000_00, 0), (3, PAUL, 6_000_00, 1)]
ONE_ALONE_AND_AN_EARLIER_DAY: list[Fact] = [(1, "", 12_000_00, 48), (2, "", 200_00, 0)]


def _alone(book: Book, who: str) -> list[Finding]:
    return [
        one
        for day in days_to_look_at(book)
        for over in (False, True)
        for one in day_findings(REGION.monitors, who, book, day, over)
    ]


def _expected(made: list[Fact]) -> list[Finding]:
    """What the law asks of all of it, read at once and by people alone."""
    moved: dict[str, list[Movement]] = {}
    for n, (holder, hand, cents, hours) in enumerate(made, 1):
        for who in {address(holder)} | ({hand} - {""} if holder not in HELD.get(hand, ()) else set()):
            one = Movement(transaction_id(n), who, Channel.CURRENCY, Direction.IN, cents, NOON_S + hours * 3_600)
            moved.setdefault(who, []).append(one)
    books = {who: book_of(theirs, REGION.business_day) for who, theirs in moved.items()}
    found = {one.key: one for who, book in books.items() for one in _alone(book, who)}
    for person, numbers in HELD.items():
        held = [address(n) for n in numbers if address(n) in books]
        parts = held + [person] * (person in books)
        if len(parts) < 2:
            continue
        shown = {(one.rule, one.anchor, one.cents) for who in held for one in _alone(books[who], who)}
        together = _alone(merged(books[who] for who in parts), person)
        found |= {one.key: one for one in together if (one.rule, one.anchor, one.cents) not in shown}
    return sorted(found.values(), key=lambda one: one.key)


def _cases(store: Store) -> list[tuple[str, str]]:
    found = cases.cases(store, Filter(("currency", "monitoring")), limit=500)
    return sorted((str(json.loads(case.facts)["rule"]), str(json.loads(case.facts)["person"])) for case in found)


def _check(store: Store, made: list[Fact], order: list[int], cuts: list[int], slices: int) -> None:
    for person, numbers in HELD.items():
        for n in numbers:
            people_behind.link(store, address(n), [person])
    half = len(order) // 2
    for part in (order[:half], order[half:]):
        for n in part:
            holder, hand, cents, hours = made[n - 1]
            count_currency(store, n, holder, cents, NOON_S + hours * 3_600, conductor=hand)
        read_all(store, cuts, NOON_S)
    judge_all(store, FAR_S, limit=slices)
    expected = _expected(made)
    assert noticed(store) == [(one.key, one.cents, one.count) for one in expected]
    # one case for each report, and one for everybody whom another rule shows
    shown = [(one.rule, one.person) for one in expected]
    reports = [one for one in shown if one[0] == "FED-CTR"]
    assert _cases(store) == sorted([*reports, *(set(shown) - set(reports))])


@settings(max_examples=40, deadline=None)
@given(facts, st.randoms(use_true_random=False), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 3))
@example(OWN_AND_FOR_ANOTHER, random.Random(1), [1], 1)
@example(ONE_ALONE_AND_AN_EARLIER_DAY, random.Random(1), [1], 1)
def test_any_order_and_any_page_gives_the_same_cases(
    migrated_sqlite: Path, made: list[Fact], luck: random.Random, cuts: list[int], slices: int
) -> None:
    order = list(range(1, len(made) + 1))
    luck.shuffle(order)
    with TemporaryDirectory() as folder:
        copy(migrated_sqlite, f"{folder}/sdt.db")
        store = open_store(f"sqlite:///{folder}/sdt.db")
        try:
            _check(store, made, order, cuts, slices)
        finally:
            store.close()


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
@pytest.mark.parametrize("made", [OWN_AND_FOR_ANOTHER, ONE_ALONE_AND_AN_EARLIER_DAY])
def test_the_same_on_either_database(store: Store, made: list[Fact], order: list[int]) -> None:
    empty(store)
    _check(store, made, order, [1], 1)
    assert len(_cases(store)) == 1


def test_structuring_by_hand_and_on_ones_own_account_is_seen_in_any_slice(store: Store) -> None:
    empty(store)
    # read and looked at day by day: on the last day Paul's hand alone moves
    for n, person in enumerate([PAUL, PAUL], 1):
        people_behind.link(store, address(n), [person])
    for n, (holder, hand) in enumerate([(1, ""), (2, ""), (3, PAUL)], -7):
        count_currency(store, n + 8, holder, 9_000_00, NOON_S + n * DAY_S, conductor=hand)
        read_all(store, [1], NOON_S + n * DAY_S)
        judge_all(store, NOON_S + (n + 1) * DAY_S, limit=1)
    assert _cases(store) == [("FED-STRUCTURING", PAUL)]


def test_drawn_facts_show_both_patterns_of_currency() -> None:
    """The property above would hold of rules that notice nothing."""
    luck = random.Random(3)
    made: list[Fact] = [
        (luck.randint(1, 5), luck.choice(["", PAUL]), 6_000_00, luck.randint(0, 200)) for _ in range(16)
    ]
    shown = {one.pattern for one in _expected(made)}
    assert {Pattern.CURRENCY_REPORT, Pattern.STRUCTURING} <= shown
