"""Amounts: integers, one asset at a time, every rounding named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.errors import Invalid
from sdt.domain.money import UNITS_MAX, USD, XAU, Amount, Asset, Rounding, parse_decimal, units_from_digits

UNITS = st.integers(0, UNITS_MAX)


@pytest.mark.parametrize("units", [True, 1.0, "1", -1, UNITS_MAX + 1, None])
def test_an_amount_is_a_whole_number_in_range(units: object) -> None:
    with pytest.raises(Invalid):
        Amount(units, USD)  # type: ignore[arg-type]


def test_assets_do_not_mix() -> None:
    for act in (
        lambda: Amount(1, USD) + Amount(1, XAU),
        lambda: Amount(1, USD) - Amount(1, XAU),
        lambda: Amount(1, USD) < Amount(1, XAU),
        lambda: Amount(1, USD) <= Amount(1, XAU),
    ):
        with pytest.raises(AssertionError, match="mixed assets"):
            act()


@pytest.mark.parametrize("text", ["usd/2", "USD", "USD/x", "USD/19", "USD/-1", "USD/2 ", "/2", "U/2"])
def test_an_asset_has_one_spelling(text: str) -> None:
    with pytest.raises(Invalid):
        Asset.parse(text)


@pytest.mark.parametrize(
    ("units", "asset", "shown"),
    [(12_000, USD, "120.00 USD"), (5, USD, "0.05 USD"), (2_500_000_000, XAU, "2.5 XAU"), (10**12, XAU, "1,000 XAU")],
)
def test_amounts_as_people_read_them(units: int, asset: Asset, shown: str) -> None:
    assert str(Amount(units, asset)) == shown


@given(UNITS, st.sampled_from([USD, XAU, Asset("OIL", 0), Asset("WEI", 18)]))
def test_what_is_written_is_read_back(units: int, asset: Asset) -> None:
    amount = Amount(units, asset)
    assert parse_decimal(str(amount).split()[0], asset) == amount
    assert units_from_digits(str(units)) == units


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.", ".5", "1e3", "0x1", "1.005", "½", "١", "1_0", " 1", "1\n"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_decimal(text, USD)


@pytest.mark.parametrize(
    "text", ["", "-1", "01", "1.0", "1e3", " 1", "1 ", "١", str(UNITS_MAX + 1), 1, None, True, "1\n"]
)
def test_digits_have_one_spelling(text: object) -> None:
    with pytest.raises(Invalid):
        units_from_digits(text)


@given(UNITS, st.integers(0, 10**6), st.integers(1, 10**6))
def test_roundings_enclose_the_exact_ratio(units: int, numerator: int, denominator: int) -> None:
    exact = units * numerator
    if exact // denominator >= UNITS_MAX:
        return
    down = Amount(units, USD).scaled(numerator, denominator, Rounding.DOWN).units
    up = Amount(units, USD).scaled(numerator, denominator, Rounding.UP).units
    even = Amount(units, USD).scaled(numerator, denominator, Rounding.HALF_EVEN).units
    assert down * denominator <= exact <= up * denominator
    assert up - down in (0, 1)
    assert even in (down, up)
    assert 2 * abs(even * denominator - exact) <= denominator
