"""The embedded chain by itself: how fast it settles batches that one plain key signed beforehand.

The same contracts and batch size as the platform's, with nothing else running: no signers, no worker, no database.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coincurve import PrivateKey
from eth_hash.auto import keccak

from sdt.adapters.chain.deploy import Deployment, deploy_region
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.batch import (
    BATCH_SETTLED_TOPIC,
    GENESIS_HEAD,
    AdminItem,
    BatchSettled,
    ValueItem,
    ValueKind,
    admin_gas_limit,
    administer_calldata,
    next_head,
    settle_calldata,
    value_gas_limit,
)
from sdt.domain.chain_tx import ChainTransaction, transaction_hash
from sdt.domain.region import Region
from sdt.domain.registry import NEVER_S, NOBODY, Domain, KeyWord, Role, pack_key_word

__all__ = ["ChainRates", "measure", "measure_at"]

CHAIN_ID = 1337
IN_FLIGHT = 4
DOLLAR = 0
EACH_UNITS = 1_000_000
MINTER = "0x" + "15" * 20


@dataclass(frozen=True, slots=True)
class ChainRates:
    """Transfers a second: hundreds in a chain transaction, and one in each."""

    batch_per_s: float
    single_per_s: float


class _Line:
    """The chain key, held whole here, and the place of the next batch."""

    def __init__(self) -> None:
        self._key = PrivateKey()
        self.address = "0x" + keccak(self._key.public_key.format(compressed=False)[1:])[12:].hex()
        self.settlement = ""
        self._number, self._head, self._nonce = 1, GENESIS_HEAD, 0

    def settle(self, items: Sequence[ValueItem]) -> bytes:
        return self._signed(settle_calldata(*self._place(), items), value_gas_limit(items))

    def administer(self, items: Sequence[AdminItem], tokens: int) -> bytes:
        return self._signed(administer_calldata(*self._place(), items), admin_gas_limit(items, tokens))

    def _place(self) -> tuple[int, bytes, bytes, int]:
        root = hashlib.sha256(self._number.to_bytes(8, "big")).digest()
        place = (self._number, self._head, root, int(time.time()) + 3600)
        self._head, self._number = next_head(self._head, self._number, root), self._number + 1
        return place

    def _signed(self, data: bytes, gas: int) -> bytes:
        unsigned = ChainTransaction(CHAIN_ID, self._nonce, self.settlement, data, gas, 0)
        self._nonce += 1
        signature = self._key.sign_recoverable(unsigned.signing_hash(), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return unsigned.raw(r, s, signature[64])


async def _send(reader: ChainReader, raws: Sequence[bytes], in_flight: int = IN_FLIGHT) -> None:
    """Send one after the other, so many on their way at once, until the last is in a block; every item must count."""
    room = asyncio.Semaphore(in_flight)
    waiting: set[asyncio.Task[None]] = set()
    for raw in raws:
        await room.acquire()
        await reader.call("eth_sendRawTransaction", "0x" + raw.hex())
        task = asyncio.create_task(_included(reader, transaction_hash(raw)))
        waiting.add(task)
        task.add_done_callback(lambda _: room.release())
    await asyncio.gather(*waiting)


async def _included(reader: ChainReader, tx_hash: bytes) -> None:
    receipt = await reader.receipt(tx_hash)
    while receipt is None:
        await asyncio.sleep(0.01)
        receipt = await reader.receipt(tx_hash)
    assert receipt.succeeded, "the contract refused the batch"
    (settled,) = (
        BatchSettled.from_log(log.topics, log.data) for log in receipt.logs if log.topics[0] == BATCH_SETTLED_TOPIC
    )
    assert settled.skipped == 0, "the contract skipped items"


async def _prepare(reader: ChainReader, line: _Line, region: Region, folder: Path, people: int) -> list[str]:
    """Deploy, and give each of so many accounts its dollars."""
    administrator = (bytes(32)[:-1] + b"\1", pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR)))
    deployment: Deployment = await deploy_region(
        reader, region, chain_key=line.address, administrators=[administrator], folder=folder
    )
    line.settlement = deployment.settlement
    accounts = [f"0x{1_000_000 + n:040x}" for n in range(people)]
    now_s = int(time.time())
    items: list[AdminItem] = []
    for n, account in enumerate(accounts):
        public_key = hashlib.sha256(account.encode()).digest()
        items.append(AdminItem.register(account, public_key, KeyWord(account, Role.CLIENT), f"person{n}"))
        items.append(AdminItem.identity(account, Domain.DOLLAR, 1, True, NEVER_S, bytes(32)))
    items.append(AdminItem.attest(DOLLAR, people * EACH_UNITS, now_s - 1, now_s + 86_400, 0))
    mint = [ValueItem(ValueKind.MINT, MINTER, account, EACH_UNITS, 0, DOLLAR) for account in accounts]
    await _send(reader, [line.administer(items[i : i + 100], len(region.tokens)) for i in range(0, len(items), 100)])
    await _send(reader, [line.settle(mint)])
    return accounts


def _transfers(accounts: Sequence[str], count: int, rng: random.Random) -> list[ValueItem]:
    pairs = [rng.sample(accounts, 2) for _ in range(count)]
    return [ValueItem(ValueKind.TRANSFER, payer, payee, 1, 0, DOLLAR) for payer, payee in pairs]


async def _rate(reader: ChainReader, raws: Sequence[bytes], transfers: int, in_flight: int) -> float:
    began = time.perf_counter()
    await _send(reader, raws, in_flight)
    return transfers / (time.perf_counter() - began)


async def measure_at(
    url: str,
    region: Region,
    folder: Path,
    *,
    people: int,
    batches: Sequence[int],
    singles: int,
    seed: int = 1,
    in_flight: int = IN_FLIGHT,
    singles_in_flight: int = IN_FLIGHT,
) -> ChainRates:
    """Settle batches of these sizes on the chain of a node, and return the rates."""
    line, rng = _Line(), random.Random(seed)
    async with ChainReader([url]) as reader:
        accounts = await _prepare(reader, line, region, folder, people)
        await _send(reader, [line.settle(_transfers(accounts, 500, rng)) for _ in range(3)])
        raws = [line.settle(_transfers(accounts, size, rng)) for size in batches]
        batch = await _rate(reader, raws, sum(batches), in_flight)
        single = 0.0
        if singles:
            raws = [line.settle(_transfers(accounts, 1, rng)) for _ in range(singles)]
            single = await _rate(reader, raws, singles, singles_in_flight)
        return ChainRates(batch, single)


def measure(
    folder: Path, region: Region, *, people: int, batches: Sequence[int], singles: int = 0, seed: int = 1
) -> ChainRates:
    """Start a fresh chain, settle batches of these sizes among so many accounts, and return the rates."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "sdt.adapters.chain.embedded", "--db", str(folder / "chain.db")]
    process = subprocess.Popen([*command, "--chain-id", str(CHAIN_ID)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline().split()[1])}"
        return asyncio.run(measure_at(url, region, folder, people=people, batches=batches, singles=singles, seed=seed))
    finally:
        process.terminate()
        process.wait()
