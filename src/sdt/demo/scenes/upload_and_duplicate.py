"""A file whose upload nobody answers, and a file of returns that comes twice."""

from __future__ import annotations

from typing import Any, Final

from sdt.demo.acts import deposit
from sdt.demo.people import Actor
from sdt.demo.scenes.banking import entry_of, moved_by_file, our_files, put_out_again, read_put_out
from sdt.demo.scenes.officers import cases_of
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage

__all__ = ["SCENE"]

UNANSWERED: Final = "9990000408"
"""A file with an entry of this account is taken by the bank, which does not answer for 15 seconds."""
CLOSED: Final = "9990000003"


async def play(stage: Stage) -> None:
    """Ann's file goes unanswered; Ben's return is told twice."""
    ann, ben = await stage.person("Ann"), await stage.person("Ben")
    await _unanswered(stage, ann)
    await _twice(stage, ann, ben)


async def _unanswered(stage: Stage, ann: Actor) -> None:
    debit = await deposit(ann, "TXD", 7_500, await stage.bank(ann, UNANSWERED))
    paid = await stage.ended(ann, debit)
    entry = await entry_of(stage, debit)
    file: Any = next((one for one in await our_files(stage) if one["name"] == entry.get("file")), {})
    moved = await moved_by_file(stage, str(entry.get("file")))
    stage.step(
        "Ann deposits $75.00; the bank takes the file and does not answer. It is asked, and nothing is sent again",
        expected={"deposit": "completed", "sent": 1, "moved at the bank": [7_500], "Ann's balance": 7_500},
        seen={
            "deposit": paid["status"],
            "sent": file.get("tries"),
            "moved at the bank": moved,
            "Ann's balance": await ann.balance("TXD"),
        },
    )


async def _twice(stage: Stage, ann: Actor, ben: Actor) -> None:
    debit = await deposit(ben, "TXD", 3_300, await stage.bank(ben, CLOSED))
    returned = await stage.ended(ben, debit)
    trace = (await entry_of(stage, debit))["trace"]
    names = [
        name
        for name, file in await read_put_out(stage, "returns")
        for one in file.returns
        if one.original_trace == trace
    ]
    before = {case["case_id"] for case in await cases_of(stage, "ach_unmatched")}
    clearing = (await stage.vendors.bank.statement("TXD-clearing")).balance.units
    await put_out_again(stage, names[0])
    # A deposit whose file is acknowledged behind it proves that the second file of returns was read.
    after = await stage.ended(ann, await deposit(ann, "TXD", 1_000, await stage.bank(ann)))
    opened = {case["case_id"] for case in await cases_of(stage, "ach_unmatched")} - before
    stage.step(
        "Ben's debit comes back as R03, and the bank puts the file of returns out twice: each return counts once",
        expected={
            "Ben's deposit": "returned, R03",
            "told in": 1,
            "a deposit after it": "completed",
            "cases opened": 0,
            "Ben's balance": 0,
        },
        seen={
            "Ben's deposit": f"{returned['status']}, {returned.get('code')}",
            "told in": len(names),
            "a deposit after it": after["status"],
            "cases opened": len(opened),
            "Ben's balance": await ben.balance("TXD"),
        },
    )
    now = (await stage.vendors.bank.statement("TXD-clearing")).balance.units
    stage.step(
        "Clearing at the bank is what it was: what came in went on into the reserve, and no return was paid twice",
        expected={"clearing moved by": 0},
        seen={"clearing moved by": now - clearing},
    )


SCENE: Final = Scene(
    name="upload-timeout-and-duplicate",
    sentence="A file's upload goes unanswered, and a file of returns comes twice: nothing is sent or counted a second "
    "time.",
    shows="An upload without an answer is `unknown`: the bank is asked, and only its word that it has nothing lets a "
    "file go out again; what comes in is deduplicated by file and by record.",
    play=play,
)
