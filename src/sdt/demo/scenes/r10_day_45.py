"""A consumer disowns a debit on day 45, when the tokens are spent."""

from __future__ import annotations

from typing import Final

from sdt.demo.acts import deposit, pay
from sdt.demo.scenes.banking import entry_of, pass_days
from sdt.demo.scenes.officers import case_of
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage

__all__ = ["SCENE"]

ACCOUNT: Final = "9990000010"
"""An account number of 9990000010 comes back as R10, 45 calendar days after settlement."""
DAYS: Final = 34
"""Banking days that are more than 45 calendar ones, whatever holidays lie between."""


async def play(stage: Stage) -> None:
    """Ann deposits and pays Bob nearly all of it; 45 days later her bank takes the debit back."""
    ann, bob = await stage.person("Ann"), await stage.person("Bob")
    debit = await deposit(ann, "TXD", 50_000, await stage.bank(ann, ACCOUNT))
    minted = await stage.ended(ann, debit)
    paid = await stage.ended(ann, await pay(ann, bob, "TXD", 45_000))
    supply = await stage.supply("TXD")
    stage.step(
        "Ann deposits $500.00; the return window passes, it is minted, and she pays Bob $450.00",
        expected={"deposit": "completed", "payment": "completed", "Ann": 5_000, "Bob": 45_000},
        seen={
            "deposit": minted["status"],
            "payment": paid["status"],
            "Ann": await ann.balance("TXD"),
            "Bob": await bob.balance("TXD"),
        },
    )

    await pass_days(stage, DAYS)
    returned = await stage.becomes(ann, debit, "returned")
    await stage.eventually(lambda: ann.balance("TXD"), lambda units: units == 0)
    entry = await entry_of(stage, debit)
    case = await case_of(stage, "receivable", ann.account)
    stage.step(
        "On day 45 Ann tells her bank that she never authorised it: the debit comes back, what she still holds is "
        "burnt, the rest is owed by her alone, and an officer has the case",
        expected={
            "deposit": "returned, R10",
            "entry": "returned, R10",
            "Ann": 0,
            "Bob": 45_000,
            "burnt": 5_000,
            "case": "open",
        },
        seen={
            "deposit": f"{returned['status']}, {returned.get('code')}",
            "entry": f"{entry.get('status')}, {entry.get('return_code')}",
            "Ann": await ann.balance("TXD"),
            "Bob": await bob.balance("TXD"),
            "burnt": supply - await stage.supply("TXD"),
            "case": case.get("status"),
        },
    )

    gift = await stage.ended(bob, await pay(bob, ann, "TXD", 1_000))
    onward = await stage.ended(ann, await pay(ann, bob, "TXD", 1_000))
    await stage.eventually(lambda: ann.balance("TXD"), lambda units: units == 0)
    stage.step(
        "Bob, who was paid in good faith, pays on as he likes; Ann's outgoing payments are on hold, and what comes to "
        "her is burnt for what she owes",
        expected={"Bob pays Ann": "completed", "Ann pays Bob": "rejected, account_on_hold", "Ann": 0, "burnt": 6_000},
        seen={
            "Bob pays Ann": gift["status"],
            "Ann pays Bob": f"{onward['status']}, {onward.get('code')}",
            "Ann": await ann.balance("TXD"),
            "burnt": supply - await stage.supply("TXD"),
        },
    )


SCENE: Final = Scene(
    name="r10-day-45-tokens-spent",
    sentence="A consumer disowns a debit on day 45 (R10) when the tokens are spent: recovered from the depositor "
    "alone, never from whom she paid.",
    shows="Nacha Operating Rules, Appendix Four: R10 within 60 calendar days of settlement; 31 C.F.R. 1005 (Regulation "
    "E). The original is never rewritten: it is returned, and what sets it right is a transaction of its own.",
    play=play,
)
