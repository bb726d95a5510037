"""A new edition of the list names somebody with a deposit under way and somebody with a payout, not their namesake."""

from __future__ import annotations

import secrets
import shutil
import string
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sdt.backends import open_database
from sdt.demo.acts import deposit, redeem
from sdt.demo.scenes.banking import bank_date, cut_off, entry_of, stopped_clock
from sdt.demo.scenes.officers import act, act_of_two, agreed, case_of
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage
from sdt.domain.ach.calendar import add_banking_days
from sdt.local.platform import INVENTED_LIST
from sdt.vendors import bank_account
from sdt.workflows.sanctions_lists import load

__all__ = ["SCENE"]

FILES: Final = ("sdn.csv", "alt.csv", "add.csv")
IGNORE_DAYS: Final = 180
BEFORE: Final = 20_000
AFTER_LAST_FILE: Final = "23:00"


async def play(stage: Stage) -> None:
    """Zadok and Nell will be listed; Zadok's namesake is somebody else."""
    name = "".join(secrets.choice(string.ascii_lowercase) for _ in range(7))
    family = f"Quor{name}"
    zadok, namesake = await stage.person("Zadok", family), await stage.person("Zadock", family)
    nell = await stage.person("Nell", f"Brimble{name}")
    await stage.fund(nell, BEFORE)
    banks = {who.account: await stage.bank(who) for who in (zadok, namesake, nell)}
    supply = await stage.supply("TXD")
    async with stopped_clock(stage):
        incoming = await deposit(zadok, "TXD", 30_000, banks[zadok.account])
        alike = await deposit(namesake, "TXD", 10_000, banks[namesake.account])
        for who, waits in ((zadok, incoming), (namesake, alike)):
            await who.client.wait(waits, until=("awaiting_funds",))
            await stage.eventually(partial(entry_of, stage, waits), bool)
        # The debits go out with the next day's last file and settle a day later; Nell's payout is too late for it.
        await cut_off(stage, add_banking_days(await bank_date(stage), 1), AFTER_LAST_FILE)
        for waits in (incoming, alike):
            await stage.eventually(partial(entry_of, stage, waits), lambda entry: bool(entry.get("effective_on")))
        outgoing = await redeem(nell, "TXD", 15_000, banks[nell.account])
        await stage.ended(nell, outgoing, until=("settled",))
        await _new_list(stage, f"{family}, Zadok", f"Brimble{name}, Nell")
        cases = {who.account: await case_of(stage, "sanctions", who.account) for who in (zadok, namesake, nell)}
    stage.step(
        "Zadok and a namesake have deposits under way, Nell's redemption is burnt and not yet paid. A new edition of "
        "the list names Zadok and Nell: everybody is screened again, and three reviews are open",
        expected={"Zadok": "open", "his namesake": "open", "Nell": "open"},
        seen={
            "Zadok": cases[zadok.account].get("status"),
            "his namesake": cases[namesake.account].get("status"),
            "Nell": cases[nell.account].get("status"),
        },
    )

    await _decide(stage, "clear_match", cases[namesake.account], {"ignore_days": IGNORE_DAYS})
    minted = await stage.ended(namesake, alike)
    stage.step(
        "An officer finds that the namesake is somebody else: what waited goes on, and he is not asked about again",
        expected={"deposit": "completed", "balance": 10_000},
        seen={"deposit": minted["status"], "balance": await namesake.balance("TXD")},
    )

    apart = await _blocked_at_the_bank(stage)
    for who in (zadok, nell):
        await _decide(stage, "confirm_match", cases[who.account], {})
    stood = await stage.eventually(lambda: zadok.client.transaction(incoming), lambda found: "review" in str(found))
    set_apart = await stage.eventually(lambda: _blocked_at_the_bank(stage), lambda cents: cents == apart + 45_000)
    paid_out = await nell.client.transaction(outgoing)
    report = await case_of(stage, "sanctions", zadok.account)
    stage.step(
        "Two officers confirm Zadok and Nell: his dollars are blocked before the mint and hers after the burn, neither "
        "is refunded, a report is due, and the word outside is the neutral one",
        expected={
            "Zadok's deposit": "in_review, in_review",
            "his balance": 0,
            "minted": 10_000,
            "burnt": 15_000,
            "Nell's payout": "not paid",
            "set apart at the bank": 45_000,
            "report": "to_report, due",
        },
        seen={
            "Zadok's deposit": f"{stood['status']}, {stood.get('code')}",
            "his balance": await zadok.balance("TXD"),
            "minted": await stage.supply("TXD") - (supply - 15_000),
            "burnt": BEFORE - await nell.balance("TXD"),
            "Nell's payout": "paid" if paid_out["status"] == "completed" else "not paid",
            "set apart at the bank": set_apart - apart,
            "report": f"{report.get('status')}, {'due' if report.get('due_on') else 'never'}",
        },
    )

    licence = {"transaction": outgoing, "order": "SDGT-2026-1", "reason": "A licence for one payment."}
    await act_of_two(stage, "release_block", licence)
    left = await stage.eventually(lambda: _blocked_at_the_bank(stage), lambda cents: cents == apart + 30_000)
    waits = await nell.client.transaction(outgoing)
    stage.step(
        "A licence comes for Nell's payment: two officers release it, and the bank brings its dollars back. She is "
        "blocked still, and so the payment waits",
        expected={"set apart at the bank": 30_000, "Nell's payout": "not paid"},
        seen={
            "set apart at the bank": left - apart,
            "Nell's payout": "paid" if waits["status"] == "completed" else "not paid",
        },
    )


