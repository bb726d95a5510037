"""The clerk's part at a depository's counter, with the depository's own key: the platform has no hand in it."""

from __future__ import annotations

from typing import Final

from sdt.config import Settings
from sdt.ports import AssayTest, Bar, BarIntake
from sdt.vendors import open_vendors

__all__ = ["KILOBAR_FINE_NG", "take_in"]

KILOBAR_FINE_NG: Final = 999_914_600_000
"""A kilobar's agreed fine weight: 32.148 troy ounces. Source: LBMA, Good Delivery weight conventions."""


async def take_in(settings: Settings, drop_off: str, account: str) -> Bar:
    """Test and weigh a kilobar that was brought for a deposit, photograph it, and put it into the vault."""
    intake = BarIntake(
        vault="TXG",
        serial=f"TX-{drop_off[-8:].upper()}",
        refiner="Valcambi",
        form="kilobar",
        metal="XAU",
        gross_ng=1_000_050_000_000,
        fineness=9999,
        tests=(
            AssayTest("weight", True, "1000.05 g"),
            AssayTest("ultrasound", True, "3240 m/s"),
            AssayTest("xrf", True, "999.9"),
        ),
        photo_digest="5f" * 32,
        drop_off=drop_off,
        account=account,
    )
    async with open_vendors(settings) as vendors:
        return await vendors.depository.take_in(intake, key=f"intake:{drop_off}")
