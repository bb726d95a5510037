"""What a scene does at the sandbox bank and what the treasury's custodian sees of it: clock, files, entries, lines."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from typing import Any

from sdt.demo.sandbox_calls import ask_sandbox, order_sandbox
from sdt.demo.scenes.stage import Stage
from sdt.domain.ach.calendar import EASTERN, add_banking_days, is_banking_day
from sdt.domain.nacha import Inbound, read_file, read_inbound
from sdt.local.readiness import pages, readiness
from sdt.worker.ach.bank_time import moment_text
from sdt.worker.ach.cut_offs import last_cut_off

__all__ = [
    "bank_date",
    "bank_moment",
    "close_for_files",
    "cut_off",
    "entry_of",
    "holiday_after",
    "inbound_files",
    "moved_by_file",
    "next_at",
    "our_files",
    "pass_days",
    "put_out_again",
    "read_put_out",
    "stopped_clock",
]


async def bank_date(stage: Stage) -> date:
    """Return what day it is at the bank."""
    return date.fromisoformat((await ask_sandbox(stage.settings, "bank", "/v1/calendar"))["date"])


async def pass_days(stage: Stage, days: int) -> None:
    """Let banking days pass at once; what was due on the way happens in its order."""
    await order_sandbox(stage.settings, "bank", "/v1/clock", {"action": "advance", "days": days})


@asynccontextmanager
async def stopped_clock(stage: Stage) -> AsyncIterator[None]:
    """Let the bank's time stand still within; it runs on afterwards."""
    await order_sandbox(stage.settings, "bank", "/v1/clock", {"action": "freeze"})
    # A cut-off that had just passed is closed when the worker looks next: from then on nothing goes into a file.
    moment = await bank_moment(stage)
    passed = moment_text(last_cut_off(moment, stage.settings.ach.times, stage.settings.ach.lead_minutes))
    await stage.eventually(lambda: _closed(stage), lambda closed: closed >= passed)
    try:
        yield
    finally:
        await order_sandbox(stage.settings, "bank", "/v1/clock", {"action": "run"})


async def _closed(stage: Stage) -> str:
    """Return the newest cut-off that the worker has dealt with."""
    said = await readiness(pages(stage.settings)["worker"])
    return said["ach"]["closed"] or "" if said else ""


async def bank_moment(stage: Stage) -> datetime:
    """Return what day and what time of it is at the bank."""
    return (await stage.vendors.bank.calendar()).moment


async def cut_off(stage: Stage, on: date, at: str) -> None:
    """Put a clock that stands still to a time of a day that is not over."""
    await order_sandbox(stage.settings, "bank", "/v1/clock", {"action": "set", "date": on.isoformat(), "time": at})


def next_at(moment: datetime, at: str) -> date:
    """Return the banking day on which it will be this Eastern time of day next, today's if it is not over."""
    here = moment.astimezone(EASTERN)
    today = is_banking_day(here.date()) and here.time() <= time.fromisoformat(at)
    return here.date() if today else add_banking_days(here.date(), 1)


def holiday_after(day: date) -> tuple[date, date]:
    """Return the banking days around the next holiday after tomorrow that closes a weekday."""
    eve = add_banking_days(day, 1)
    while True:
        following = add_banking_days(eve, 1)
        between = [eve + timedelta(days=n) for n in range(1, (following - eve).days)]
        if any(each.weekday() < 5 and not is_banking_day(each) for each in between):
            return eve, following
        eve = following


async def close_for_files(stage: Stage, seconds: int) -> None:
    """Let the bank take no file for so long. Zero ends it."""
    await order_sandbox(stage.settings, "bank", "/v1/outage", {"seconds": seconds})


async def our_files(stage: Stage) -> list[Any]:
    """Return the files the platform made, the newest first, as the custodian sees them."""
    return list((await stage.official("treasury").get("/v1/office/ach/files"))["files"])


async def inbound_files(stage: Stage) -> list[Any]:
    """Return the files that the platform read, the newest first, as the custodian sees them."""
    return list((await stage.official("treasury").get("/v1/office/ach/inbound"))["files"])


async def entry_of(stage: Stage, transaction_id: str) -> Any:
    """Return the bank entry of a transaction as the custodian sees it, in its file or waiting for one; {} for none."""
    custodian = stage.official("treasury")
    for name in ("", *(file["name"] for file in await our_files(stage))):
        answer = await custodian.request("GET", "/v1/office/ach/entries", query={"file": name}, prove=True)
        for entry in answer["entries"]:
            if entry["transaction_id"] == transaction_id:
                return entry
    return {}


async def moved_by_file(stage: Stage, name: str) -> list[int]:
    """Return what a file of ours moved at the bank, as the statement of clearing shows it, by batch. Units: cents."""
    lines, after, more = [], 0, True
    while more:
        page = await stage.vendors.bank.statement("TXD-clearing", after=after)
        lines += [line.amount.units for line in page.lines if line.subject.startswith(f"{name}.")]
        more, after = page.more, page.lines[-1].sequence if page.lines else after
    return lines


async def read_put_out(stage: Stage, kind: str) -> list[tuple[str, Inbound]]:
    """Return the files of a kind (returns, noc) that the bank has put out, read as anybody may read them."""
    found, after = [], 0
    while listed := (await ask_sandbox(stage.settings, "bank", f"/v1/ach/inbound?after={after}"))["files"]:
        for one in listed:
            if one["name"].startswith(f"{kind}-"):
                file = await ask_sandbox(stage.settings, "bank", f"/v1/ach/inbound/{one['name']}")
                found.append((one["name"], read_inbound(read_file(base64.b64decode(file["content"])))))
        after = listed[-1]["sequence"]
    return found


async def put_out_again(stage: Stage, name: str) -> None:
    """Let the bank put a file out a second time, under another name."""
    await order_sandbox(stage.settings, "bank", f"/v1/ach/inbound/{name}/again", {})
