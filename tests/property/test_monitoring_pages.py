"""What is noticed is the same whatever the order in which payments arrive and wherever the reading is cut."""

from __future__ import annotations

import random
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring_rig import DAY_S, FAR_S, NOON_S, REGION, Payment, judge_all, noticed, pay, read_all, seen_by
from sdt.domain.monitoring.movements import Pattern
from sdt.domain.monitoring.rules import findings_of
from sdt.store import Store, cases, open_store, travel, watch
from sdt.store.cases import Filter
from store_rig import address, empty, transaction_id

RISKY = 4
payments = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.integers(1, 4),
        st.sampled_from([500, 100_00, 1_900_00, 2_000_00, 2_999_99, 3_000_00, 9_000_00]),
        st.integers(0, 240 * 24),
    ).filter(lambda drawn: drawn[0] != drawn[1]),
    max_size=30,
)
crowd = st.lists(
    st.tuples(st.integers(1, 2), st.integers(3, 4), st.just(1_500_00), st.integers(0, 30)), min_size=15, max_size=40
)


def _payments(drawn: list[tuple[int, int, int, int]]) -> list[Payment]:
    return [Payment(n, a, b, cents, NOON_S + hours * 3_600) for n, (a, b, cents, hours) in enumerate(drawn, 1)]


def _expected(made: list[Payment]) -> list[tuple[str, int, int]]:
    rules = [rule for rule in REGION.monitors if rule.pattern is not Pattern.TRAVEL_RULE]
    found = [
        finding
        for person, movements in seen_by(made).items()
        for finding in findings_of(movements, rules, REGION.business_day, frozenset({address(RISKY)}))
    ]
    return sorted((finding.key, finding.cents, finding.count) for finding in found)


def _run(store: Store, made: list[Payment], order: list[Payment], cuts: list[int]) -> None:
    watch.put(store, address(RISKY), until=None, act_id="a", at_ms=1)
    # Some arrive before the first reading, the rest while it goes on; days are looked at when all of it is over.
    half = len(order) // 2
    pay(store, order[:half])
    read_all(store, cuts, NOON_S)
    pay(store, order[half:])
    read_all(store, cuts, NOON_S)
    judge_all(store, FAR_S)
    assert noticed(store) == _expected(made)
    # and reading it again from the beginning finds nothing new
    before = len(cases.cases(store, Filter(("monitoring", "currency")), limit=500))
    store.execute("UPDATE movement_days SET judged = ?", (False,))
    judge_all(store, FAR_S, limit=50)
    assert noticed(store) == _expected(made)
    assert len(cases.cases(store, Filter(("monitoring", "currency")), limit=500)) == before
    recorded = {p.n for p in made if p.cents >= 3_000_00}
    assert {n for n in (p.n for p in made) if travel.get(store, transaction_id(n))} == recorded


@settings(max_examples=25, deadline=None)
@given(payments, crowd, st.randoms(use_true_random=False), st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_any_order_and_any_cut(
    migrated_sqlite: Path,
    drawn: list[tuple[int, int, int, int]],
    many: list[tuple[int, int, int, int]],
    luck: random.Random,
    cuts: list[int],
) -> None:
    made = _payments(drawn + many)
    order = list(made)
    luck.shuffle(order)
    with TemporaryDirectory() as folder:
        copy(migrated_sqlite, f"{folder}/sdt.db")
        store = open_store(f"sqlite:///{folder}/sdt.db")
        try:
            _run(store, made, order, cuts)
        finally:
            store.close()


@pytest.mark.parametrize("seed", range(4))
def test_the_same_on_either_database(store: Store, seed: int) -> None:
    luck = random.Random(seed)
    drawn = [
        (luck.randint(1, 2), luck.randint(3, 4), luck.choice([1_500_00, 2_000_00, 3_000_00]), luck.randint(0, 400))
        for _ in range(60)
    ]
    drawn += [(b, a, cents, hours + 5) for a, b, cents, hours in drawn[:10]]
    made = _payments(drawn)
    order = list(made)
    luck.shuffle(order)
    empty(store)
    _run(store, made, order, [luck.randint(1, 9) for _ in range(5)])


def test_the_drawn_payments_show_every_pattern_of_payments() -> None:
    """The property above would hold of rules that notice nothing."""
    luck = random.Random(1)
    drawn = [(1, 3, 1_500_00, luck.randint(0, 20)) for _ in range(40)]
    drawn += [(1, 4, 9_000_00, 200 * 24), (4, 1, 9_000_00, 200 * 24 + 5)]
    shown = {key.split(":")[0] for key, _, _ in _expected(_payments(drawn))}
    assert shown == {"TX-VELOCITY", "TX-ROUND-TRIP", "TX-DORMANT", "TX-WATCHED"}
    assert DAY_S
