"""kill -9 of worker, API, chain or a signer, twenty times, while 2,000 payments go through the whole platform."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sdt.demo.crowd import Crowd, gather_crowd
from sdt.local.books import settled_books
from sdt.local.platform import Platform, running
from sdt.store import open_store, transactions
from sdt.supervise import Status
from settled import balances_after, check_books

SEED = int(os.environ.get("SDT_FAULT_SEED", "20261"))
PEOPLE = 40
PAYMENTS = 2_000
IN_A_REQUEST = 40
KILLS = 20
EACH_UNITS = 100_000
VICTIMS = ("worker",) * 7 + ("api",) * 5 + ("chain",) * 4 + ("signer-1", "signer-2", "signer-3", "signer-1")


@dataclass
class _Told:
    """What clients sent, and what they were told of each payment."""

    messages: dict[str, bytes] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    killed: list[str] = field(default_factory=list)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small platform: short banking days, and a queue that soon shows again what a dead worker held."""
    monkeypatch.setenv("SDT_ENV", "test")
    monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")
    monkeypatch.setenv("SDT_QUEUE__VISIBILITY_TIMEOUT_S", "3")
    monkeypatch.setenv("SDT_QUEUE__RECEIVES_MAX", "100")


async def _pay(crowd: Crowd, batches: Sequence[tuple[Sequence[str], Sequence[bytes]]], told: _Told) -> None:
    """Send request after request; one that is not answered is sent again, the same bytes."""
    for ids, messages in batches:
        sent = await crowd.send(ids, messages)
        for id_, message, answer in zip(ids, messages, sent.answers, strict=True):
            told.messages[id_] = message
            if answer["http_status"] in (200, 202):
                told.acknowledged.add(id_)
        await asyncio.sleep(0.3)


async def _kill(platform: Platform, rng: random.Random, told: _Told) -> None:
    """Kill one after the other at random moments, some while another is still coming back."""
    order = list(VICTIMS)
    rng.shuffle(order)
    for name in order:
        await asyncio.sleep(rng.uniform(0.2, 2.5))
        async with asyncio.timeout(60):
            await platform.supervisor.ready(name)
        assert platform.supervisor.state(name).status is Status.READY
        platform.supervisor.kill(name)
        told.killed.append(name)


@pytest.mark.slow
@pytest.mark.timeout(280)
async def test_nothing_is_lost_or_doubled_when_processes_are_killed(quick: None, tmp_path: Path) -> None:
    # Given a platform on which forty people hold dollars
    home, rng = tmp_path / "home", random.Random(SEED)
    async with running(home) as platform:
        crowd = await gather_crowd(home, platform.network, PEOPLE, each_units=EACH_UNITS)
        before = {who.account: await who.balance("TXD") for who in crowd.people}
        ids = await crowd.new_ids(PAYMENTS)
        messages = crowd.payments(ids, rng, units=7)
        requests = [
            (ids[i : i + IN_A_REQUEST], messages[i : i + IN_A_REQUEST]) for i in range(0, PAYMENTS, IN_A_REQUEST)
        ]

        # When they pay while processes are killed at random, and every client repeats what was not answered
        told, began = _Told(), time.monotonic()
        half = len(requests) // 2
        await asyncio.gather(
            _pay(crowd, requests[:half], told),
            _pay(crowd, requests[half:], told),
            _kill(platform, rng, told),
        )
        assert len(told.killed) == KILLS
        assert told.acknowledged == set(ids), "a client was told to give up"
        ended = [await crowd.ended(id_, timeout_s=90) for id_ in ids]
        took_s = time.monotonic() - began
        print(f"seed {SEED}: {PAYMENTS} payments, {KILLS} kills in {took_s:.0f} s: {Counter(told.killed)}")

        # Then every acknowledged payment has ended, each with its reason if it was refused
        assert Counter(one["status"] for one in ended)["completed"] >= PAYMENTS * 0.99
        assert all(one["status"] == "completed" or one.get("code") for one in ended)
        # and each moved its money exactly once
        after = {who.account: await who.balance("TXD") for who in crowd.people}
        assert after == balances_after(before, [told.messages[one["transaction_id"]] for one in ended if _done(one)])
        assert sum(after.values()) == sum(before.values())
        # and all the books say the same
        books = await settled_books(platform.settings, platform.region)
        assert all(one.agree and one.covered for one in books), books
        await crowd.close()
        _check_store(platform.settings.database.url, ids)


def _done(found: dict[str, str]) -> bool:
    return found["status"] == "completed"


def _check_store(url: str, ids: Sequence[str]) -> None:
    store = open_store(url)
    try:
        check_books(store)
        rows = transactions.get_many(store, list(ids))
        assert len(rows) == len(ids)
        assert all(row.held_units == 0 or row.status == "completed" for row in rows.values())
    finally:
        store.close()
