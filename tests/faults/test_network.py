"""Payments on a real network of geth nodes that are killed, cut apart, outnumbered, flooded and lied for.

Clique is not QBFT: here blocks are really replaced by others, which QBFT never does and a careful follower bears.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from coincurve import PrivateKey

import geth
from lying_node import LyingNode
from sdt.adapters.chain.transport import Transport
from sdt.demo.crowd import Crowd, gather_crowd
from sdt.domain.chain_tx import ChainTransaction
from sdt.local.books import settled_books
from sdt.local.joining import Chain, chain_of
from sdt.local.platform import Platform, running
from sdt.network import Plan, Wanted, add_validator, create, load_plan, start, status, stop
from sdt.network.running import kill
from sdt.store import Store, open_store, transactions
from settled import balances_after, check_books

SEED = int(os.environ.get("SDT_FAULT_SEED", "20261"))
KILLING_S = 60 * float(os.environ.get("SDT_NETWORK_MINUTES", "1"))
"""How long nodes are killed for; half an hour by hand, a minute in CI."""
KILL_EVERY_S = 60.0 if KILLING_S > 300 else 15.0
PEOPLE = 8
EACH_UNITS = 200_000
IN_A_REQUEST = 10
CUTS_MAX = 4
POOL = 1_024
FLOOD = 1_500
"""More than a pool holds, and no more than six nodes on two cores execute in a moment."""


@dataclass
class Paying:
    """People who pay all the while, and what they were told."""

    crowd: Crowd
    rng: random.Random
    before: dict[str, int] = field(default_factory=dict)
    messages: dict[str, bytes] = field(default_factory=dict)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send a request every half second until told to stop; every one is acknowledged in the end."""
        while not self.stop.is_set():
            ids = await self.crowd.new_ids(IN_A_REQUEST)
            messages = self.crowd.payments(ids, self.rng, units=3)
            sent = await self.crowd.send(ids, messages)
            for id_, message, answer in zip(ids, messages, sent.answers, strict=True):
                assert answer["http_status"] in (200, 202), answer
                self.messages[id_] = message
            await asyncio.sleep(0.5)

    async def until_settled(self, ids: Sequence[str], timeout_s: float) -> None:
        """Wait until all of these are completed."""
        for id_ in ids:
            found = await self.crowd.ended(id_, timeout_s=timeout_s)
            assert found["status"] == "completed", found

    async def some_settle(self, timeout_s: float = 60) -> None:
        """Wait until what was sent up to now is completed."""
        await self.until_settled(list(self.messages)[-IN_A_REQUEST:], timeout_s)


@asynccontextmanager
async def a_platform(home: Path, chain: Chain) -> AsyncIterator[tuple[Platform, Paying]]:
    """A platform on a chain, whose people pay while the body does harm; at the end the books are held together."""
    async with running(home, chain=chain) as platform:
        crowd = await gather_crowd(home, platform.network, PEOPLE, each_units=EACH_UNITS)
        paying = Paying(crowd, random.Random(SEED))
        paying.before = {who.account: await who.balance("TXD") for who in crowd.people}
        task = asyncio.create_task(paying.run())
        try:
            yield platform, paying
        finally:
            paying.stop.set()
        await task
        await nothing_lost_nothing_twice(platform, paying)
        await crowd.close()


async def nothing_lost_nothing_twice(platform: Platform, paying: Paying) -> None:
    ids = list(paying.messages)
    store = open_store(platform.settings.database.url)
    try:
        await until_nothing_waits(platform, store)
        assert Counter(row.status for row in transactions.get_many(store, ids).values()) == {"completed": len(ids)}
        check_books(store)
    finally:
        store.close()
    after = {who.account: await who.balance("TXD") for who in paying.crowd.people}
    assert after == balances_after(paying.before, paying.messages.values())
    books = await settled_books(platform.settings, platform.region)
    assert all(one.agree and one.covered for one in books), books
    print(f"{len(ids)} payments, each settled once")


async def until_nothing_waits(platform: Platform, store: Store) -> None:
    """Wait until every transaction has ended; a message taken in and never ended is a lost one."""
    deadline = time.monotonic() + 180
    while waiting := await store.read(transactions.counts_by_status):
        if time.monotonic() > deadline:
            log = Path(platform.supervisor.state("worker").log).read_text()
            pytest.fail(f"{waiting} wait and nothing moves; health {await health(platform)}; worker: {log[-3000:]}")
        await asyncio.sleep(0.5)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdt.network.clients.POOL_SLOTS", POOL)
    monkeypatch.setenv("SDT_ENV", "test")
    monkeypatch.setenv("SDT_CHAIN__STALLED_AFTER_S", "12")
    monkeypatch.setenv("SDT_CHAIN__REQUEST_TIMEOUT_S", "3")
    monkeypatch.setenv("SDT_SIGNING__STOCK_PER_PAIR", "200")
    monkeypatch.setenv("SDT_SIGNING__STOCK_PER_PAIR_MIN", "100")


@asynccontextmanager
async def a_network(folder: Path, nodes: int, validators: int | None = None) -> AsyncIterator[Plan]:
    plan = create(folder, Wanted("geth", nodes=nodes, validators=validators, binary=geth.binary()))
    try:
        await start(folder)
        yield plan
    finally:
        await stop(folder)


async def health(platform: Platform) -> dict[str, Any]:
    url = f"http://127.0.0.1:{platform.settings.worker.port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def eventually_health(platform: Platform, state: str, within_s: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + within_s
    while (found := await health(platform))["chain"] != state:
        assert time.monotonic() < deadline, f"health never said {state}: {found}"
        await asyncio.sleep(0.5)
    return found


