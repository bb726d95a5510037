"""One day of a platform on PostgreSQL: a second worker takes over, the database is lost and restored, once too far.

It prints how long each step took: `make drill`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import outside
import postgres
from ports import free_port
from restoring import Archive
from sdt.demo.crowd import Crowd, gather_crowd
from sdt.local.books import read_books, settled_books
from sdt.local.missing import missing_batches
from sdt.local.platform import Platform, running, settings_of
from sdt.store import open_store
from settled import check_books

EMBEDDED = True
pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]
DURABLE = ("shared_buffers=32MB", "max_connections=40", "wal_level=replica", "max_wal_senders=6", "wal_keep_size=256MB")


@contextmanager
def timed(step: str) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    print(f"  {step:58} {time.monotonic() - began_s:6.2f} s")


def health(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        found = json.load(error)
    except OSError:
        found = {}
    return found


async def until(port: int, role: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.to_thread(health, port)
            if found.get("lane", {}).get("role") == role:
                return found
            await asyncio.sleep(0.05)


class Payments:
    """What was paid, and what the API has acknowledged."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd, self._rng = crowd, random.Random(2026)
        self.acknowledged: list[str] = []

    async def send(self, count: int) -> list[str]:
        ids = await self._crowd.new_ids(count)
        await self._crowd.send(ids, self._crowd.payments(ids, self._rng, units=5))
        self.acknowledged += ids
        return ids

    async def settle(self, count: int) -> None:
        await self.ended(await self.send(count))

    async def ended(self, ids: list[str]) -> None:
        ended = [await self._crowd.ended(id_, timeout_s=90) for id_ in ids]
        assert {one["status"] for one in ended} == {"completed"}


async def books_are_whole(platform: Platform) -> None:
    """Chain, database, bank and vault say the same of every token, and the log and the ledger are sound."""
    books = await settled_books(platform.settings, platform.region)
    assert all(one.agree and one.covered for one in books), books
    store = open_store(platform.settings.database.url)
    check_books(store)
    store.close()


async def test_hand_over_and_restore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binaries = postgres.binaries()
    if binaries is None:
        outside.lacking(postgres.HOW_TO_GET_IT)
    with postgres.own_cluster(binaries, DURABLE) as cluster:
        monkeypatch.setenv("SDT_ENV", "test")
        monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")
        monkeypatch.setenv("SDT_DATABASE__URL", cluster.url)
        monkeypatch.setenv("SDT_QUEUE__VISIBILITY_TIMEOUT_S", "3")
        monkeypatch.setenv("SDT_QUEUE__RECEIVES_MAX", "100")
        archive = Archive(cluster, cluster.data.parent / "archive")
        async with running(tmp_path / "home") as platform:
            crowd = await gather_crowd(platform.settings.home, platform.network, 4, each_units=10_000)
            payments = Payments(crowd)
            await payments.settle(10)
            await _second_worker(platform, payments)
            await _lost_and_restored(platform, payments, archive, cluster.url)
            await _restored_too_far_back(platform, archive)
            await crowd.close()


async def _second_worker(platform: Platform, payments: Payments) -> None:
    """A second worker takes over from one that is killed, and gives back in order."""
    home = platform.settings.home
    first_port, second_port = settings_of(home).worker.port, free_port()
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sdt.worker", "--home", str(home),
        env={**os.environ, "SDT_WORKER__PORT": str(second_port)},
    )  # fmt: skip
    try:
        waiting = await until(second_port, "standby")
        assert waiting["lane"]["holder"] == health(first_port)["lane"]["process"]
        platform.supervisor.kill("worker")
        with timed("kill -9 of the worker until the second settles"):
            assert (await until(second_port, "settling"))["lane"]["epoch"] == waiting["lane"]["epoch"] + 1
        await payments.settle(10)
        await until(first_port, "standby")
        second.send_signal(signal.SIGTERM)
        with timed("SIGTERM of the second until the first settles again"):
            await until(first_port, "settling")
        assert await second.wait() == 0
    finally:
        if second.returncode is None:
            second.kill()


async def _lost_and_restored(platform: Platform, payments: Payments, archive: Archive, url: str) -> None:
    """Everything that was acknowledged before the disk was lost is there afterwards, and is settled."""
    with timed("log received elsewhere, commits wait for it"):
        await asyncio.to_thread(archive.receive)
    with timed("base backup of the database in use"):
        await asyncio.to_thread(archive.back_up)
    await payments.settle(10)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pg_create_restore_point('noon')")
    await payments.settle(10)
    last = await payments.send(20)
    lost_s = time.monotonic()
    await asyncio.to_thread(archive.lose)
    with timed("restore to the end of the log"):
        await asyncio.to_thread(archive.restore)
    with timed("what was acknowledged and not settled settles"):
        await payments.ended(last)
    with timed("chain, database, bank and vault say the same"):
        await books_are_whole(platform)
    store = open_store(url)
    (found,) = store.row(
        f"SELECT count(*) FROM transactions WHERE {store.among('id')}", (store.listed(payments.acknowledged),)
    )
    store.close()
    assert found == len(payments.acknowledged)
    print(f"  lost of {found} acknowledged: 0; out of service {time.monotonic() - lost_s:.1f} s, checks included")


async def _restored_too_far_back(platform: Platform, archive: Archive) -> None:
    """A database from before what the chain has settles nothing; what it lacks is named."""
    platform.supervisor.kill("worker", signal.SIGSTOP)
    with timed("restore to the point named noon"):
        await asyncio.to_thread(archive.restore, "recovery_target_name=noon")
    platform.supervisor.kill("worker")
    with timed("the worker refuses a database that is behind the chain"):
        log = Path(platform.supervisor.state("worker").log)
        async with asyncio.timeout(60):
            while "database_behind_chain" not in log.read_text():
                await asyncio.sleep(0.2)
    with timed("what the chain has and the database lacks is listed"):
        missing = await missing_batches(platform.settings)
    assert sum(one.items for one in missing) >= 10
    assert [one.number for one in missing] == list(range(missing[0].number, missing[0].number + len(missing)))
    books = await read_books(platform.settings, platform.region)
    dollars = next(one for one in books if one.token.symbol == "TXD")
    assert dollars.differing, "balances differ by what was paid since"
