"""What a chain node answers: the embedded chain, and the geth that GoQuorum is made of, under the same tests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import aiohttp
import pytest

from chain_node import CHAIN_ID, KEEPER, REASON, REVERTER, ChainNode, Sender, creating, mined, send, words
from geth import GethNode, node_of
from sdt.adapters.chain.errors import BlockMissing, CallReverted, ChainRefused
from sdt.adapters.chain.reader import ChainReader, Receipt
from sdt.domain.chain_tx import contract_address, transaction_hash

pytestmark = pytest.mark.slow

ONE = (1).to_bytes(32, "big")


@pytest.fixture(scope="module", params=["embedded", "geth"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode | GethNode]:
    with node_of(request.param, tmp_path_factory.mktemp("chain"), "--gather-ms", "5") as running:
        yield running


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode]:
    """Our own server, for what no other need answer alike: malformed requests."""
    with ChainNode(tmp_path_factory.mktemp("chain") / "chain.sqlite", "--gather-ms", "5") as running:
        yield running


@pytest.fixture
async def reader(node: ChainNode | GethNode) -> AsyncIterator[ChainReader]:
    async with ChainReader([node.url]) as found:
        yield found


_seeds = iter(range(1, 1000))


@pytest.fixture
def sender() -> Sender:
    return Sender(next(_seeds))


async def keeper(reader: ChainReader, sender: Sender) -> str:
    receipt = await mined(reader, await send(reader, sender.signed(None, creating(KEEPER))))
    assert receipt.succeeded and receipt.contract is not None
    return receipt.contract


async def refusal(reader: ChainReader, raw: bytes) -> str:
    with pytest.raises(ChainRefused) as refused:
        await reader.call("eth_sendRawTransaction", "0x" + raw.hex())
    assert refused.value.rpc_code == -32000
    return refused.value.message


async def test_a_contract_is_created_written_and_read(reader: ChainReader, sender: Sender) -> None:
    # given a contract at the address that its creator and nonce foretell
    address = await keeper(reader, sender)
    assert address == contract_address(sender.address, 0)
    assert await reader.code(address) == KEEPER
    # when a transaction writes
    before = await reader.block_number()
    receipt = await mined(reader, await send(reader, sender.signed(address, words(7, 42))))
    # then receipt, log, storage, call and counts tell it
    (log,) = receipt.logs
    assert receipt.succeeded and receipt.block_number > before
    assert (log.address, log.topics, log.data) == (address, (ONE, words(7)), words(42))
    assert await reader.storage_at(address, 7) == words(42)
    assert await reader.eth_call(address, words(7)) == words(42)
    assert await reader.nonce(sender.address) == 2
    block = await reader.block(receipt.block_number)
    assert receipt.tx_hash in block.transactions and block == await reader.block(block.hash)
    assert receipt in await reader.receipts(block) == await reader.receipts(block.number)
    # and state at the block before is as it was
    assert await reader.eth_call(address, words(7), receipt.block_number - 1) == words(0)
    assert await reader.storage_at(address, 7, block.parent_hash) == words(0)
    assert await reader.nonce(sender.address, receipt.block_number - 1) == 1


async def test_what_it_is(reader: ChainReader) -> None:
    assert await reader.chain_id() == CHAIN_ID
    assert await reader.call("net_version") == str(CHAIN_ID)
    assert (await reader.call("web3_clientVersion")).startswith(("sdt-embedded/", "Geth/v1.10.3"))
    assert await reader.call("eth_syncing") is False
    assert await reader.peer_count() == 0
    assert await reader.balance_wei("0x" + "11" * 20) == 0
    genesis = await reader.block("earliest")
    assert genesis.number == 0 and genesis.parent_hash == bytes(32) and genesis == await reader.block(0)


async def test_a_missing_block_is_missing(reader: ChainReader) -> None:
    for wanted in (10**9, bytes(32)):
        with pytest.raises(BlockMissing):
            await reader.block(wanted)
        with pytest.raises(BlockMissing):
            await reader.receipts(wanted)
    with pytest.raises(ChainRefused, match="header not found"):
        await reader.nonce("0x" + "11" * 20, 10**9)
    assert await reader.receipt(bytes(32)) is None
    assert await reader.call("eth_getTransactionByHash", "0x" + "00" * 32) is None


async def test_a_revert_carries_the_reason(reader: ChainReader, sender: Sender) -> None:
    receipt = await mined(reader, await send(reader, sender.signed(None, creating(REVERTER))))
    assert receipt.contract is not None
    with pytest.raises(CallReverted) as reverted:
        await reader.eth_call(receipt.contract, b"")
    assert reverted.value.message == "execution reverted: no"
    assert reverted.value.data == "0x" + REASON.hex()
    with pytest.raises(CallReverted):
        await reader.estimate_gas(receipt.contract, b"")
    # a transaction that reverts is mined, fails, and its nonce is spent
    failed = await mined(reader, await send(reader, sender.signed(receipt.contract)))
    assert not failed.succeeded and failed.logs == ()
    assert await reader.nonce(sender.address) == 2


async def test_an_estimate_suffices_and_is_close(reader: ChainReader, sender: Sender) -> None:
    address = await keeper(reader, sender)
    gas = await reader.estimate_gas(address, words(1, 5), sender=sender.address)
    receipt = await mined(reader, await send(reader, sender.signed(address, words(1, 5), gas=gas)))
    assert receipt.succeeded and receipt.gas_used <= gas <= receipt.gas_used * 1.05
    short = await mined(reader, await send(reader, sender.signed(address, words(2, 5), gas=receipt.gas_used - 1)))
    assert not short.succeeded and short.gas_used == receipt.gas_used - 1


async def test_refusals_speak_as_geth(reader: ChainReader, sender: Sender) -> None:
    target = "0x" + "22" * 20
    first = sender.signed(target)
    await mined(reader, await send(reader, first))
    assert await refusal(reader, first) == "nonce too low"
    assert await refusal(reader, sender.signed(target, b"other", nonce=0)) == "nonce too low"
    assert await refusal(reader, sender.signed(target, gas=20_999, nonce=1)) == "intrinsic gas too low"
    assert await refusal(reader, sender.signed(target, gas=120_000_001, nonce=1)) == "exceeds block gas limit"
    assert await refusal(reader, sender.signed(target, chain_id=1, nonce=1)) == "invalid sender"
    assert await refusal(reader, sender.signed(target, b"\1" * 131_072, nonce=1)) == "oversized data"
    poor = "insufficient funds for gas * price + value"
    assert await refusal(reader, sender.signed(target, gas_price_wei=1, nonce=1)) == poor
    assert await refusal(reader, sender.signed(target, value_wei=1, nonce=1)) == poor
    # Malformed bytes are refused by both, each in its own words.
    await refusal(reader, first + b"\0")
    await refusal(reader, b"\x02" + first)


async def test_a_gap_in_nonces_waits(reader: ChainReader, sender: Sender) -> None:
    # given a transaction ahead of its turn
    target = "0x" + "22" * 20
    first, second, third = (sender.signed(target, nonce=n) for n in range(3))
    await send(reader, third)
    await send(reader, second)
    assert await refusal(reader, third) == "already known"
    assert await refusal(reader, sender.signed(target, b"x", nonce=2)) == "replacement transaction underpriced"
    await asyncio.sleep(0.1)
    # then it waits, and counts in no total
    assert await reader.receipt(transaction_hash(third)) is None
    assert await reader.nonce(sender.address, "pending") == 0
    pending = await reader.call("eth_getTransactionByHash", "0x" + transaction_hash(third).hex())
    assert pending["blockNumber"] is None and pending["from"] == sender.address
    # when the gap is filled all go, in order
    await send(reader, first)
    receipts = [await mined(reader, transaction_hash(raw)) for raw in (first, second, third)]
    places = [(r.block_number, r.position) for r in receipts]
    assert places == sorted(places) and all(r.succeeded for r in receipts)
    assert await reader.nonce(sender.address, "pending") == 3


async def test_several_senders_share_blocks(reader: ChainReader) -> None:
    # given that of each sender the first comes last, so that the others wait for it in the pool and then go with it
    senders = [Sender(next(_seeds)) for _ in range(8)]
    address = await keeper(reader, senders[0])
    raws = [[s.signed(address, words(100 + i, n), gas=100_000) for n in range(5)] for i, s in enumerate(senders)]
    later = await asyncio.gather(*(send(reader, raw) for of_one in raws for raw in of_one[1:]))
    firsts = await asyncio.gather(*(send(reader, of_one[0]) for of_one in raws))
    # then a block holds many, and each sender's last word stands
    receipts = [await mined(reader, h) for h in firsts + later]
    assert all(r.succeeded for r in receipts)
    assert len({r.block_number for r in receipts}) < len(receipts)
    for i in range(len(senders)):
        assert await reader.storage_at(address, 100 + i) == words(4)


async def test_logs_agree_with_receipts(reader: ChainReader, sender: Sender) -> None:
    # given two contracts and logs of each over several blocks
    one, other = await keeper(reader, sender), await keeper(reader, sender)
    receipts: list[Receipt] = []
    polled = await reader.call("eth_newFilter", {"address": other})
    for n in range(4):
        raws = [sender.signed(one, words(n, 1)), sender.signed(other, words(n, 2)), sender.signed(one, words(9, n))]
        hashes = [await send(reader, raw) for raw in raws]
        receipts += [await mined(reader, h) for h in hashes]
    first, last = receipts[0].block_number, receipts[-1].block_number
    everything = [log for n in range(first, last + 1) for r in await reader.receipts(n) for log in r.logs]
    # then every filter gives exactly the receipts' logs that match, in their order
    assert await reader.logs(first, last) == everything
    for addresses in ([], [one], [other], [one, other], ["0x" + "99" * 20]):
        for topics in ([], [ONE], [None, words(9)], [ONE, [words(1), words(9)]], [words(5)], [None, None, ONE]):
            want = [
                log
                for log in everything
                if (not addresses or log.address in addresses)
                and len(topics) <= len(log.topics)
                and all(t is None or log.topics[i] in (t if isinstance(t, list) else [t]) for i, t in enumerate(topics))
            ]
            assert await reader.logs(first, last, addresses=addresses, topics=topics) == want
    # A geth that seals tells its filters of some logs twice, and of those that it took back.
    changes: dict[tuple[str, str], object] = {}
    for log in await reader.call("eth_getFilterChanges", polled):
        if log["removed"]:
            changes.pop((log["blockHash"], log["logIndex"]), None)
        else:
            changes[log["blockHash"], log["logIndex"]] = log
    assert list(changes.values()) == await reader.call("eth_getLogs", {"fromBlock": hex(first), "address": other})
    assert await reader.call("eth_getFilterChanges", polled) == []
    block = await reader.block(last)
    assert await reader.logs(block.hash) == [log for log in everything if log.block_number == last]
    assert await reader.logs(last + 10**6, last + 10**6 + 5) == []
    indices = [log.index for log in everything if log.block_number == last]
    assert indices == list(range(len(indices)))


async def test_block_time_is_real_and_never_goes_back(reader: ChainReader, sender: Sender) -> None:
    for _ in range(12):
        await mined(reader, await send(reader, sender.signed("0x" + "22" * 20)))
    blocks = await reader.blocks(0, await reader.block_number())
    times = [b.timestamp_s for b in blocks]
    assert times == sorted(times)
    assert times[-1] <= time.time() < times[-1] + 3
    assert all(child.parent_hash == parent.hash for parent, child in pairwise(blocks))


async def test_a_proof_leads_from_the_state_root(reader: ChainReader, sender: Sender) -> None:
    from eth_hash.auto import keccak
    from trie import HexaryTrie

    address = await keeper(reader, sender)
    for n in range(20):
        last = await send(reader, sender.signed(address, words(n, n + 1)))
    block = await reader.block((await mined(reader, last)).block_number)
    found = await reader.call("eth_getProof", address, ["0x5", "0x63"], hex(block.number))

    def proven(root: bytes, key: bytes, nodes: list[str]) -> bytes:
        import rlp

        return HexaryTrie.get_from_proof(root, keccak(key), [rlp.decode(bytes.fromhex(n[2:])) for n in nodes])

    account = proven(block.state_root, bytes.fromhex(address[2:]), found["accountProof"])
    assert bytes.fromhex(found["storageHash"][2:]) in account
    root = bytes.fromhex(found["storageHash"][2:])
    present, absent = found["storageProof"]
    assert proven(root, words(5), present["proof"]) == b"\x06" and present["value"] == "0x6"
    assert proven(root, words(0x63), absent["proof"]) == b"" and absent["value"] == "0x0"


# JSON-RPC itself


async def post(url: str, body: bytes) -> tuple[int, object]:
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
        raw = await response.read()
        return response.status, json.loads(raw) if raw else None


async def test_error_objects(embedded: ChainNode) -> None:
    async def code(body: object) -> int:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = await post(embedded.url, encoded)
        assert status == 200 and isinstance(answer, dict) and answer["jsonrpc"] == "2.0"
        return int(answer["error"]["code"])

    def asking(method: object, *params: object) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

    assert await code(b"{") == -32700
    assert await code([]) == -32600
    assert await code(5) == -32600
    assert await code(asking(5)) == -32600
    assert await code(asking("eth_feeHistory", "0x1", "latest", [])) == -32601
    assert await code({**asking("eth_chainId"), "params": {}}) == -32602
    assert await code(asking("eth_chainId", 1)) == -32602
    assert await code(asking("eth_getBalance", "0x12", "latest")) == -32602
    assert await code(asking("eth_getBalance", "0x" + "11" * 20, "newest")) == -32602
    assert await code(asking("eth_getBlockByNumber", "0x0", "yes")) == -32602
    assert await code(asking("eth_call", "0x", "latest")) == -32602
    assert await code(asking("eth_sendRawTransaction", "0xzz")) == -32602
    assert await code(asking("eth_getLogs", {"topics": [["0x01"]]})) == -32602


async def test_batches(embedded: ChainNode) -> None:
    requests = [
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": 7, "method": "nothing"},
        3,
    ]
    status, answers = await post(embedded.url, json.dumps(requests).encode())
    assert status == 200 and isinstance(answers, list)
    assert [a["id"] for a in answers] == ["a", 7, None]
    assert answers[0]["result"] == hex(CHAIN_ID) and answers[1]["error"]["code"] == -32601
    many = [{"jsonrpc": "2.0", "id": i, "method": "eth_chainId"} for i in range(1001)]
    _, answer = await post(embedded.url, json.dumps(many).encode())
    assert isinstance(answer, dict) and answer["error"]["code"] == -32600


async def test_oversize_bodies(embedded: ChainNode) -> None:
    status, _ = await post(embedded.url, b" " * (5 * 1024 * 1024 + 1))
    assert status == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b" " * 1024 * 1024

    async with aiohttp.ClientSession() as session, session.post(embedded.url, data=endless()) as response:
        assert response.status == 413
    async with ChainReader([embedded.url]) as reader:
        assert await reader.chain_id() == CHAIN_ID


async def test_methods_of_other_verbs(embedded: ChainNode) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(embedded.url) as response:
            assert response.status == 405
        async with session.get(embedded.url + "/health") as response:
            assert response.status == 200


async def test_deep_nesting_does_not_end_the_node(embedded: ChainNode) -> None:
    for opening in (b"[", b'{"a":'):
        _, answer = await post(embedded.url, opening * 500_000)
        assert isinstance(answer, dict) and answer["error"]["code"] == -32700
    async with ChainReader([embedded.url]) as reader:
        assert await reader.chain_id() == CHAIN_ID
