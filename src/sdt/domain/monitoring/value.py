"""What a movement is worth in dollars, by a dated price reference: to hold it against thresholds, for nothing else."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid
from sdt.domain.money import Amount, Rounding
from sdt.domain.region import Token

__all__ = ["STALE_DAYS", "Price", "Prices", "read_prices"]

TROY_OUNCE_NG: Final = 31_103_476_800
STALE_DAYS: Final = 31
"""A price that old says little: the worker's health tells so."""


class _Price(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    asset: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,11}\Z")]
    since: date
    cents: Annotated[int, Meta(ge=1, le=10**12)]
    per_units: Annotated[int, Meta(ge=1, le=10**18)] = TROY_OUNCE_NG


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    price: tuple[_Price, ...]


@dataclass(frozen=True, slots=True)
class Price:
    """What `per_units` of an asset's smallest unit are worth from a day on. Units: cents."""

    since: date
    cents: int
    per_units: int


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of assets that are no dollars, by day."""

    by_asset: Mapping[str, Sequence[Price]]

    def cents(self, token: Token, units: int, day: date) -> int | None:
        """Return the dollar value on a day, rounded up so that no threshold is missed; None when there is no price."""
        if token.asset_code == "USD":
            return units
        price = self.price(token.asset_code, day)
        if price is None or not units:
            return None if price is None else 0
        return Amount(units, token.asset).scaled(price.cents, price.per_units, Rounding.UP).units

    def price(self, asset: str, day: date) -> Price | None:
        """Return the price in force on a day."""
        known = [price for price in self.by_asset.get(asset, ()) if price.since <= day]
        return max(known, key=lambda price: price.since, default=None)

    def is_stale(self, asset: str, day: date) -> bool:
        """Return whether there is no price for a day, or only an old one."""
        price = self.price(asset, day)
        return price is None or (day - price.since).days > STALE_DAYS


def read_prices(data: bytes) -> Prices:
    """Return the prices in a TOML file of `[[price]]` tables: asset, from, cents, per_units. Errors: Invalid."""
    try:
        file = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"The price file is not well formed: {error}.", code="price_file") from None
    by_asset: dict[str, list[Price]] = {}
    for entry in file.price:
        of_asset = by_asset.setdefault(entry.asset, [])
        if any(price.since == entry.since for price in of_asset):
            raise Invalid(f"The price file names {entry.asset} twice for {entry.since}.", code="price_file")
        of_asset.append(Price(entry.since, entry.cents, entry.per_units))
    return Prices(by_asset)
