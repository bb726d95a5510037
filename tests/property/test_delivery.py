"""Whole bars for an amount: exactly, from what is there, the same every time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.delivery import BARS_MAX, choose_bars

KILOBAR = 999_914_600_000
WEIGHTS = st.sampled_from([KILOBAR, 3_110_347_680_000, 31_103_476_800, 995_000_000_000])
VAULTS = st.lists(WEIGHTS, min_size=1, max_size=30).map(
    lambda weights: [(f"bar_{n}", w) for n, w in enumerate(weights)]
)


@given(VAULTS, st.data())
def test_what_some_bars_weigh_is_made_up_of_bars_that_are_there(
    vault: list[tuple[str, int]], data: st.DataObject
) -> None:
    # Given an amount that some of the bars weigh
    some = data.draw(st.lists(st.sampled_from(vault), min_size=1, unique=True))
    units = sum(fine for _, fine in some)
    # When bars are chosen for it
    chosen = choose_bars(vault, units)
    # Then they weigh exactly that, no bar is named twice, and the choice is the same the next time
    assert chosen is not None
    assert sum(dict(vault)[bar] for bar in chosen) == units
    assert len(set(chosen)) == len(chosen) <= BARS_MAX
    assert choose_bars(vault, units) == chosen


@given(VAULTS, st.integers(1, 10**13))
def test_never_more_and_never_less(vault: list[tuple[str, int]], units: int) -> None:
    chosen = choose_bars(vault, units)
    assert chosen is None or sum(dict(vault)[bar] for bar in chosen) == units


def test_a_part_of_a_bar_fits_nothing() -> None:
    assert choose_bars([("bar_1", KILOBAR)], KILOBAR - 1) is None
    assert choose_bars([("bar_1", KILOBAR)], KILOBAR // 2) is None
    assert choose_bars([], KILOBAR) is None


def test_the_oldest_bar_of_a_weight_goes_first() -> None:
    assert choose_bars([("bar_1", 5), ("bar_2", KILOBAR), ("bar_3", KILOBAR)], KILOBAR) == ("bar_2",)


def test_a_vault_of_bars_that_all_differ_is_not_searched_for_ever() -> None:
    assert choose_bars([(f"bar_{n}", 10**11 + 2 * n) for n in range(200)], 10**13 + 1) is None
