"""Reading the chain: what signers, worker and API ask of a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sdt.adapters.chain.answers import Block, Log, Receipt, bytes_of, integer_of
from sdt.adapters.chain.errors import BlockMissing, ChainRefused, ChainUnavailable
from sdt.adapters.chain.transport import Transport
from sdt.adapters.chain.whole_block import WholeBlock, transaction_hashes

__all__ = ["At", "Block", "ChainReader", "Log", "Receipt", "WholeBlock"]

At = int | bytes | str
"""A block: its number, its hash, or "latest", "earliest", "finalized"."""

_METHOD_MISSING = -32601
_T = TypeVar("_T")


class ChainReader(Transport):
    """Typed reads over `call` and `batch`. Errors: ChainUnavailable, ChainRefused from every method."""

    _block_receipts = True  # geth 1.10, and so GoQuorum, has no eth_getBlockReceipts

    async def chain_id(self) -> int:
        """Return the chain's id, which every signature covers."""
        return _read(integer_of, await self.call("eth_chainId"))

    async def block_number(self) -> int:
        """Return the newest block's number."""
        return _read(integer_of, await self.call("eth_blockNumber"))

    async def block(self, at: At = "latest") -> Block:
        """Return a block. Errors: BlockMissing."""
        if isinstance(at, bytes):
            found = await self.call("eth_getBlockByHash", _hex(at), False)
        else:
            found = await self.call("eth_getBlockByNumber", _tag(at), False)
        if found is None:
            raise BlockMissing("The chain node does not have that block.")
        return _read(Block.read, found)

    async def blocks(self, first: int, last: int) -> list[Block]:
        """Return the blocks of a range in one request. Errors: BlockMissing."""
        requests = [("eth_getBlockByNumber", (hex(n), False)) for n in range(first, last + 1)]
        found = await self.batch(requests)
        if None in found:
            raise BlockMissing("The chain node does not have one of those blocks.")
        return [_read(Block.read, one) for one in found]

    async def receipts(self, at: At | Block) -> list[Receipt]:
        """Return the receipts of a block's transactions, in their order. Errors: BlockMissing."""
        if self._block_receipts:
            try:
                return await self._receipts_of_block(at)
            except ChainRefused as error:
                if error.rpc_code != _METHOD_MISSING:
                    raise
                self._block_receipts = False
        block = at if isinstance(at, Block) else await self.block(at)
        found = await self.receipts_of(block.transactions)
        if any(receipt is None or receipt.block_hash != block.hash for receipt in found):
            raise BlockMissing("The block left the chain while its receipts were read.")
        return [receipt for receipt in found if receipt]

    async def _receipts_of_block(self, at: At | Block) -> list[Receipt]:
        if isinstance(at, Block):
            at = at.hash
        wanted = _hex(at) if isinstance(at, bytes) else _tag(at)
        found = await self.call("eth_getBlockReceipts", wanted)
        if found is None:
            raise BlockMissing("The chain node does not have that block.")
        return [_read(Receipt.read, one) for one in found]

    async def whole_block(self, block_hash: bytes) -> WholeBlock:
        """Return everything of a block that a proof is made of, as bytes. Errors: BlockMissing."""
        found = await self.call("eth_getBlockByHash", _hex(block_hash), True)
        if found is None:
            raise BlockMissing("The chain node does not have that block.")
        hashes = _read(transaction_hashes, found)
        # One at a time and not eth_getBlockReceipts, which geth 1.10 lacks: a block of ours holds few transactions.
        receipts = await self.batch([("eth_getTransactionReceipt", (_hex(one),)) for one in hashes])
        if any(not isinstance(one, dict) or one.get("blockHash") != found["hash"] for one in receipts):
            raise BlockMissing("The block left the chain while its receipts were read.")
        return _read(WholeBlock.read, {"block": found, "receipts": receipts})

    async def receipts_of(self, tx_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Return the receipts of chain transactions in one request, None for one that no block has."""
        found = await self.batch([("eth_getTransactionReceipt", (_hex(h),)) for h in tx_hashes])
        return [None if one is None else _read(Receipt.read, one) for one in found]

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a chain transaction's receipt, None while no block has it."""
        return (await self.receipts_of([tx_hash]))[0]

    async def logs(
        self,
        first: At,
        last: At = "latest",
        *,
        addresses: Sequence[str] = (),
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> list[Log]:
        """Return the logs of blocks `first` to `last`; a hash as `first` means that one block.

        Shape: topics by position: None for any, one, or several alternatives.
        """
        wanted: dict[str, Any] = {"topics": [_topic(topic) for topic in topics]}
        if addresses:
            wanted["address"] = list(addresses)
        if isinstance(first, bytes):
            wanted["blockHash"] = _hex(first)
        else:
            if isinstance(last, bytes):
                raise ValueError("a range ends at a number or a tag")
            wanted |= {"fromBlock": _tag(first), "toBlock": _tag(last)}
        return [_read(Log.read, one) for one in await self.call("eth_getLogs", wanted)]

    async def prefer_newest(self, lag_max: int) -> bool:
        """Turn to the node with the newest block when the present one is further behind; return whether it was.

        A node that answers and does not follow the chain would hold up whoever reads it.
        """
        heads: dict[int, int] = {}
        for node, answer in enumerate(await self.call_each("eth_blockNumber")):
            if isinstance(answer, dict) and isinstance(answer.get("result"), str):
                heads[node] = _read(integer_of, answer["result"])
        if not heads:
            raise ChainUnavailable("No chain node answers.")
        newest = max(heads, key=lambda node: heads[node])
        if heads[newest] - heads.get(self.preferred, -1) <= lag_max:
            return False
        self.prefer(newest)
        return True

    async def nodes_with(self, tx_hash: bytes) -> dict[int, Receipt]:
        """Return the receipt of a chain transaction from every node that has it in a block."""
        found = {}
        for node, answer in enumerate(await self.call_each("eth_getTransactionReceipt", _hex(tx_hash))):
            if isinstance(answer, dict) and answer.get("result"):
                found[node] = _read(Receipt.read, answer["result"])
        return found

    async def nonce(self, address: str, at: At = "latest") -> int:
        """Return how many transactions an address has had mined ("pending": or has waiting)."""
        return _read(integer_of, await self.call("eth_getTransactionCount", address, _state_at(at)))

    async def balance_wei(self, address: str, at: At = "latest") -> int:
        """Return an address's balance in wei, which is 0 where gas is free."""
        return _read(integer_of, await self.call("eth_getBalance", address, _state_at(at)))

    async def code(self, address: str, at: At = "latest") -> bytes:
        """Return the contract code at an address, empty if there is none."""
        return _read(bytes_of, await self.call("eth_getCode", address, _state_at(at)))

    async def storage_at(self, address: str, slot: int, at: At = "latest") -> bytes:
        """Return the 32 bytes of one storage slot."""
        return _read(bytes_of, await self.call("eth_getStorageAt", address, hex(slot), _state_at(at)))

    async def eth_call(self, to: str, data: bytes, at: At = "latest", *, sender: str | None = None) -> bytes:
        """Return what a contract answers. Errors: CallReverted with the contract's words."""
        return _read(bytes_of, await self.call("eth_call", _call(to, data, sender), _state_at(at)))

    async def eth_calls(self, calls: Sequence[tuple[str, bytes]], at: At = "latest") -> list[bytes]:
        """Return what contracts answer to several calls (address, data), in one request."""
        where = _state_at(at)
        found = await self.batch([("eth_call", (_call(to, data, None), where)) for to, data in calls])
        return [_read(bytes_of, one) for one in found]

    async def estimate_gas(self, to: str, data: bytes, *, sender: str | None = None) -> int:
        """Return a gas limit with which a chain transaction would succeed now. Errors: CallReverted."""
        return _read(integer_of, await self.call("eth_estimateGas", _call(to, data, sender)))

    async def peer_count(self) -> int:
        """Return how many other nodes the node is connected to."""
        return _read(integer_of, await self.call("net_peerCount"))


def _read(parse: Callable[[Any], _T], found: Any) -> _T:
    try:
        return parse(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChainUnavailable("A chain node's answer cannot be read.", code="chain_bad_answer") from error


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _tag(at: int | str) -> str:
    return hex(at) if isinstance(at, int) else at


def _state_at(at: At) -> str | dict[str, str]:
    """Return the block parameter of a read of state. Source: EIP-1898 for a hash."""
    return {"blockHash": _hex(at)} if isinstance(at, bytes) else _tag(at)


def _topic(topic: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    if topic is None or isinstance(topic, bytes):
        return None if topic is None else _hex(topic)
    return [_hex(one) for one in topic]


def _call(to: str, data: bytes, sender: str | None) -> dict[str, str]:
    found = {"to": to, "data": _hex(data)}
    if sender is not None:
        found["from"] = sender
    return found
