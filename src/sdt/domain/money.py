"""Amounts of value as integers of the smallest unit, never floats.

Dollars are cents (`USD/2`); gold and silver are nanograms of fine metal (`XAU/9`: one token is one gram), exact
for gram, grain and troy ounce. Other assets declare a code and a scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sdt.domain.errors import Invalid

UNITS_MAX: Final = 2**63 - 1
"""A database BIGINT; for gold that is 9,223 tonnes."""

TROY_OUNCE_NG: Final = 31_103_476_800
GRAM_NG: Final = 1_000_000_000

_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Rounding(Enum):
    """How a division that does not come out even is settled; every caller names one."""

    DOWN = "down"
    UP = "up"
    HALF_EVEN = "half_even"


@dataclass(frozen=True, slots=True)
class Asset:
    """What a token stands for: a code and how many decimal places its smallest unit has."""

    code: str
    scale: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z][A-Z0-9]{1,11}", self.code):
            raise Invalid(f"Asset code {self.code!r} is not 2 to 12 capital letters and digits.", code="asset")
        if type(self.scale) is not int or not 0 <= self.scale <= 18:
            raise Invalid(f"Asset scale {self.scale!r} is not an integer from 0 to 18.", code="asset")

    @classmethod
    def parse(cls, text: str) -> Asset:
        """Read `USD/2`."""
        code, slash, scale = text.partition("/")
        if not slash or not scale.isdecimal() or len(scale) > 2:
            raise Invalid(f"Asset {text!r} is not written CODE/SCALE, such as USD/2.", code="asset")
        return cls(code, int(scale))

    def __str__(self) -> str:
        return f"{self.code}/{self.scale}"


USD: Final = Asset("USD", 2)
XAU: Final = Asset("XAU", 9)
XAG: Final = Asset("XAG", 9)


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity of one asset.

    Units: `units` in the asset's smallest unit.
    Errors: Invalid for bool, float, negatives, or more than 64 bits hold; mixing assets is a bug (AssertionError).
    """

    units: int
    asset: Asset

    def __post_init__(self) -> None:
        if type(self.units) is not int:
            raise Invalid(f"An amount is a whole number of units, not {type(self.units).__name__}.", code="amount")
        if not 0 <= self.units <= UNITS_MAX:
            raise Invalid("An amount is neither negative nor above 9223372036854775807 units.", code="amount")

    def _same(self, other: Amount) -> None:
        assert self.asset == other.asset, f"mixed assets: {self.asset} and {other.asset}"

    def __add__(self, other: Amount) -> Amount:
        self._same(other)
        return Amount(self.units + other.units, self.asset)

    def __sub__(self, other: Amount) -> Amount:
        self._same(other)
        return Amount(self.units - other.units, self.asset)

    def __lt__(self, other: Amount) -> bool:
        self._same(other)
        return self.units < other.units

    def __le__(self, other: Amount) -> bool:
        self._same(other)
        return self.units <= other.units

    def __bool__(self) -> bool:
        return self.units > 0

    def scaled(self, numerator: int, denominator: int, rounding: Rounding) -> Amount:
        """Return this amount times a ratio of integers, rounded as named."""
        if type(numerator) is not int or type(denominator) is not int or numerator < 0 or denominator <= 0:
            raise Invalid("A ratio is two whole numbers, the lower one above zero.", code="ratio")
        whole, rest = divmod(self.units * numerator, denominator)
        if rounding is Rounding.UP:
            whole += rest > 0
        elif rounding is Rounding.HALF_EVEN:
            whole += 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)
        return Amount(whole, self.asset)

    def __str__(self) -> str:
        """Write it for a person: `120.00 USD`, `2.5 XAU` (metal drops trailing zeros)."""
        if self.asset.scale == 0:
            return f"{self.units:,} {self.asset.code}"
        whole, part = divmod(self.units, 10**self.asset.scale)
        decimals = f"{part:0{self.asset.scale}d}"
        if self.asset.scale > 2:
            decimals = decimals.rstrip("0")
        return f"{whole:,}{'.' if decimals else ''}{decimals} {self.asset.code}"


def units_from_digits(text: object) -> int:
    """Read an amount as messages carry it: a string of digits, no sign, no leading zero, at most 64 bits.

    Errors: Invalid.
    """
    if type(text) is not str or not _DIGITS.fullmatch(text) or (value := int(text)) > UNITS_MAX:
        raise Invalid('An amount is a string of digits in minor units, such as "12000".', code="amount")
    return value


def parse_decimal(text: str, asset: Asset) -> Amount:
    """Read what a person types, `120` or `2.5`, exactly; more decimals than the asset has are refused.

    Errors: Invalid.
    """
    match = re.fullmatch(r"([0-9]{1,19})(?:\.([0-9]{1,18}))?", text.replace(",", ""), re.ASCII)
    if not match:
        raise Invalid(f"{text!r} is not an amount such as 120 or 2.5.", code="amount")
    whole, part = match[1], match[2] or ""
    if len(part) > asset.scale:
        raise Invalid(f"{asset.code} has {asset.scale} decimal places; {text!r} has more.", code="amount")
    return Amount(int(whole + part.ljust(asset.scale, "0")), asset)
