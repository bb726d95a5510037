"""A business's bank sends a corporate debit back as not authorized."""

from __future__ import annotations

from typing import Final

from sdt.demo.acts import deposit
from sdt.demo.scenes.banking import entry_of
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage

__all__ = ["SCENE"]

ACCOUNT: Final = "9990000029"
"""An account number of 99900000NN comes back as RNN."""


async def play(stage: Stage) -> None:
    """A shop deposits from an account whose bank has been told to let no debit through."""
    shop = await stage.business("Lone Star Feed", "Wren", "Sample")
    supply = await stage.supply("TXD")
    debit = await deposit(shop, "TXD", 250_000, await stage.bank(shop, ACCOUNT, "Lone Star Feed LLC"))
    ended = await stage.ended(shop, debit)
    entry = await entry_of(stage, debit)
    stage.step(
        "A shop deposits $2,500.00 from its business account; its bank answers that the corporate customer allows no "
        "such debit",
        expected={
            "class": "CCD",
            "entry": "returned, R29",
            "deposit": "returned, R29",
            "minted": 0,
            "the shop's balance": 0,
        },
        seen={
            "class": entry.get("sec_code"),
            "entry": f"{entry.get('status')}, {entry.get('return_code')}",
            "deposit": f"{ended['status']}, {ended.get('code')}",
            "minted": await stage.supply("TXD") - supply,
            "the shop's balance": await shop.balance("TXD"),
        },
    )


SCENE: Final = Scene(
    name="r29-corporate",
    sentence="A business deposits by CCD and its bank returns the debit as R29 (corporate customer advises not "
    "authorized): within two banking days, before mint.",
    shows="Nacha Operating Rules, Article Two (CCD) and Appendix Four: R29 has the two banking days of an ordinary "
    "return and not the sixty days of a consumer; it counts as unauthorized in the return rates.",
    play=play,
)
