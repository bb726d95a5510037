"""A debit comes back for want of funds before anything was minted against it."""

from __future__ import annotations

from typing import Final

from sdt.demo.acts import deposit
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage

__all__ = ["SCENE"]

CENTS: Final = 10_420
"""An amount ending in 4.20 comes back as R01."""


async def play(stage: Stage) -> None:
    """Ann deposits what her bank will not pay; then what it will."""
    ann = await stage.person("Ann")
    bank = await stage.bank(ann)
    supply = await stage.supply("TXD")

    returned = await stage.ended(ann, await deposit(ann, "TXD", CENTS, bank))
    stage.step(
        "Ann deposits $104.20 by ACH; the debit settles, and her bank sends it back within the ordinary return window",
        expected={"status": "returned", "code": "R01", "minted": 0, "Ann's balance": 0},
        seen={
            "status": returned["status"],
            "code": returned.get("code"),
            "minted": await stage.supply("TXD") - supply,
            "Ann's balance": await ann.balance("TXD"),
        },
    )

    paid = await stage.ended(ann, await deposit(ann, "TXD", 10_000, bank))
    stage.step(
        "Ann deposits $100.00 from the same account once it holds enough: one return closes nothing",
        expected={"status": "completed", "minted": 10_000, "Ann's balance": 10_000},
        seen={
            "status": paid["status"],
            "minted": await stage.supply("TXD") - supply,
            "Ann's balance": await ann.balance("TXD"),
        },
    )


SCENE: Final = Scene(
    name="r01-before-mint",
    sentence="An ACH debit comes back as R01 (insufficient funds) before mint: nothing was minted, nothing is owed.",
    shows="Nacha Operating Rules, Subsection 3.8.1: an ordinary return reaches us by the opening of the second banking "
    "day after settlement, so nothing is minted earlier.",
    play=play,
)