async def _blocked_at_the_bank(stage: Stage) -> int:
    """Return what stands in the account of blocked dollars. Units: cents."""
    return (await stage.vendors.bank.statement(bank_account("TXD", "blocked"))).balance.units


async def _new_list(stage: Stage, *names: str) -> None:
    """Load an edition with these names on it, as `sdt sanctions load` does, and put it in force as an officer."""
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES:
            shutil.copy(INVENTED_LIST / file, folder)
        sdn = Path(folder) / "sdn.csv"
        # The file ends with the control character of an old operating system: what is added stands before it.
        lines = [sdn.read_bytes().rstrip(b"\x1a\r\n").decode()]
        for name in names:
            number = 1_000_000 + secrets.randbelow(8_000_000)
            lines.append(f'{number},"{name}","individual","INVENTED"' + ",-0- " * 8)
        sdn.write_text("\r\n".join(lines) + "\r\n\x1a", newline="")
        store = open_database(stage.settings)
        try:
            now_ms = time.time_ns() // 1_000_000
            row = load(
                store,
                stage.settings.home,
                Path(folder),
                list_date=datetime.now(UTC).date(),
                by="operator",
                now_ms=now_ms,
            ).row
        finally:
            store.close()
    claims = {"digest": row.digest, "list_date": row.list_date, "older": False}
    made = await act(stage, "set_sanctions_list", claims)
    if made["status"] == "waiting":
        # Whom this scene put on the list the last time it was played is on it no longer: that takes two.
        await agreed(stage, made["act_id"])


async def _decide(stage: Stage, kind: str, case: Any, more: Mapping[str, object]) -> None:
    claims = {"case": case["case_id"], "reason": "Compared with the document on file.", **more}
    review = await stage.official("compliance").get(f"/v1/office/reviews/{case['case_id']}")
    if kind == "confirm_match" or review["takes_two"]:
        await act_of_two(stage, kind, claims)
    else:
        await act(stage, kind, claims)


SCENE: Final = Scene(
    name="sdn-hits",
    sentence="A new list names a depositor before his mint and a payee after her burn, and somebody called alike: the "
    "true ones are blocked and not refunded, the false one goes on.",
    shows="31 C.F.R. 501.603 (blocked property is reported within 10 business days) and 501.801 (no debit without a "
    "licence); a suspicion shows to nobody outside the compliance role.",
    play=play,
)
