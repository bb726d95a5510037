"""A second worker beside a whole platform: it waits, and takes over the lane when the first is killed."""

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
from pathlib import Path
from typing import Any

import pytest

from ports import free_port
from sdt.demo.crowd import Crowd, gather_crowd
from sdt.local.books import settled_books
from sdt.local.platform import running, settings_of
from sdt.store import open_store
from settled import check_books


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small platform with short banking days."""
    monkeypatch.setenv("SDT_ENV", "test")
    monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")


def health(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        found = json.load(error)
    except OSError:
        found = {"lane": {"role": "absent"}}
    return found


async def until(port: int, role: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.to_thread(health, port)
            if found["lane"]["role"] == role:
                return found
            await asyncio.sleep(0.05)


async def pay(crowd: Crowd, payments: int, seed: int) -> None:
    """Pay, and see every payment through."""
    ids = await crowd.new_ids(payments)
    await crowd.send(ids, crowd.payments(ids, random.Random(seed), units=5))
    ended = [await crowd.ended(id_) for id_ in ids]
    assert {one["status"] for one in ended} == {"completed"}


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_second_worker_takes_over_and_the_books_stay_whole(quick: None, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with running(home) as platform:
        # Given a platform that settles, and a second worker of it
        crowd = await gather_crowd(home, platform.network, 4, each_units=10_000)
        await pay(crowd, 20, 1)
        first_port, second_port = settings_of(home).worker.port, free_port()
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sdt.worker", "--home", str(home),
            env={**os.environ, "SDT_WORKER__PORT": str(second_port)},
        )  # fmt: skip
        try:
            waiting = await until(second_port, "standby")
            assert waiting["ok"]
            assert waiting["lane"]["holder"] == health(first_port)["lane"]["process"]

            # When the first is killed, then the second settles
            began_s = time.monotonic()
            platform.supervisor.kill("worker")
            assert (await until(second_port, "settling"))["lane"]["epoch"] == waiting["lane"]["epoch"] + 1
            print(f"the second worker settles {time.monotonic() - began_s:.2f} s after the first was killed")
            await pay(crowd, 20, 2)

            # And the first, started again, waits until the second ends in order
            await until(first_port, "standby")
            second.send_signal(signal.SIGTERM)
            assert await second.wait() == 0
            await until(first_port, "settling")
            await pay(crowd, 20, 3)
        finally:
            if second.returncode is None:
                second.kill()
        books = await settled_books(platform.settings, platform.region)
        assert all(one.agree and one.covered for one in books), books
        await crowd.close()
        store = open_store(platform.settings.database.url)
        check_books(store)
        store.close()
