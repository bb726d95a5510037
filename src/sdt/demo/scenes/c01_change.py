"""Another bank notifies that an account number has changed; the next entry names the new one."""

from __future__ import annotations

from typing import Any, Final

from sdt.demo.acts import deposit
from sdt.demo.scenes.banking import entry_of, inbound_files, read_put_out
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage

__all__ = ["SCENE"]

ACCOUNT: Final = "9990000101"
"""An account number of 99900001NN is corrected with CNN."""


async def play(stage: Stage) -> None:
    """Ann deposits, her bank notifies the change, she deposits again."""
    ann = await stage.person("Ann")
    bank = await stage.bank(ann, ACCOUNT)
    first = await deposit(ann, "TXD", 5_000, bank)
    paid = await stage.ended(ann, first)
    trace = (await entry_of(stage, first))["trace"]
    notified = [
        (name, change)
        for name, file in await read_put_out(stage, "noc")
        for change in file.changes
        if change.original_trace == trace
    ]
    name = notified[0][0] if notified else ""
    read = await stage.eventually(lambda: inbound_files(stage), lambda files: any(f["name"] == name for f in files))
    seen: Any = next((file for file in read if file["name"] == name), {})
    stage.step(
        "Ann deposits $50.00 from an account whose number has changed: it is paid all the same, and her bank notifies "
        "the change",
        expected={"deposit": "completed", "notified": ["C01"], "our custodian's list": "changes, read", "unmatched": 0},
        seen={
            "deposit": paid["status"],
            "notified": [change.code for _, change in notified],
            "our custodian's list": f"{seen.get('kind')}, {seen.get('status')}",
            "unmatched": seen.get("unmatched"),
        },
    )

    second = await deposit(ann, "TXD", 5_000, bank)
    paid = await stage.ended(ann, second)
    trace = (await entry_of(stage, second))["trace"]
    again = [
        change.code
        for _, file in await read_put_out(stage, "noc")
        for change in file.changes
        if change.original_trace == trace
    ]
    stage.step(
        "She deposits again from the same linked account: the entry names the corrected number, so nothing is notified",
        expected={"deposit": "completed", "notified": [], "Ann's balance": 10_000},
        seen={"deposit": paid["status"], "notified": again, "Ann's balance": await ann.balance("TXD")},
    )


SCENE: Final = Scene(
    name="c01-change",
    sentence="A bank notifies a changed account number (C01): the entry is paid, the next one names the new number.",
    shows="Nacha Operating Rules, Subsection 3.9: what a notification of change corrects is corrected within six "
    "banking days of it or before the next entry, whichever is later.",
    play=play,
)
