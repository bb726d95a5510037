"""Two payouts come back: one to an open account, one to an account that is frozen meanwhile."""

from __future__ import annotations

import time
from typing import Any, Final

from sdt.demo.acts import redeem
from sdt.demo.people import Actor
from sdt.demo.scenes.banking import bank_moment, cut_off, next_at, stopped_clock
from sdt.demo.scenes.officers import case_of
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage
from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.message import format_time

__all__ = ["SCENE"]

NO_ACCOUNT: Final = "9990000003"
REFUSED: Final = "9990000223"
"""Account numbers of 99900000NN come back as RNN the next morning, those of 99900002NN on the fourth."""
FREEZE_S: Final = 3_600
EVENING: Final = "23:30"


async def play(stage: Stage) -> None:
    """Ann mistypes her account; Ben's bank refuses the credit while a court has frozen his account here."""
    await _minted_again(stage, await stage.person("Ann"))
    await _frozen(stage, await stage.person("Ben"))


async def _minted_again(stage: Stage, ann: Actor) -> None:
    await stage.fund(ann, 20_000)
    supply = await stage.supply("TXD")
    payout = await redeem(ann, "TXD", 15_000, await stage.bank(ann, NO_ACCOUNT))
    back = await stage.becomes(ann, payout, "returned")
    again = await stage.eventually(lambda: ann.balance("TXD"), lambda units: units == 20_000)
    stage.step(
        "Ann redeems $150.00 to an account that does not exist: the credit comes back, and the tokens are minted again",
        expected={"redemption": "returned, R03", "Ann's balance": 20_000, "supply": supply},
        seen={
            "redemption": f"{back['status']}, {back.get('code')}",
            "Ann's balance": again,
            "supply": await stage.supply("TXD"),
        },
    )


async def _frozen(stage: Stage, ben: Actor) -> None:
    await stage.fund(ben, 20_000)
    officer = stage.official("compliance")
    bank = await stage.bank(ben, REFUSED)
    async with stopped_clock(stage):
        payout = await redeem(ben, "TXD", 15_000, bank)
        await stage.ended(ben, payout, until=("settled",))
        sent = await _until_sent(stage, ben, payout)
        order = {"account": ben.account, "token": "TXD", "order": "C-26-7", "authority": "District Court"}
        until = format_time(int(time.time()) + FREEZE_S)
        frozen = await officer.wait(await officer.submit("freeze", {**order, "expires_at": until}))
    back = await stage.becomes(ben, payout, "returned")
    case = await case_of(stage, "payout_suspense", ben.account)
    stage.step(
        "Ben redeems $150.00; while it is at the bank, a court's order freezes his account, and then his bank refuses "
        "the credit: it goes to suspense and not back to mint",
        expected={
            "at the bank": "completed",
            "freeze": True,
            "redemption": "returned, R23",
            "Ben's balance": 5_000,
            "case": "open, frozen",
        },
        seen={
            "at the bank": sent["status"],
            "freeze": frozen["status"] in ("settled", "completed"),
            "redemption": f"{back['status']}, {back.get('code')}",
            "Ben's balance": await ben.balance("TXD"),
            "case": f"{case.get('status')}, {case.get('facts', {}).get('why')}",
        },
    )


async def _until_sent(stage: Stage, who: Actor, payout: str) -> Any:
    """Let the bank's time pass to the end of the day on which the credit settles, and no further."""
    # The clock was stopped at any time of its day: one stopped at 23:45 is not put back to half past.
    day = next_at(await bank_moment(stage), EVENING)
    for _ in range(3):
        await cut_off(stage, day, EVENING)
        found = await stage.eventually(
            lambda: who.client.transaction(payout), lambda found: found["status"] == "completed", timeout_s=3
        )
        if found["status"] == "completed":
            return found
        day = add_banking_days(day, 1)
    return found


SCENE: Final = Scene(
    name="payout-r03-and-late-r23-while-frozen",
    sentence="A payout to a wrong account (R03) is minted again for its owner; one refused (R23) while its owner is "
    "frozen goes to suspense.",
    shows="Nacha Operating Rules, Appendix Four (R03, R23). An account under an order neither pays nor receives: what "
    "comes back for it waits for an officer.",
    play=play,
)
