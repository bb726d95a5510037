"""kill -9 of the embedded chain under load, again and again on one file."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from chain_node import KEEPER, ChainNode, Sender, creating, mined, send, words
from sdt.adapters.chain.errors import ChainRefused, ChainUnavailable
from sdt.adapters.chain.reader import Block, ChainReader, Receipt
from sdt.domain.chain_tx import transaction_hash

pytestmark = pytest.mark.slow

KILLS = 12


class Witness:
    """What clients have been shown."""

    def __init__(self) -> None:
        self.blocks: dict[int, Block] = {}
        self.receipts: dict[bytes, Receipt] = {}

    async def look(self, reader: ChainReader) -> None:
        known = max(self.blocks, default=-1)
        for block in await reader.blocks(known + 1, await reader.block_number()):
            receipts = await reader.receipts(block.number)
            self.receipts |= {receipt.tx_hash: receipt for receipt in receipts}
            self.blocks[block.number] = block

    async def watch(self, reader: ChainReader) -> None:
        while True:
            await self.look(reader)
            await asyncio.sleep(0.005)


async def load(reader: ChainReader, sender: Sender, keeper: str) -> None:
    """Write the nonce into slot nonce % 16, as fast as the node takes it."""
    while True:
        nonce = sender.nonce
        await send(reader, sender.signed(keeper, words(nonce % 16, nonce)))


def place(receipt: Receipt) -> tuple[int, int]:
    return receipt.block_number, receipt.position


async def check(reader: ChainReader, witness: Witness, senders: list[tuple[Sender, str]], first: int) -> None:
    """Everything shown since block `first` is there, and state is what the surviving transactions make it."""
    last = max(witness.blocks)
    assert await reader.block_number() >= last
    assert await reader.blocks(first, last) == [witness.blocks[n] for n in range(first, last + 1)]
    shown = [receipt for receipt in witness.receipts.values() if receipt.block_number >= first]
    assert await reader.receipts_of([r.tx_hash for r in shown]) == shown
    await check_state(reader, senders)


async def check_state(reader: ChainReader, senders: list[tuple[Sender, str]]) -> None:
    """State is what the surviving transactions make it."""
    for sender, keeper in senders:
        nonce = await reader.nonce(sender.address)
        held = await reader.eth_calls([(keeper, words(slot)) for slot in range(16)])
        for slot in range(16):
            written = [n for n in range(1, nonce) if n % 16 == slot]
            assert held[slot] == words(written[-1] if written else 0)
        sender.nonce = nonce


async def test_no_block_that_was_shown_is_lost(tmp_path: Path) -> None:
    # given a node with two senders writing without pause
    rng = random.Random(20)
    node = ChainNode(tmp_path / "chain.sqlite", "--gather-ms", "3", "--idle-s", "0")
    witness = Witness()
    with node:
        async with ChainReader([node.url], timeout_s=2) as reader:
            senders = []
            for sender in (Sender(1), Sender(2)):
                made = await mined(reader, await send(reader, sender.signed(None, creating(KEEPER))))
                assert made.contract is not None
                senders.append((sender, made.contract))
            for _ in range(KILLS):
                before = max(witness.blocks, default=0)
                tasks = [asyncio.create_task(load(reader, *each)) for each in senders]
                tasks.append(asyncio.create_task(witness.watch(reader)))
                await asyncio.sleep(rng.uniform(0.05, 0.2))
                # when it is killed
                node.kill()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(error, ChainUnavailable | ChainRefused) for error in ended), ended
                # then it opens again with every block that was shown
                node.start()
                await check(reader, witness, senders, before)
                await witness.look(reader)
                assert max(witness.blocks) > before
            # and all of it is there at the end, and it goes on
            await check(reader, witness, senders, 0)
            logs = [log for r in sorted(witness.receipts.values(), key=place) for log in r.logs]
            assert await reader.logs(0, max(witness.blocks)) == logs
            sender, keeper = senders[0]
            receipt = await mined(reader, await send(reader, sender.signed(keeper, words(1, 1))))
            assert receipt.succeeded
    assert len(witness.receipts) > 50


async def test_a_restart_keeps_the_chain_and_forgets_the_pool(tmp_path: Path) -> None:
    with ChainNode(tmp_path / "chain.sqlite", "--gather-ms", "1") as node:
        async with ChainReader([node.url]) as reader:
            sender = Sender(1)
            made = await mined(reader, await send(reader, sender.signed(None, creating(KEEPER))))
            assert made.contract is not None
            ahead = sender.signed(made.contract, words(1, 9), nonce=2)
            await send(reader, ahead)
            head = await reader.block()
            # when it is asked to stop
            assert node.stop() == 0
            log = tmp_path / "chain.sqlite-wal"
            assert not log.exists() or log.stat().st_size == 0
            node.start()
            # then the chain is as it was, what waited is gone, and may be sent again
            assert await reader.block(head.number) == head
            assert await reader.code(made.contract) == KEEPER
            assert await reader.call("eth_getTransactionByHash", "0x" + transaction_hash(ahead).hex()) is None
            await send(reader, ahead)
            await send(reader, sender.signed(made.contract, words(1, 8), nonce=1))
            await mined(reader, transaction_hash(ahead))
            assert await reader.storage_at(made.contract, 1) == words(9)


async def test_a_file_of_another_chain_is_refused(tmp_path: Path) -> None:
    with ChainNode(tmp_path / "chain.sqlite") as node:
        node.stop()
    with pytest.raises(AssertionError, match="did not start"):
        ChainNode(tmp_path / "chain.sqlite", "--chain-id", "7").start()
