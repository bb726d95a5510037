"""Writing to the chain, over web3.py: to the nodes that seal or to all, receipts in bulk, and the nodes' health.

The settlement lane's nonce, gas in flight and stored raw transactions are the worker's; only who seals is remembered
here, for a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from sdt.adapters.chain.answers import Block, Receipt
from sdt.adapters.chain.errors import ChainRefused, ChainUnavailable
from sdt.domain.chain_tx import transaction_hash

if TYPE_CHECKING:
    from web3 import AsyncWeb3

__all__ = ["Broadcast", "ChainClient", "ChainHealth", "NodeHealth"]

_SEND = "eth_sendRawTransaction"
# Words of geth and of Besu for a transaction that the node has or has mined: to be looked up, not errors.
_PERHAPS_KNOWN = ("already known", "known transaction", "nonce too low", "replacement transaction underpriced")


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What became of sending one raw transaction: how many nodes took it, and how many had it before."""

    tx_hash: bytes
    accepted: int
    known: int


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One node: its newest block, or why there is none."""

    head: int | None
    answer_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class ChainHealth:
    """The chain as all its nodes show it.

    `slow`: blocks or answers come late, keep sending. `stalled`: no block for so long that the network has stopped.
    """

    state: Literal["ok", "slow", "stalled", "unreachable"]
    head: int | None
    head_age_s: int | None
    nodes: tuple[NodeHealth, ...]


class ChainClient:
    """One web3 connection per node. web3 is imported here, not by whoever imports this module."""

    def __init__(
        self, urls: Sequence[str], *, timeout_s: float = 5.0, slow_after_s: int = 12, stalled_after_s: int = 60
    ) -> None:
        from aiohttp import ClientTimeout
        from web3 import AsyncHTTPProvider, AsyncWeb3
        from web3.middleware import ExtraDataToPOAMiddleware

        self._timeout_s = timeout_s
        self._slow_after_s = slow_after_s
        self._stalled_after_s = stalled_after_s
        self._sealers: tuple[int, ...] = ()
        self._nodes: list[AsyncWeb3[Any]] = []
        for url in urls:
            provider = AsyncHTTPProvider(
                url,
                request_kwargs={"timeout": ClientTimeout(total=timeout_s)},
                exception_retry_configuration=None,
            )
            node = AsyncWeb3(provider)
            # Clique and QBFT headers carry more extra data than Ethereum's rules allow.
            node.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
            self._nodes.append(node)
        if not self._nodes:
            raise ValueError("at least one node is needed")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            await node.provider.disconnect()

    @property
    def web3(self) -> AsyncWeb3[Any]:
        """The first node's web3, for what this class does not wrap."""
        return self._nodes[0]

    # Sending

    async def send(self, raw: bytes) -> Broadcast:
        """Send a signed transaction to the nodes that seal; to every node when none says so, or none of those takes it.

        A node that only follows gets it with its block. Sent to it directly, it executes it twice: for its pending
        block, which nobody asks for, and again with the block. Whoever sends looks for it in the blocks, and gives
        it to every node by `broadcast` when none has it in time. `look_who_seals` first, and now and then.
        Errors: as `broadcast`.
        """
        sealers = self._sealers
        if sealers:
            try:
                return await self._send_to_all(sealers, raw)
            except (ChainRefused, ChainUnavailable):
                self._sealers = ()
        return await self.broadcast(raw)

    async def look_who_seals(self) -> None:
        """Ask every node whether it seals; one that does not answer, or does not know the question, says no."""
        said = await asyncio.gather(*(self._seals(node) for node in range(len(self._nodes))))
        self._sealers = tuple(node for node, seals in enumerate(said) if seals)

    async def _seals(self, node: int) -> bool:
        provider: Any = self._nodes[node].provider
        try:
            answer = await self._asked(node, lambda _: provider.make_request("eth_mining", []))
        except ChainUnavailable:
            return False
        return isinstance(answer, dict) and answer.get("result") is True

    async def broadcast(self, raw: bytes) -> Broadcast:
        """Send a signed transaction to every node; sending it again is harmless.

        Zero-price transactions are relayed poorly between some nodes, so none is left out. A node that says it knows
        the transaction, or that its nonce is spent, is asked whether it means this one.
        Errors: ChainRefused when nodes answered and none has it; ChainUnavailable when none answered.
        """
        return await self._send_to_all(range(len(self._nodes)), raw)

    async def _send_to_all(self, nodes: Sequence[int], raw: bytes) -> Broadcast:
        tx_hash = transaction_hash(raw)
        outcomes = await asyncio.gather(*(self._send_to(node, raw, tx_hash) for node in nodes))
        accepted = outcomes.count("accepted")
        known = outcomes.count("known")
        if accepted or known:
            return Broadcast(tx_hash, accepted, known)
        raise next(
            (error for error in outcomes if isinstance(error, ChainRefused)),
            ChainUnavailable("No chain node took the transaction."),
        )

    async def _send_to(self, node: int, raw: bytes, tx_hash: bytes) -> str | ChainRefused | ChainUnavailable:
        from web3.exceptions import Web3RPCError

        try:
            await self._asked(node, lambda eth: eth.send_raw_transaction(raw))
        except ChainUnavailable as error:
            return error
        except Web3RPCError as error:
            message = _message(error)
            if message.lower().startswith(_PERHAPS_KNOWN) and await self._has(node, tx_hash):
                return "known"
            return ChainRefused(_SEND, _code(error), message)
        return "accepted"

    async def _has(self, node: int, tx_hash: bytes) -> bool:
        from web3.exceptions import TransactionNotFound

        try:
            await self._asked(node, lambda eth: eth.get_transaction(tx_hash))
        except (TransactionNotFound, ChainUnavailable):
            return False
        return True

    # Reading what was sent

    async def receipts(self, tx_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return the receipts of chain transactions in one request, None for one that no block has yet."""
        requests = [("eth_getTransactionReceipt", ["0x" + h.hex()]) for h in tx_hashes]
        found = await self._batch(requests)
        return [None if one is None else Receipt.read(one) for one in found]

    async def block(self, number: int) -> Block | None:
        """Return a block by number, None when the node has none there."""
        (found,) = await self._batch([("eth_getBlockByNumber", [hex(number), False])])
        return None if found is None else Block.read(found)

    async def block_number(self) -> int:
        """Return the newest block's number."""
        return int(await self._asked(0, lambda eth: eth.get_block_number()))

    async def _batch(self, requests: list[tuple[str, list[Any]]]) -> list[Any]:
        """Send one JSON-RPC batch; the provider is asked directly, for web3's own formatting costs more than it."""
        if not requests:
            return []
        provider: Any = self._nodes[0].provider
        answers = await self._asked(0, lambda _: provider.make_batch_request(requests))
        if not isinstance(answers, list) or len(answers) != len(requests):
            raise ChainUnavailable("A chain node's answer cannot be read.", code="chain_bad_answer")
        for (method, _), answer in zip(requests, answers, strict=True):
            if "error" in answer:
                raise ChainRefused(method, answer["error"].get("code", 0), answer["error"].get("message", ""))
        return [answer["result"] for answer in answers]

    # Health

    async def health(self) -> ChainHealth:
        """Ask every node for its newest block and tell how the chain does."""
        looked = await asyncio.gather(*(self._look(node) for node in range(len(self._nodes))))
        nodes = tuple(node for node, _ in looked)
        heads = [(node.head, seconds) for node, seconds in looked if node.head is not None]
        if not heads:
            return ChainHealth("unreachable", None, None, nodes)
        head, timestamp_s = max(heads)
        age_s = max(0, int(time.time()) - timestamp_s)
        late = age_s > self._slow_after_s or min(n.answer_ms for n in nodes if n.head is not None) > 1_000
        state: Literal["ok", "slow", "stalled"] = (
            "stalled" if age_s > self._stalled_after_s else "slow" if late else "ok"
        )
        return ChainHealth(state, head, age_s, nodes)

    async def _look(self, node: int) -> tuple[NodeHealth, int]:
        start = time.monotonic()
        try:
            block = await self._asked(node, lambda eth: eth.get_block("latest"))
        except ChainUnavailable as error:
            return NodeHealth(None, _ms_since(start), error.detail), 0
        return NodeHealth(block["number"], _ms_since(start), ""), block["timestamp"]

    async def _asked(self, node: int, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        """Await an answer from a node. Errors: ChainUnavailable, which names the node by number only."""
        from aiohttp import ClientError, ServerDisconnectedError

        eth = self._nodes[node].eth
        try:
            try:
                return await asyncio.wait_for(ask(eth), self._timeout_s)
            except ServerDisconnectedError:
                # A kept connection that the node closed meanwhile; whatever is asked here may be asked twice.
                return await asyncio.wait_for(ask(eth), self._timeout_s)
        except TimeoutError as error:
            raise ChainUnavailable(f"Chain node {node} did not answer in time.") from error
        except (ClientError, OSError) as error:
            raise ChainUnavailable(f"Chain node {node} cannot be reached ({type(error).__name__}).") from None


def _message(error: Any) -> str:
    found = (error.rpc_response or {}).get("error", {})
    return str(found.get("message", "")) if isinstance(found, dict) else str(found)


def _code(error: Any) -> int:
    found = (error.rpc_response or {}).get("error", {})
    return int(found.get("code", 0)) if isinstance(found, dict) else 0


def _ms_since(start: float) -> int:
    return int(1000 * (time.monotonic() - start))
