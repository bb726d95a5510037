"""Two settlement processes, of which one settles: killed, ended, stopped and woken, cut off from the database."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdt.domain.errors import Unavailable
from sdt.store import Store, open_store
from tcp_proxy import TcpProxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

SETTLER = Path(__file__).resolve().parents[1] / "settler.py"
LONG_S = 30.0
SHORT_S = 3.0
AT_ONCE_S = 10.0
"""How soon another settles when nothing has to run out; most of it is a busy machine's."""


@dataclass
class Settler:
    """One of them, with what it says."""

    process: asyncio.subprocess.Process

    async def says(self, word: str) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self.process.stdout.readline()).decode():
                if line.startswith(word):
                    return line.strip()
        raise AssertionError(f"it ended without saying {word}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


Start = Callable[[str, float], Awaitable[Settler]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start settlers, which end with the test."""
    started: list[Settler] = []

    async def start(url: str, lease_s: float) -> Settler:
        settler = Settler(
            await asyncio.create_subprocess_exec(
                sys.executable, SETTLER, url, str(lease_s), stdout=asyncio.subprocess.PIPE
            )
        )
        started.append(settler)
        await settler.says("waiting")
        return settler

    yield start
    for settler in started:
        with suppress(ProcessLookupError):
            settler.process.kill()
        await settler.process.wait()


def written(url: str) -> list[int]:
    """Return the epochs in which rows were written, in the order of writing."""
    store = open_store(url)
    try:
        return [epoch for (epoch,) in store.rows("SELECT at_ms FROM events ORDER BY seq")]
    finally:
        store.close()


def in_a_transaction(store: Store) -> bool:
    """Return whether somebody else has a database transaction open that may write."""
    if store.postgres:
        return bool(
            store.rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now()")
        )
    store.execute("PRAGMA busy_timeout = 100")
    try:
        with store.transaction():
            return False
    except Unavailable:
        return True


async def two(start: Start, url: str, lease_s: float) -> tuple[Settler, Settler]:
    """Start one that settles and one that waits."""
    first = await start(url, lease_s)
    assert await first.says("settling") == "settling 1"
    second = await start(url, lease_s)
    return first, second


async def after(second: Settler, began_s: float) -> float:
    """Wait until the second settles, and return how long that took."""
    assert await second.says("settling") == "settling 2"
    took_s = time.monotonic() - began_s
    print(f"the other settles after {took_s:.2f} s")
    return took_s


async def test_of_two_that_start_together_one_settles(start: Start, store_url: str) -> None:
    await asyncio.gather(start(store_url, SHORT_S), start(store_url, SHORT_S))
    # Longer than the lease: it is renewed.
    await asyncio.sleep(1.4 * SHORT_S)
    assert set(written(store_url)) == {1}


async def test_one_that_is_killed_is_followed_at_once(start: Start, store_url: str) -> None:
    first, second = await two(start, store_url, LONG_S)
    first.signal(signal.SIGKILL)
    assert await after(second, time.monotonic()) < AT_ONCE_S


async def test_one_that_is_told_to_end_hands_over(start: Start, store_url: str) -> None:
    first, second = await two(start, store_url, LONG_S)
    first.signal(signal.SIGTERM)
    assert await after(second, time.monotonic()) < AT_ONCE_S
    assert await first.says("ended") == "ended in order"


async def test_one_that_was_stopped_and_goes_on_writes_nothing_more(start: Start, store_url: str) -> None:
    # Given one that is stopped in the middle of its work, which keeps its connections and its locks
    first, second = await two(start, store_url, SHORT_S)
    while not written(store_url):
        await asyncio.sleep(0.05)
    # Not within a database transaction: what that does is for the database's own time-outs to end.
    store = open_store(store_url)
    first.signal(signal.SIGSTOP)
    while in_a_transaction(store):
        first.signal(signal.SIGCONT)
        await asyncio.sleep(0.01)
        first.signal(signal.SIGSTOP)
    store.close()
    # When its lease has run out and the other settles
    await after(second, time.monotonic())
    before = len(written(store_url))
    # When it is woken, then it ends, and nothing of it stands after the other's first row
    first.signal(signal.SIGCONT)
    assert await first.says("ended") in ("ended lease_lost", "ended lease_unsure")
    await asyncio.sleep(0.3)
    epochs = written(store_url)
    assert epochs == sorted(epochs) and set(epochs) == {1, 2}
    assert len(epochs) > before


async def test_one_that_is_cut_off_from_the_database_is_followed_when_its_lease_has_run_out(
    start: Start, postgres_store_url: str
) -> None:
    address, _, name = postgres_store_url.rpartition("/")
    async with TcpProxy(int(address.rpartition(":")[2])) as proxy:
        # Given one that reaches the database over a network, and one beside it
        first = await start(f"{address.rpartition(':')[0]}:{proxy.port}/{name}", SHORT_S)
        assert await first.says("settling") == "settling 1"
        second = await start(postgres_store_url, SHORT_S)
        # When that network swallows everything, while the server believes in its sessions
        proxy.set("hole")
        # Then the other settles once the lease has run out
        assert await after(second, time.monotonic()) > SHORT_S / 2
        # And when the network is there again, the first has lost it
        proxy.set("pass")
        assert await first.says("ended") in ("ended lease_lost", "ended lease_unsure")
    epochs = written(postgres_store_url)
    assert epochs == sorted(epochs) and set(epochs) == {1, 2}
