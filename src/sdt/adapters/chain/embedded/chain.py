"""The chain: its head, the next block, and calls against the state of a recent one.

Block time is whole seconds, never before the parent's and never ahead of the clock: several blocks may share a
second. Ethereum's own rule (later than the parent) would drive the chain's clock ahead of real time at several
blocks a second, and rules, deadlines and attestations on chain compare against it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sdt.adapters.chain.embedded import rlp, trie
from sdt.adapters.chain.embedded.errors import server_error
from sdt.adapters.chain.embedded.evm import Evm, Outcome
from sdt.adapters.chain.embedded.header import Header, bloom_of, decode_header
from sdt.adapters.chain.embedded.keccak import keccak
from sdt.adapters.chain.embedded.store import BlockRecord, Receipt, Store
from sdt.adapters.chain.embedded.transaction import Transaction
from sdt.adapters.chain.embedded.view import StateDb, StateView

__all__ = ["Chain", "Head"]

_ANCESTORS = 256
_GENESIS_PARENT = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """A block that is on disk, and the way to its state."""

    hash: bytes
    header: Header
    view: StateView


class Chain:
    """One writer (the miner's thread) appends blocks; any thread reads."""

    def __init__(self, path: Path, *, chain_id: int, gas_limit: int, clock: Callable[[], float] = time.time) -> None:
        self.store = Store(path)
        self.chain_id = chain_id
        self.gas_limit = gas_limit
        self._clock = clock
        self._states = StateDb(self.store)
        self._check_identity()
        height = self.store.height()
        self.head = self._genesis() if height is None else self.at(height)
        self._ancestors = deque(self.store.hashes(self.head.header.number, _ANCESTORS), maxlen=_ANCESTORS)

    def _check_identity(self) -> None:
        written = self.store.meta("chain_id")
        if written is None:
            self.store.set_meta("chain_id", str(self.chain_id).encode())
        elif written != str(self.chain_id).encode():
            raise ValueError(f"this file holds chain {written.decode()}, not {self.chain_id}")

    def _genesis(self) -> Head:
        header = Header(
            number=0,
            parent=_GENESIS_PARENT,
            timestamp=int(self._clock()),
            gas_limit=self.gas_limit,
            gas_used=0,
            state_root=trie.BLANK_ROOT,
            transactions_root=trie.BLANK_ROOT,
            receipts_root=trie.BLANK_ROOT,
            bloom=bytes(256),
        )
        encoded = header.encode()
        self.store.append(BlockRecord(0, keccak(encoded), encoded, [], []))
        return Head(keccak(encoded), header, StateView(self._states, 0, header.state_root))

    def at(self, number: int) -> Head:
        """Return a block by number. Errors: RpcError when there is none."""
        found = self.store.header(number)
        if found is None:
            raise server_error("header not found")
        block_hash, encoded = found
        header = decode_header(encoded)
        return Head(block_hash, header, StateView(self._states, number, header.state_root))

    # Running

    def evm_on(self, head: Head) -> Evm:
        """Return an EVM for calls: it sees the block's own number and time, as geth's does."""
        header = head.header
        return Evm(
            head.view,
            number=header.number,
            timestamp=header.timestamp,
            gas_limit=header.gas_limit,
            chain_id=self.chain_id,
            ancestors=self.store.hashes(header.number - 1, _ANCESTORS),
        )

    def append_empty(self) -> None:
        """Add a block with nothing in it."""
        evm, timestamp = self._next_evm()
        self._close(evm, timestamp, [], [])

    def append(self, transactions: Iterable[Transaction], budget_s: float) -> list[Transaction]:
        """Run transactions as the next block, write it and make it the head; return what it refused.

        The block closes when the next transaction does not fit its gas or the budget of time is spent. A refused
        transaction (nonce or funds wrong by now) leaves no trace, and nothing but refused ones makes no block.
        """
        evm, timestamp = self._next_evm()
        included: list[Transaction] = []
        receipts: list[Receipt] = []
        refused: list[Transaction] = []
        gas_left = self.gas_limit
        stop_at = time.monotonic() + budget_s
        for transaction in transactions:
            if transaction.gas > gas_left:
                break
            if not _payable(evm, transaction):
                refused.append(transaction)
                continue
            outcome = evm.run(transaction)
            gas_left -= outcome.gas_used
            included.append(transaction)
            receipts.append(_receipt(transaction, outcome, self.gas_limit - gas_left))
            if time.monotonic() > stop_at:
                break
        if included:
            self._close(evm, timestamp, included, receipts)
        return refused

    def _next_evm(self) -> tuple[Evm, int]:
        """Return the next block's EVM and its timestamp."""
        parent = self.head
        timestamp = max(parent.header.timestamp, int(self._clock()))
        evm = Evm(
            parent.view,
            number=parent.header.number + 1,
            timestamp=timestamp,
            gas_limit=self.gas_limit,
            chain_id=self.chain_id,
            ancestors=tuple(self._ancestors),
        )
        return evm, timestamp

    def _close(self, evm: Evm, timestamp: int, included: list[Transaction], receipts: list[Receipt]) -> None:
        parent = self.head
        root, writes, codes = evm.accounts.close()
        number = parent.header.number + 1
        bloom = 0
        for receipt in receipts:
            bloom |= int.from_bytes(receipt.bloom, "big")
        header = Header(
            number=number,
            parent=parent.hash,
            timestamp=timestamp,
            gas_limit=self.gas_limit,
            gas_used=receipts[-1].cumulative_gas if receipts else 0,
            state_root=root,
            transactions_root=trie.ordered_root([t.raw for t in included]),
            receipts_root=trie.ordered_root([encode_receipt(r) for r in receipts]),
            bloom=bloom.to_bytes(256, "big"),
        )
        encoded = header.encode()
        block_hash = keccak(encoded)
        self._states.begin(number, writes)
        self.store.append(
            BlockRecord(
                number=number,
                hash=block_hash,
                header=encoded,
                raw_transactions=[t.raw for t in included],
                receipts=receipts,
                nodes={key: write[1] if write else None for key, write in writes.items()},
                codes=codes,
            )
        )
        self._ancestors.appendleft(block_hash)
        self.head = Head(block_hash, header, StateView(self._states, number, root))

    def close(self) -> None:
        self.store.close()


def _payable(evm: Evm, transaction: Transaction) -> bool:
    cost = transaction.value + transaction.gas * transaction.gas_price
    if evm.accounts.get_nonce(transaction.sender) != transaction.nonce:
        return False
    return not cost or evm.accounts.get_balance(transaction.sender) >= cost


def _receipt(transaction: Transaction, outcome: Outcome, cumulative_gas: int) -> Receipt:
    return Receipt(
        transaction=transaction.hash,
        sender=transaction.sender,
        to=transaction.to,
        contract=outcome.created,
        status=0 if outcome.error else 1,
        type=transaction.type,
        gas_used=outcome.gas_used,
        cumulative_gas=cumulative_gas,
        bloom=bloom_of(outcome.logs).to_bytes(256, "big"),
        logs=outcome.logs,
    )


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the receipt as the header's root commits to it. Source: EIP-658, EIP-2718."""
    logs: list[rlp.Item] = [[log.address, log.topics, log.data] for log in receipt.logs]
    status = rlp.int_bytes(receipt.status)
    body = rlp.encode([status, rlp.int_bytes(receipt.cumulative_gas), receipt.bloom, logs])
    return bytes((receipt.type,)) + body if receipt.type else body
