"""A file made before a holiday reaches the bank only after its effective date: the operator's date wins."""

from __future__ import annotations

from typing import Final

from sdt.demo.acts import deposit
from sdt.demo.scenes.banking import (
    bank_date,
    close_for_files,
    cut_off,
    entry_of,
    holiday_after,
    moved_by_file,
    pass_days,
    stopped_clock,
)
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage
from sdt.domain.ach.calendar import add_banking_days

__all__ = ["SCENE"]

OUTAGE_S: Final = 120


async def play(stage: Stage) -> None:
    """Ann deposits before a holiday; nobody takes the file until the day after it is effective."""
    ann = await stage.person("Ann")
    bank = await stage.bank(ann)
    async with stopped_clock(stage):
        eve, effective = holiday_after(await bank_date(stage))
        delivered = add_banking_days(effective, 1)
        await cut_off(stage, eve, "07:00")
        await close_for_files(stage, OUTAGE_S)
        debit = await deposit(ann, "TXD", 6_000, bank)
        await ann.client.wait(debit, until=("awaiting_funds",))
        await stage.eventually(lambda: entry_of(stage, debit), bool)
        await cut_off(stage, eve, "18:00")
        made = await stage.eventually(lambda: entry_of(stage, debit), lambda entry: bool(entry.get("effective_on")))
        stage.step(
            f"On {eve}, the eve of a holiday, Ann deposits $60.00; the file is made, effective on the next day the "
            "Reserve Banks are open, and the bank takes no files",
            expected={"effective": effective.isoformat(), "entry": "created"},
            seen={"effective": made.get("effective_on"), "entry": made.get("status")},
        )
        await cut_off(stage, delivered, "09:00")
        await close_for_files(stage, 0)
        taken = await stage.eventually(
            lambda: entry_of(stage, debit), lambda entry: entry.get("status") in ("acknowledged", "settled")
        )
        await cut_off(stage, delivered, "20:00")
        settled = await stage.eventually(lambda: entry_of(stage, debit), lambda entry: entry.get("status") == "settled")
        early = await ann.client.transaction(debit)
        stage.step(
            f"The bank takes it on {delivered}: a stale date makes it same-day, and the operator settles it that very "
            "day; nothing is minted yet",
            expected={
                "the same file": made["file"],
                "effective": effective.isoformat(),
                "settled": delivered.isoformat(),
                "deposit": "awaiting_funds",
            },
            seen={
                "the same file": taken.get("file"),
                "effective": settled.get("effective_on"),
                "settled": settled.get("settled_on"),
                "deposit": early["status"],
            },
        )
        await pass_days(stage, 2)
        paid = await stage.ended(ann, debit)
        stage.step(
            "Two banking days after the operator's date, counted over weekends and holidays, the deposit is minted",
            expected={
                "it is": add_banking_days(delivered, 2).isoformat(),
                "deposit": "completed",
                "moved at the bank": [6_000],
                "Ann's balance": 6_000,
            },
            seen={
                "it is": (await bank_date(stage)).isoformat(),
                "deposit": paid["status"],
                "moved at the bank": await moved_by_file(stage, str(settled.get("file"))),
                "Ann's balance": await ann.balance("TXD"),
            },
        )


SCENE: Final = Scene(
    name="stale-date-over-a-holiday",
    sentence="A file made on the eve of a holiday reaches the bank a day after its effective date: it settles on the "
    "operator's date, and the return window is counted from there.",
    shows="Nacha Operating Rules, Article Eight (Effective Entry Date, Settlement Date): today's, a stale or an "
    "invalid date makes an entry same-day; the operator's settlement date wins. The Federal Reserve's holidays are no "
    "banking days.",
    play=play,
)
