"""The clerk's part at a depository's counter, with the depository's own key: the platform has no hand in it."""

from __future__ import annotations

import secrets
from typing import Final

from sdt.config import Settings
from sdt.demo.sandbox_calls import order_sandbox
from sdt.ports.depository import AssayTest, Bar, BarIntake
from sdt.vendors import open_vendors

__all__ = ["KILOBAR_FINE_NG", "fine_of", "lose", "own_weight_ng", "put_in_place_of", "stand_silent", "take_in"]

KILOBAR_FINE_NG: Final = 999_914_600_000
"""A kilobar's agreed fine weight: 32.148 troy ounces. Source: LBMA, Good Delivery weight conventions."""
KILOBAR_GROSS_NG: Final = 1_000_050_000_000
FINENESS: Final = 9999


async def take_in(
    settings: Settings, drop_off: str, account: str, *, gross_ng: int = KILOBAR_GROSS_NG, slow: bool = False
) -> Bar:
    """Test and weigh a bar that was brought for a deposit, photograph it, and put it into the vault.

    A kilobar unless another weight is given; a slow one takes its clerk some seconds to fetch and to hand over.
    """
    intake = BarIntake(
        vault="TXG",
        serial=f"TX-{secrets.token_hex(4).upper()}{'-SLOW' * slow}",
        refiner="Valcambi",
        form="kilobar" if gross_ng == KILOBAR_GROSS_NG else "other",
        metal="XAU",
        gross_ng=gross_ng,
        fineness=FINENESS,
        tests=(
            AssayTest("weight", True, f"{gross_ng / 10**9:.2f} g"),
            AssayTest("ultrasound", True, "3240 m/s"),
            AssayTest("xrf", True, "999.9"),
        ),
        photo_digest="5f" * 32,
        drop_off=drop_off,
        account=account,
    )
    async with open_vendors(settings) as vendors:
        return await vendors.depository.take_in(intake, key=f"intake:{drop_off}")


def own_weight_ng() -> int:
    """Return a gross weight that no other bar has: about half a kilogram."""
    return (50_000_000 + secrets.randbelow(1_000_000)) * 10_000


def fine_of(gross_ng: int) -> int:
    """Return what a bar of no known form counts for. Units: nanograms."""
    return gross_ng * FINENESS // 10_000


async def lose(settings: Settings, bar: Bar) -> None:
    """Find that a bar is not where it should be."""
    await order_sandbox(settings, "depository", f"/v1/bars/{bar.bar_id}/lost", {"reason": "not in its place"})


async def put_in_place_of(settings: Settings, lost: Bar) -> Bar:
    """The keeper's own bar of the same weight, in the place of one that is lost."""
    return await take_in(settings, f"cure:{lost.bar_id}", lost.account, gross_ng=lost.gross_ng)


async def stand_silent(settings: Settings, vault: str, seconds: int) -> None:
    """Close a vault for stock-taking: it signs no statement for so long. Zero opens it again."""
    await order_sandbox(settings, "depository", f"/v1/vaults/{vault}/silence", {"seconds": seconds})
