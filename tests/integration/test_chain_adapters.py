"""Reader, client and follower against real nodes, and against things that are none."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chain_node import KEEPER, ChainNode, Sender, creating, mined, send, words
from geth import GethNode, node_of
from ports import free_port
from sdt.adapters.chain.answers import Block
from sdt.adapters.chain.client import ChainClient
from sdt.adapters.chain.errors import BlockMissing, ChainRefused, ChainUnavailable
from sdt.adapters.chain.follow import ChainForked, Happening, follow
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.chain_tx import transaction_hash

pytestmark = pytest.mark.slow

TARGET = "0x" + "22" * 20


@pytest.fixture(scope="module", params=["embedded", "geth"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode | GethNode]:
    with node_of(request.param, tmp_path_factory.mktemp("chain"), "--gather-ms", "2", "--idle-s", "0") as running:
        yield running


@pytest.fixture
async def reader(node: ChainNode | GethNode) -> AsyncIterator[ChainReader]:
    async with ChainReader([node.url]) as found:
        yield found


_seeds = iter(range(1, 1000))


@pytest.fixture
def sender() -> Sender:
    return Sender(next(_seeds))


class FakeNode:
    """A server that answers each method with what the test says; where a real node cannot be made to err."""

    def __init__(self) -> None:
        self.methods: dict[str, Any] = {}
        self.whole: bytes | None = None
        self.status = 200
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        answer = [self.one(each) for each in body] if isinstance(body, list) else self.one(body)
        return web.Response(
            status=self.status, body=self.whole if self.whole is not None else json.dumps(answer).encode()
        )

    def one(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request["method"])
        found = self.methods.get(request["method"])
        if callable(found):
            found = found(*request["params"])
        head = {"jsonrpc": "2.0", "id": request["id"]}
        if found is None and request["method"] not in self.methods:
            return {**head, "error": {"code": -32601, "message": "the method does not exist"}}
        return {**head, **found} if isinstance(found, dict) and "error" in found else {**head, "result": found}


async def _fake() -> AsyncIterator[tuple[FakeNode, str]]:
    found, port = FakeNode(), free_port()
    app = web.Application()
    app.router.add_post("/", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield found, f"http://127.0.0.1:{port}"
    await runner.cleanup()


fake = pytest.fixture(_fake, name="fake")


def dead() -> str:
    return f"http://user:secret@127.0.0.1:{free_port()}"


# Reader


async def test_a_dead_node_is_passed_over_and_its_address_kept_quiet(node: ChainNode | GethNode) -> None:
    async with ChainReader([dead(), node.url], timeout_s=2) as reader:
        assert await reader.chain_id() == 1337
    async with ChainReader([dead(), dead()], timeout_s=2) as reader:
        with pytest.raises(ChainUnavailable) as failed:
            await reader.chain_id()
        assert "secret" not in str(failed.value) and "127.0.0.1" not in str(failed.value)


async def test_a_silent_node_is_given_up_in_time() -> None:
    async def swallow(stream: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await stream.read()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    started = asyncio.get_running_loop().time()
    async with ChainReader([f"http://127.0.0.1:{port}"], timeout_s=0.3) as reader:
        with pytest.raises(ChainUnavailable, match="in time"):
            await reader.block_number()
    assert asyncio.get_running_loop().time() - started < 2
    server.close()


@pytest.mark.parametrize(
    "whole", [b"", b"nonsense", b"[]", b"5", b'{"jsonrpc":"2.0","id":0}', b'{"jsonrpc":"2.0","id":0,"result":"5"}']
)
async def test_nonsense_is_no_answer(fake: tuple[FakeNode, str], whole: bytes) -> None:
    server, url = fake
    server.whole = whole
    async with ChainReader([url]) as reader:
        with pytest.raises(ChainUnavailable):
            await reader.block_number()


async def test_an_answer_without_end_is_cut(fake: tuple[FakeNode, str]) -> None:
    server, url = fake
    server.whole = b" " * 200_000
    async with ChainReader([url], answer_bytes_max=100_000) as reader:
        with pytest.raises(ChainUnavailable, match="more than"):
            await reader.block_number()


async def test_an_http_error_is_no_answer(fake: tuple[FakeNode, str], node: ChainNode | GethNode) -> None:
    server, url = fake
    server.status = 503
    async with ChainReader([url, node.url]) as reader:
        assert await reader.chain_id() == 1337


async def test_a_batch_answered_out_of_order_is_put_in_order(fake: tuple[FakeNode, str]) -> None:
    server, url = fake
    server.whole = b'[{"id":1,"result":"0x2"},{"id":0,"result":"0x1"}]'
    async with ChainReader([url]) as reader:
        assert await reader.batch([("a", ()), ("b", ())]) == ["0x1", "0x2"]
        with pytest.raises(ChainUnavailable):
            await reader.batch([("a", ()), ("b", ()), ("c", ())])


async def test_receipts_from_a_node_without_block_receipts(
    fake: tuple[FakeNode, str], node: ChainNode | GethNode, reader: ChainReader, sender: Sender
) -> None:
    # given a node such as geth 1.10, which lacks eth_getBlockReceipts
    server, url = fake
    made = await mined(reader, await send(reader, sender.signed(None, creating(KEEPER))))
    block = await reader.block(made.block_number)
    hex_hash = "0x" + made.tx_hash.hex()
    server.methods["eth_getBlockByNumber"] = await reader.call("eth_getBlockByNumber", hex(block.number), False)
    server.methods["eth_getTransactionReceipt"] = await reader.call("eth_getTransactionReceipt", hex_hash)
    async with ChainReader([url]) as older:
        assert await older.receipts(block.number) == await reader.receipts(block)
        assert await older.receipts(block) == await reader.receipts(block)
        # and it is asked for the missing method once only
        assert server.asked.count("eth_getBlockReceipts") == 1
        # and a receipt of another block is not taken for this one's
        server.methods["eth_getTransactionReceipt"] = None
        with pytest.raises(BlockMissing):
            await older.receipts(block)


def test_the_reader_is_light() -> None:
    script = (
        "import sys; import sdt.adapters.chain.reader;"
        "heavy = {'web3', 'eth', 'fastapi', 'mpyc', 'pydantic'} & set(sys.modules);"
        "print(heavy or 'none', open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"
    )
    heavy, kilobytes = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert heavy == "none" and int(kilobytes) < 60_000


# Client


async def test_broadcast_reaches_every_node_and_may_be_repeated(
    node: ChainNode | GethNode, reader: ChainReader, sender: Sender
) -> None:
    raw = sender.signed(TARGET)
    async with ChainClient([node.url, node.url, dead()], timeout_s=2) as client:
        first = await client.broadcast(raw)
        assert (first.tx_hash, first.accepted + first.known) == (transaction_hash(raw), 2)
        await mined(reader, first.tx_hash)
        # when it is sent again after it was mined, every node knows it
        again = await client.broadcast(raw)
        assert (again.accepted, again.known) == (0, 2)
        (receipt, missing) = await client.receipts([first.tx_hash, bytes(32)])
        assert receipt is not None and receipt.succeeded and missing is None


@pytest.fixture
async def three() -> AsyncIterator[tuple[list[FakeNode], list[str]]]:
    async with AsyncExitStack() as stack:
        served = [await stack.enter_async_context(asynccontextmanager(_fake)()) for _ in range(3)]
        for server, _ in served:
            server.methods |= {"eth_sendRawTransaction": "0x00", "eth_mining": False}
        yield [server for server, _ in served], [url for _, url in served]


def _sent(servers: list[FakeNode]) -> list[int]:
    counts = [server.asked.count("eth_sendRawTransaction") for server in servers]
    for server in servers:
        server.asked.clear()
    return counts


async def test_what_is_sent_goes_to_who_seals_and_to_all_when_they_do_not_take_it(
    three: tuple[list[FakeNode], list[str]], sender: Sender
) -> None:
    servers, urls = three
    raw = sender.signed(TARGET)
    servers[1].methods["eth_mining"] = True
    async with ChainClient(urls) as client:
        # before anybody was asked, and when nobody seals, every node gets it
        await client.send(raw)
        assert _sent(servers) == [1, 1, 1]
        await client.look_who_seals()
        assert (await client.send(raw)).accepted == 1
        assert _sent(servers) == [0, 1, 0]
        # one that follows may begin to seal
        servers[2].methods["eth_mining"] = True
        await client.look_who_seals()
        await client.send(raw)
        assert _sent(servers) == [0, 1, 1]
        # when none of them takes it, the others are given it at once, and all until it is known again who seals
        for server in servers[1:]:
            server.methods["eth_sendRawTransaction"] = {"error": {"code": -32000, "message": "txpool is full"}}
        assert (await client.send(raw)).accepted == 1
        assert _sent(servers) == [1, 2, 2]
        await client.send(raw)
        assert _sent(servers) == [1, 1, 1]
        # a node that does not know the question, or is gone, does not count as one that seals
        servers[1].methods.pop("eth_mining")
        servers[2].status = 500
        await client.look_who_seals()
        assert (await client.send(raw)).accepted == 1
        assert _sent(servers)[:2] == [1, 1]


async def test_a_spent_nonce_is_an_error_only_if_another_spent_it(
    node: ChainNode | GethNode, reader: ChainReader, sender: Sender
) -> None:
    await mined(reader, await send(reader, sender.signed(TARGET)))
    async with ChainClient([node.url]) as client:
        with pytest.raises(ChainRefused, match="nonce too low"):
            await client.broadcast(sender.signed(TARGET, b"another", nonce=0))
        with pytest.raises(ChainRefused, match="intrinsic gas too low"):
            await client.broadcast(sender.signed(TARGET, gas=5, nonce=1))


@pytest.mark.parametrize("message", ["Known transaction", "Nonce too low", "already known"])
async def test_other_nodes_words_for_known(fake: tuple[FakeNode, str], sender: Sender, message: str) -> None:
    server, url = fake
    raw = sender.signed(TARGET)
    server.methods["eth_sendRawTransaction"] = {"error": {"code": -32000, "message": message}}
    server.methods["eth_getTransactionByHash"] = {"hash": "0x" + transaction_hash(raw).hex()}
    async with ChainClient([url]) as client:
        assert (await client.broadcast(raw)).known == 1
        server.methods["eth_getTransactionByHash"] = None
        with pytest.raises(ChainRefused):
            await client.broadcast(raw)


async def test_no_node_takes_it(sender: Sender) -> None:
    async with ChainClient([dead()], timeout_s=1) as client:
        with pytest.raises(ChainUnavailable) as failed:
            await client.broadcast(sender.signed(TARGET))
        assert "secret" not in str(failed.value)
        assert (await client.health()).state == "unreachable"


async def test_health_tells_stalled_from_slow(node: ChainNode | GethNode, reader: ChainReader, sender: Sender) -> None:
    # given a chain that makes no empty blocks
    await mined(reader, await send(reader, sender.signed(TARGET)))
    await asyncio.sleep(1.1)
    for limits, state in (((30, 60), "ok"), ((0, 60), "slow"), ((0, 0), "stalled")):
        slow, stalled = limits
        async with ChainClient([node.url, dead()], slow_after_s=slow, stalled_after_s=stalled) as client:
            health = await client.health()
            assert health.state == state
            assert health.head == await reader.block_number()
            up, down = health.nodes
            assert up.head == health.head and down.head is None and "secret" not in down.detail


async def test_idle_blocks_keep_the_head_young(tmp_path: Path) -> None:
    with ChainNode(tmp_path / "chain.sqlite", "--idle-s", "1") as lively:
        async with ChainReader([lively.url]) as reader:
            await asyncio.sleep(2.4)
            assert 1 <= await reader.block_number() <= 3


# Following


async def test_following_tells_every_block_once(reader: ChainReader, sender: Sender) -> None:
    genesis = await reader.block(0)
    told: list[tuple[Happening, int]] = []
    hashes = [await send(reader, sender.signed(TARGET)) for _ in range(3)]
    last = (await mined(reader, hashes[-1])).block_number
    async for event in follow(reader, (0, genesis.hash), depth=2):
        told.append((event.happening, event.block.number))
        if event.block.number == last and event.happening is Happening.ARRIVED:
            break
    arrived = [n for what, n in told if what is Happening.ARRIVED]
    final = [n for what, n in told if what is Happening.FINAL]
    assert arrived == list(range(1, last + 1))
    assert final == list(range(1, last - 1))


class Branches(ChainReader):
    """A reader of a chain that the test writes."""

    def __init__(self) -> None:
        super().__init__(["http://127.0.0.1:1"])
        self.chain: list[Block] = []

    async def block(self, at: object = "latest") -> Block:
        assert isinstance(at, int)
        await asyncio.sleep(0)
        if at >= len(self.chain):
            raise BlockMissing("none")
        return self.chain[at]

    def grow(self, branch: str, keep: int, count: int) -> None:
        del self.chain[keep:]
        for number in range(keep, keep + count):
            parent = self.chain[-1].hash if self.chain else bytes(32)
            name = f"{branch}{number}".encode().ljust(32, b".")
            self.chain.append(Block(number, name, parent, 0, 0, 0, b"", b"", b"", ()))


async def test_blocks_that_leave_are_told_of(sender: Sender) -> None:
    chain = Branches()
    chain.grow("a", 0, 6)
    events = follow(chain, (0, chain.chain[0].hash), depth=4, pause=lambda: asyncio.sleep(0.001))

    async def tell(count: int) -> list[str]:
        found = []
        for _ in range(count):
            event = await anext(events)
            found.append(f"{event.happening.value} {event.block.hash.decode().rstrip('.')}")
        return found

    assert await tell(7) == [
        "arrived a1", "arrived a2", "arrived a3", "arrived a4", "final a1", "arrived a5", "final a2",
    ]  # fmt: skip
    # when the chain goes on from another block and is shorter, as a node that lags would be, nothing is said yet
    chain.grow("b", 4, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting := asyncio.ensure_future(tell(4))), 0.05)
    chain.grow("b", 5, 1)
    assert await waiting == ["left a5", "left a4", "arrived b4", "arrived b5"]
    chain.grow("b", 6, 1)
    assert await tell(2) == ["arrived b6", "final a3"]
    # when a block that was final is gone, following ends
    chain.grow("c", 2, 9)
    with pytest.raises(ChainForked):
        await tell(10)


# web3.py


@pytest.fixture(scope="module")
def compiled() -> tuple[list[Any], bytes]:
    from sdt.contracts import load

    return load("Token").abi, load("Token").bytecode


ARGUMENTS = (TARGET, "Gold", "XAU", 9, 2, "0x" + "33" * 20, 5)


def test_web3_sync(node: ChainNode | GethNode, sender: Sender, compiled: tuple[list[Any], bytes]) -> None:
    from web3 import Web3
    from web3.exceptions import ContractLogicError
    from web3.middleware import ExtraDataToPOAMiddleware

    w3 = Web3(Web3.HTTPProvider(node.url))
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    assert w3.is_connected() and w3.eth.chain_id == 1337 and w3.eth.gas_price == 0
    # deploy with web3's own signing
    abi, code = compiled
    account = w3.eth.account.from_key(sender.key.secret)
    built = w3.eth.contract(abi=abi, bytecode=code).constructor(*checksummed(w3, ARGUMENTS))
    transaction = built.build_transaction(
        {"from": account.address, "nonce": 0, "gasPrice": 0, "chainId": 1337, "gas": 5_000_000}
    )
    tx_hash = w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
    receipt = w3.eth.wait_for_transaction_receipt(tx_hash, timeout=10, poll_latency=0.02)
    assert receipt["status"] == 1 and receipt["contractAddress"]
    # call, events, logs
    token = w3.eth.contract(address=receipt["contractAddress"], abi=abi)
    assert token.functions.symbol().call() == "XAU"
    assert token.functions.balanceOf(w3.to_checksum_address(TARGET)).call() == 0
    (event,) = token.events.EligibilitySet().get_logs(from_block=receipt["blockNumber"])
    assert event["args"]["account"].lower() == "0x" + "33" * 20
    assert token.events.EligibilitySet().process_receipt(receipt)[0]["logIndex"] == event["logIndex"]
    with pytest.raises(ContractLogicError):
        token.functions.settle(1, 1).call()
    # blocks and transactions
    block = w3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    assert block["transactions"][receipt["transactionIndex"]]["hash"] == tx_hash
    assert w3.eth.get_transaction(tx_hash)["nonce"] == 0
    if isinstance(node, ChainNode):  # which geth 1.10 has not
        assert w3.eth.get_block_receipts(receipt["blockNumber"])[0]["transactionHash"] == tx_hash
    assert w3.eth.get_code(receipt["contractAddress"])
    assert w3.eth.get_proof(receipt["contractAddress"], [0])["storageHash"]
    assert w3.eth.estimate_gas({"from": account.address, "to": TARGET}) == 21_000
    # filters, polled
    events, blocks = token.events.EligibilitySet.create_filter(from_block=0), w3.eth.filter("latest")
    assert events.get_new_entries() == [] and len(events.get_all_entries()) == 1
    # an access list transaction
    typed = {
        "type": 1, "chainId": 1337, "nonce": 1, "gas": 60_000, "gasPrice": 0, "to": w3.to_checksum_address(TARGET),
        "value": 0, "data": "0x", "accessList": [{"address": TARGET, "storageKeys": ["0x" + "00" * 32]}],
    }  # fmt: skip
    tx_hash = w3.eth.send_raw_transaction(account.sign_transaction(typed).raw_transaction)
    receipt = w3.eth.wait_for_transaction_receipt(tx_hash, timeout=10, poll_latency=0.02)
    assert (receipt["status"], receipt["type"], receipt["gasUsed"]) == (1, 1, 21_000 + 2_400 + 1_900)
    assert receipt["blockHash"] in blocks.get_new_entries() and blocks.get_new_entries() == []
    assert w3.eth.uninstall_filter(blocks.filter_id) and not w3.eth.uninstall_filter(blocks.filter_id)
    found = w3.eth.get_transaction(tx_hash)
    assert found["from"] == account.address and found["accessList"][0]["storageKeys"]


def checksummed(w3: Any, arguments: tuple[Any, ...]) -> list[Any]:
    return [w3.to_checksum_address(a) if str(a).startswith("0x") else a for a in arguments]


async def test_web3_async(node: ChainNode | GethNode, reader: ChainReader, sender: Sender) -> None:
    async with ChainClient([node.url]) as client:
        w3 = client.web3
        made = await mined(reader, await send(reader, sender.signed(None, creating(KEEPER))))
        keeper = w3.to_checksum_address(made.contract)
        tx_hash = await w3.eth.send_raw_transaction(sender.signed(made.contract, words(3, 4)))
        receipt = await w3.eth.wait_for_transaction_receipt(tx_hash, timeout=10, poll_latency=0.02)
        logs = await w3.eth.get_logs({"fromBlock": receipt["blockNumber"], "address": keeper})
        assert [bytes(log["data"]) for log in logs] == [words(4)]
        block = await w3.eth.get_block("latest")
        assert "proofOfAuthorityData" in block and block["number"] >= receipt["blockNumber"]
        assert bytes(await w3.eth.get_storage_at(keeper, 3)) == words(4)
        assert await w3.eth.call({"to": keeper, "data": words(3)}) == words(4)
        async with w3.batch_requests() as batch:
            batch.add(w3.eth.get_transaction_receipt(tx_hash))
            batch.add(w3.eth.get_block("latest"))
            found = await batch.async_execute()
        assert found[0]["transactionHash"] == tx_hash