async def cut(plan: Plan, some: Sequence[int], others: Sequence[int]) -> None:
    """Part the nodes: neither side dials the other any more."""
    for side, far in ((some, others), (others, some)):
        for i in side:
            async with Transport([plan.nodes[i].url]) as node:
                for j in far:
                    await node.call("admin_removePeer", plan.nodes[j].enode("127.0.0.1", plan.nodes[j].p2p_port))


async def join(plan: Plan, some: Sequence[int], others: Sequence[int]) -> None:
    for i in some:
        async with Transport([plan.nodes[i].url]) as node:
            for j in others:
                await node.call("admin_addPeer", plan.nodes[j].enode("127.0.0.1", plan.nodes[j].p2p_port))


async def flood(url: str, chain_id: int, count: int) -> None:
    """Fill a node's pool with other people's transactions."""
    requests = []
    for _ in range(count):
        key = PrivateKey()
        unsigned = ChainTransaction(chain_id, 0, "0x" + os.urandom(20).hex(), b"", 21_000)
        signature = key.sign_recoverable(unsigned.signing_hash(), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        requests.append(("eth_sendRawTransaction", ["0x" + unsigned.raw(r, s, signature[64]).hex()]))
    async with Transport([url], timeout_s=120) as node:
        answers = await node.batch_answers(requests)
    assert sum("result" in answer for answer in answers) > count / 2


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_network_that_is_killed_cut_apart_outnumbered_and_grown(quick: None, tmp_path: Path) -> None:
    folder = tmp_path / "network"
    async with a_network(folder, 5) as plan, a_platform(tmp_path / "home", chain_of(plan)) as (platform, paying):
        # A node, the one that the worker reads, is killed and comes back: payments go on meanwhile.
        await paying.some_settle()
        kill(folder, "node-1")
        await asyncio.sleep(2)
        await paying.some_settle()
        await start(folder, ["node-1"])

        # Most are killed: the chain stops and health says so; nothing is lost, and with them back it goes on.
        for name in ("node-2", "node-3", "node-4"):
            kill(folder, name)
        found = await eventually_health(platform, "stalled")
        assert not found["ok"] and any("stopped" in problem for problem in found["problems"])
        assert (await status(folder)).state in ("slow", "stalled")
        await start(folder, ["node-2", "node-3", "node-4"])
        await eventually_health(platform, "ok", within_s=120)
        await paying.some_settle()

        # The network is cut, and what the worker reads is the smaller part: its blocks are replaced.
        for _ in range(CUTS_MAX):
            # A fresh worker reads the first node.
            platform.supervisor.kill("worker")
            await platform.supervisor.ready("worker")
            await asyncio.sleep(2)
            await cut(plan, [0, 1], [2, 3, 4])
            await asyncio.sleep(8)
            await join(plan, [0, 1], [2, 3, 4])
            await paying.some_settle()
            if "left the chain" in Path(platform.supervisor.state("worker").log).read_text():
                break
        else:
            pytest.fail("no block was replaced: this proves nothing")

        # A State joins, and then the validators are six.
        newcomer = await add_validator(folder)
        assert newcomer.address in (await status(folder)).validators
        assert len(load_plan(folder).validators) == 6
        await paying.some_settle()

        # The pool is flooded by others.
        await flood(plan.nodes[4].url, plan.chain_id, FLOOD)
        await paying.some_settle(timeout_s=90)


@pytest.mark.slow
@pytest.mark.timeout(300 + KILLING_S)
async def test_a_node_is_killed_again_and_again(quick: None, tmp_path: Path) -> None:
    folder, rng = tmp_path / "network", random.Random(SEED)
    async with a_network(folder, 4, validators=3) as plan, a_platform(tmp_path / "home", chain_of(plan)) as _:
        kills, until = 0, time.monotonic() + KILLING_S
        while time.monotonic() < until:
            victim = rng.choice(plan.nodes).name
            kill(folder, victim)
            kills += 1
            await asyncio.sleep(rng.uniform(1, 4))
            await start(folder, [victim], wait=False)
            await asyncio.sleep(max(0.0, KILL_EVERY_S - 4))
        assert kills >= 2
        print(f"{kills} nodes killed in {KILLING_S:.0f} s")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_node_that_leaves_out_what_settled_holds_nobody_up(quick: None, tmp_path: Path) -> None:
    folder = tmp_path / "network"
    async with a_network(folder, 2, validators=1) as plan, LyingNode(plan.nodes[1].url) as liar:
        # The worker and the first location read the liar first: names are sorted.
        honest = chain_of(plan)
        chain = Chain(
            {"a-liar": liar.url, "node-1": plan.nodes[0].url},
            honest.chain_id,
            honest.finality_blocks,
            honest.block_gas_limit,
        )
        async with a_platform(tmp_path / "home", chain) as (platform, paying):
            await paying.some_settle()
            hidden = 0

            def no_logs(method: str, params: list[Any], result: Any) -> Any:
                nonlocal hidden
                hidden += method == "eth_getLogs" and bool(result)
                return [] if method == "eth_getLogs" else result

            liar.change = no_logs
            await asyncio.sleep(1)
            await paying.some_settle()
            assert hidden, "nothing was hidden from anybody"

            # And one that hides the batches themselves, after the worker was made to read it again.
            def no_transactions(method: str, params: list[Any], result: Any) -> Any:
                if method.startswith("eth_getBlockBy") and result:
                    return {**result, "transactions": []}
                return None if method == "eth_getTransactionReceipt" else result

            liar.change = no_transactions
            platform.supervisor.kill("worker")
            await platform.supervisor.ready("worker")
            await asyncio.sleep(1)
            await paying.some_settle(timeout_s=90)
            log = Path(platform.supervisor.state("worker").log).read_text()
            assert "leaves batch" in log or "passed over" in log
