"""The JSON-RPC methods. Light ones run on the server's loop; those marked `heavy` go to its threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sdt.adapters.chain.embedded import calls, parameters, present
from sdt.adapters.chain.embedded.chain import Chain, Head
from sdt.adapters.chain.embedded.errors import RpcError, invalid_params, server_error
from sdt.adapters.chain.embedded.filters import Filters
from sdt.adapters.chain.embedded.keccak import keccak
from sdt.adapters.chain.embedded.logs import find_logs
from sdt.adapters.chain.embedded.miner import Miner
from sdt.adapters.chain.embedded.pool import Pool
from sdt.adapters.chain.embedded.transaction import Transaction, decode_transaction
from sdt.adapters.chain.embedded.view import Account, StateGone

__all__ = ["Method", "Methods"]

_TAGS = frozenset({"latest", "pending", "safe", "finalized"})  # one node: what is on disk is final


@dataclass(frozen=True)
class Method:
    """A method and where to run it."""

    run: Callable[..., Any]
    heavy: bool = False


class Methods:
    """What clients may ask, over one chain and its pool."""

    def __init__(self, chain: Chain, pool: Pool, miner: Miner) -> None:
        self._chain = chain
        self._pool = pool
        self._miner = miner
        filters = Filters(chain, self.get_logs)
        client = f"sdt-embedded/v{version('sdt')}/python"
        self.table: dict[str, Method] = {
            "web3_clientVersion": Method(lambda: client),
            "web3_sha3": Method(lambda value: present.data(keccak(parameters.data(value)))),
            "net_version": Method(lambda: str(chain.chain_id)),
            "net_listening": Method(lambda: True),
            "net_peerCount": Method(lambda: "0x0"),
            "txpool_status": Method(self.txpool_status),
            "eth_chainId": Method(lambda: present.quantity(chain.chain_id)),
            "eth_syncing": Method(lambda: False),
            "eth_mining": Method(lambda: True),
            "eth_accounts": Method(list),
            "eth_blockNumber": Method(lambda: present.quantity(chain.head.header.number)),
            "eth_gasPrice": Method(lambda: "0x0"),
            "eth_getBalance": Method(self.get_balance),
            "eth_getTransactionCount": Method(self.get_transaction_count),
            "eth_getCode": Method(self.get_code),
            "eth_getStorageAt": Method(self.get_storage_at),
            "eth_getProof": Method(self.get_proof, heavy=True),
            "eth_call": Method(self.call, heavy=True),
            "eth_estimateGas": Method(self.estimate_gas, heavy=True),
            "eth_sendRawTransaction": Method(self.send_raw_transaction),
            "eth_getTransactionByHash": Method(self.get_transaction_by_hash),
            "eth_getTransactionByBlockNumberAndIndex": Method(self.get_transaction_in_block),
            "eth_getTransactionByBlockHashAndIndex": Method(self.get_transaction_in_block),
            "eth_getTransactionReceipt": Method(self.get_transaction_receipt),
            "eth_getBlockReceipts": Method(self.get_block_receipts, heavy=True),
            "eth_getBlockByNumber": Method(self.get_block),
            "eth_getBlockByHash": Method(self.get_block),
            "eth_getBlockTransactionCountByNumber": Method(self.count_transactions),
            "eth_getBlockTransactionCountByHash": Method(self.count_transactions),
            "eth_getLogs": Method(self.get_logs, heavy=True),
            "eth_newFilter": Method(filters.new_logs, heavy=True),
            "eth_newBlockFilter": Method(filters.new_blocks),
            "eth_getFilterChanges": Method(filters.changes, heavy=True),
            "eth_getFilterLogs": Method(filters.logs, heavy=True),
            "eth_uninstallFilter": Method(filters.remove),
        }

    # Blocks

    def _find(self, wanted: Any) -> Head | None:
        """Return a block by number, tag, hash, or EIP-1898 object; None when there is none."""
        if isinstance(wanted, dict):
            wanted = wanted.get("blockHash", wanted.get("blockNumber"))
        if wanted is None or wanted in _TAGS:
            return self._chain.head
        if wanted == "earliest":
            return self._chain.at(0)
        if isinstance(wanted, str) and len(wanted) == 66:
            number = self._chain.store.number_of(parameters.digest(wanted))
        else:
            number = parameters.number(wanted)
        if number is None or number > self._chain.head.header.number:
            return None
        return self._chain.head if number == self._chain.head.header.number else self._chain.at(number)

    def _known(self, wanted: Any) -> Head:
        found = self._find(wanted)
        if found is None:
            raise server_error("header not found")
        return found

    def get_block(self, wanted: Any, full: Any = False) -> object:
        head = self._find(wanted)
        if head is None:
            return None
        raws = self._chain.store.body(head.header.number)
        transactions: list[object]
        if parameters.boolean(full):
            transactions = [self._mined(raw, head, i) for i, raw in enumerate(raws)]
        else:
            transactions = [present.data(keccak(raw)) for raw in raws]
        return present.block_object(head, transactions, len(head.header.encode()) + sum(map(len, raws)))

    def _mined(self, raw: bytes, head: Head, position: int) -> object:
        return present.transaction_object(decode_transaction(raw, self._chain.chain_id), head, position)

    def count_transactions(self, wanted: Any) -> str | None:
        head = self._find(wanted)
        return None if head is None else present.quantity(len(self._chain.store.body(head.header.number)))

    # Chain transactions

    def send_raw_transaction(self, raw: Any) -> str:
        transaction: Transaction = decode_transaction(parameters.data(raw), self._chain.chain_id)
        if self._pool.add(transaction):
            self._miner.wake()
        return present.data(transaction.hash)

    def txpool_status(self) -> dict[str, str]:
        pending, queued = self._pool.counts()
        return {"pending": present.quantity(pending), "queued": present.quantity(queued)}

    def get_transaction_by_hash(self, wanted: Any) -> object:
        digest = parameters.digest(wanted)
        place = self._place(digest)
        if place is None:
            waiting = self._pool.get(digest)
            return present.transaction_object(waiting, None, 0) if waiting else None
        number, position = place
        return self._mined(self._chain.store.body(number)[position], self._known(hex(number)), position)

    def _place(self, digest: bytes) -> tuple[int, int] | None:
        """Return where a transaction was mined, once its block is the head or behind it."""
        place = self._chain.store.place_of(digest)
        return place if place and place[0] <= self._chain.head.header.number else None

    def get_transaction_in_block(self, wanted: Any, index: Any) -> object:
        head, position = self._find(wanted), parameters.number(index)
        if head is None:
            return None
        raws = self._chain.store.body(head.header.number)
        return self._mined(raws[position], head, position) if position < len(raws) else None

    def get_transaction_receipt(self, wanted: Any) -> object:
        place = self._place(parameters.digest(wanted))
        if place is None:
            return None
        number, position = place
        receipts = self._chain.store.receipts(number)
        first_log = sum(len(r.logs) for r in receipts[:position])
        return present.receipt_object(receipts[position], self._known(hex(number)), position, first_log)

    def get_block_receipts(self, wanted: Any) -> object:
        head = self._find(wanted)
        if head is None:
            return None
        found, first_log = [], 0
        for position, receipt in enumerate(self._chain.store.receipts(head.header.number)):
            found.append(present.receipt_object(receipt, head, position, first_log))
            first_log += len(receipt.logs)
        return found

    def get_logs(self, wanted: Any) -> object:
        if not isinstance(wanted, dict):
            raise invalid_params("the filter must be an object")
        if "blockHash" in wanted:
            first = last = self._known(wanted["blockHash"]).header.number
        else:
            first = self._bound(wanted.get("fromBlock"))
            last = self._bound(wanted.get("toBlock"))
        return find_logs(self._chain, wanted, first, min(last, self._chain.head.header.number))

    def _bound(self, wanted: Any) -> int:
        if wanted is None or wanted in _TAGS:
            return self._chain.head.header.number
        return 0 if wanted == "earliest" else parameters.number(wanted)

    # State

    def _account(self, owner: Any, block: Any) -> Account:
        head = self._known(block)
        return _kept(lambda: head.view.account(parameters.address(owner))) or Account()

    def get_balance(self, owner: Any, block: Any = "latest") -> str:
        return present.quantity(self._account(owner, block).balance)

    def get_transaction_count(self, owner: Any, block: Any = "latest") -> str:
        if block == "pending":
            return present.quantity(self._pool.pending_nonce(parameters.address(owner)))
        return present.quantity(self._account(owner, block).nonce)

    def get_code(self, owner: Any, block: Any = "latest") -> str:
        digest = self._account(owner, block).code_hash
        return present.data(b"" if digest == Account().code_hash else self._chain.head.view.db.code(digest))

    def get_storage_at(self, owner: Any, slot: Any, block: Any = "latest") -> str:
        view = self._known(block).view
        address, position = parameters.address(owner), parameters.slot(slot)
        account = _kept(lambda: view.account(address)) or Account()
        return present.word(_kept(lambda: view.slot(address, account.storage_root, position)))

    def get_proof(self, owner: Any, slots: Any, block: Any = "latest") -> object:
        view, address = self._known(block).view, parameters.address(owner)
        if not isinstance(slots, list) or len(slots) > 1_024:
            raise invalid_params("want a list of at most 1024 storage keys")
        wanted = [parameters.slot(s) for s in slots]
        account, proof, storage = _kept(lambda: view.prove(address, wanted))
        return {
            "address": present.data(address),
            "accountProof": [present.data(node) for node in proof],
            "balance": present.quantity(account.balance),
            "codeHash": present.data(account.code_hash),
            "nonce": present.quantity(account.nonce),
            "storageHash": present.data(account.storage_root),
            "storageProof": [
                {
                    "key": key,
                    "value": present.quantity(value),
                    "proof": [present.data(node) for node in nodes],
                }
                for key, (value, nodes) in zip(slots, storage, strict=True)
            ],
        }

    def call(self, request: Any, block: Any = "latest") -> str:
        return present.data(calls.call(self._chain, self._known(block), request))

    def estimate_gas(self, request: Any, block: Any = "latest") -> str:
        return present.quantity(calls.estimate_gas(self._chain, self._known(block), request))


def _kept(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except StateGone as error:
        raise RpcError(-32000, "missing trie node: only the states of the last blocks are kept") from error
