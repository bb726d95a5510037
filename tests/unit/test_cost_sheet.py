"""The cost sheet is what the price file says, in no more figures than it deserves."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from costs import PRICES, lines, rough, table

TOLD = tomllib.loads(PRICES.read_text())


def test_the_page_shows_what_the_prices_say() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/costs.md").read_text()
    assert table(TOLD, 10) in page


def test_every_price_and_assumption_is_used() -> None:
    # Given a sheet, when any one number in the file is a tenth more, then the sheet says another sum
    def together(told: dict[str, dict[str, float]]) -> tuple[float, float]:
        return sum(line.fixed for line in lines(told)), sum(line.million for line in lines(told))

    for section in ("price", "assumed"):
        for name, value in TOLD[section].items():
            changed = {**TOLD, section: {**TOLD[section], name: value * 1.1}}
            assert together(changed) != together(TOLD), f"{section}.{name} counts for nothing"


@pytest.mark.parametrize(
    ("dollars", "shown"), [(0, "–"), (0.0314, "0.031"), (9.17, "9.2"), (249.9, "250"), (1508, "1,500")]
)
def test_two_figures(dollars: float, shown: str) -> None:
    assert rough(dollars) == shown
