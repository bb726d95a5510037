"""Coin and paper at the treasury's counter: ten thousand dollars are nobody's report, a cent more is one."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final

from sdt.demo.acts import deposit
from sdt.demo.people import Actor
from sdt.demo.sandbox_calls import order_sandbox
from sdt.demo.scenes.scene import Scene
from sdt.demo.scenes.stage import Stage
from sdt.domain.ach.calendar import banking_day_of, is_banking_day
from sdt.domain.monitoring.movements import BusinessDay
from sdt.local.readiness import pages, readiness

__all__ = ["SCENE", "hours_to_days_over"]

LIMIT_CENTS: Final = 10_000_00
OUTSIDE: Final = ("status", "code", "detail", "rule", "statute")
"""What a party sees of a transaction besides its own amounts."""


async def play(stage: Stage) -> None:
    """Ann hands in exactly the limit, Ben a cent more, and Cora the same in two parts of one day."""
    ann, ben, cora = [await stage.person(name) for name in ("Ann", "Ben", "Cora")]

    of_ann = await _hand_in(stage, ann, LIMIT_CENTS)
    stage.step(
        "Ann hands in $10,000.00 in currency; it is counted, and minted like any deposit",
        expected={"status": "completed", "balance": LIMIT_CENTS, "reports due": 0},
        seen={
            "status": of_ann["status"],
            "balance": await ann.balance("TXD"),
            "reports due": await _cases(stage, ann, 0),
        },
    )
    of_ben = await _hand_in(stage, ben, LIMIT_CENTS + 1)
    stage.step(
        "Ben hands in $10,000.01: a report is due within 15 days, and outside the compliance role nothing differs",
        expected={"status": "completed", "reports due": 1, "as Ann sees hers": True},
        seen={
            "status": of_ben["status"],
            "reports due": await _cases(stage, ben, 1),
            "as Ann sees hers": [of_ben.get(name) for name in OUTSIDE] == [of_ann.get(name) for name in OUTSIDE],
        },
    )
    first, second = [await _hand_in(stage, cora, cents) for cents in (6_000_00, 4_000_01)]
    stage.step(
        "Cora hands in $6,000.00 and $4,000.01 on one day: they count together, as one report",
        expected={"statuses": ["completed", "completed"], "reports due": 1},
        seen={"statuses": [first["status"], second["status"]], "reports due": await _cases(stage, cora, 1)},
    )
    case_id = (await _found(stage, ben))[0]["case_id"]
    form = await stage.official("compliance").download(f"/v1/office/cases/{case_id}/report")
    stage.step(
        "The compliance officer writes FinCEN's form 112: whole dollars, rounded up; it is sent nowhere",
        expected={"form": True, "total": True},
        seen={"form": b">CTRX<" in form, "total": b"<fc2:TotalCashInReceiveAmountText>10001<" in form},
    )
    ida = await stage.person("Ida")
    ago = hours_to_days_over(stage.region.business_day, int(time.time()), 3)
    days = [await _hand_in(stage, ida, 9_000_00, hours_ago=hours) for hours in ago]
    found = await stage.eventually(lambda: _found(stage, ida, kind="monitoring"), bool)
    stage.step(
        "Ida's slips of three banking days, $9,000.00 each: no day is a report, together they are structuring",
        expected={
            "statuses": ["completed"] * 3,
            "reports due": 0,
            "pattern": ["FED-STRUCTURING"],
            "as Ann sees hers": True,
        },
        seen={
            "statuses": [day["status"] for day in days],
            "reports due": await _cases(stage, ida, 0),
            "pattern": [case["facts"].get("rule") for case in found],
            "as Ann sees hers": [days[-1].get(name) for name in OUTSIDE] == [of_ann.get(name) for name in OUTSIDE],
        },
    )


def hours_to_days_over(business_day: BusinessDay, now_s: int, count: int) -> list[int]:
    """Return how many hours ago it was the middle of each of the newest banking days that are over, the oldest first.

    Currency of a weekend or a holiday counts with the next banking day, which may not be over, or be one of them.
    """
    today = banking_day_of(business_day.of(now_s))
    hours: list[int] = []
    day = today
    while len(hours) < count:
        day -= timedelta(days=1)
        if is_banking_day(day):
            hours.insert(0, (now_s - business_day.opens_s(day)) // 3600 - 12)
    return hours


async def _hand_in(stage: Stage, who: Actor, cents: int, hours_ago: int = 0) -> Any:
    """Announce currency, let the bank's clerk count it with a look at a document, and wait for the mint."""
    transaction_id = await deposit(who, "TXD", cents, "dropoff:counter-1")
    await who.client.wait(transaction_id, until=("awaiting_funds",))
    counted = {
        "account": "TXD-clearing",
        "amount_cents": str(cents),
        "reference": transaction_id,
        "by_holder": True,
        "hours_ago": hours_ago,
        "conductor": {
            "given_name": who.name,
            "family_name": "Sample",
            "born_on": "1990-01-31",
            "address": {"street": "1 Congress Ave", "city": "Austin", "state": "TX", "postal_code": "78701"},
            "document": "drivers_license",
            "document_number": "12345678",
            "document_issuer": "TX",
        },
    }
    await order_sandbox(stage.settings, "bank", "/v1/currency-deposits", counted)
    return await stage.ended(who, transaction_id)


async def _found(stage: Stage, who: Actor, kind: str = "currency") -> list[dict[str, Any]]:
    client = stage.official("compliance")
    query = {"kind": kind, "account": who.account}
    answer = await client.request("GET", "/v1/office/cases", query=query, prove=True)
    return list(answer["cases"])


async def _cases(stage: Stage, who: Actor, expected: int) -> int:
    """Return how many reports are due on somebody once monitoring has read as far as the books go."""
    before = await _settled(stage)
    if not before:
        return -1
    found = await stage.eventually(lambda: _found(stage, who), lambda found: len(found) == expected)
    return len(found)


async def _settled(stage: Stage) -> bool:
    """Whether monitoring has caught up: somebody who has no report must not merely be unread."""
    watcher = await stage.eventually(lambda: _behind(stage), lambda behind: behind == 0)
    return watcher == 0


async def _behind(stage: Stage) -> int:
    said = await readiness(pages(stage.settings)["worker"])
    return int(said["monitoring"]["postings_behind"]) if said else -1


SCENE: Final = Scene(
    name="currency-report",
    sentence="Currency of $10,000.00 is no report, $10,000.01 is one; a person's day counts together, and "
    "days just below it are a pattern.",
    shows="31 C.F.R. 1010.311 and 1010.313: currency above $10,000 in one business day by or for one person.",
    play=play,
)
