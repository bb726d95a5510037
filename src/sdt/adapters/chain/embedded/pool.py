"""Chain transactions that wait for a block: ordered by nonce within a sender, by arrival between senders.

It lives in memory, as in a real node: a restart forgets it and senders send again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from sdt.adapters.chain.embedded.errors import server_error
from sdt.adapters.chain.embedded.transaction import Transaction

__all__ = ["Pool"]

_TRANSACTIONS_MAX = 5_120
_PER_SENDER_MAX = 2_048


class Pool:
    """Safe from any thread; `nonce_of` reads the newest block."""

    def __init__(self, *, nonce_of: Callable[[bytes], int], balance_of: Callable[[bytes], int], gas_limit: int) -> None:
        self._nonce_of = nonce_of
        self._balance_of = balance_of
        self._gas_limit = gas_limit
        self._lock = threading.Lock()
        self._senders: dict[bytes, dict[int, Transaction]] = {}
        self._by_hash: dict[bytes, Transaction] = {}
        self._arrivals: dict[bytes, int] = {}
        self._arrived = 0

    def add(self, transaction: Transaction) -> bool:
        """Take a transaction in; return whether a block could include it now (no gap before its nonce).

        Errors: RpcError with geth's words ("already known", "nonce too low", "exceeds block gas limit", ...).
        """
        with self._lock:
            if transaction.hash in self._by_hash:
                raise server_error("already known")
            self._check(transaction)
            waiting = self._senders.setdefault(transaction.sender, {})
            waiting[transaction.nonce] = transaction
            self._by_hash[transaction.hash] = transaction
            self._arrived += 1
            self._arrivals[transaction.hash] = self._arrived
            return self._next_nonce(transaction.sender) > transaction.nonce

    def _check(self, transaction: Transaction) -> None:
        if transaction.gas > self._gas_limit:
            raise server_error("exceeds block gas limit")
        if transaction.gas < transaction.intrinsic_gas:
            raise server_error("intrinsic gas too low")
        if transaction.nonce < self._nonce_of(transaction.sender):
            raise server_error("nonce too low")
        cost = transaction.value + transaction.gas * transaction.gas_price
        if cost and self._balance_of(transaction.sender) < cost:
            raise server_error("insufficient funds for gas * price + value")
        waiting = self._senders.get(transaction.sender, {})
        if transaction.nonce in waiting:
            raise server_error("replacement transaction underpriced")
        if len(self._by_hash) >= _TRANSACTIONS_MAX or len(waiting) >= _PER_SENDER_MAX:
            raise server_error("txpool is full")

    def get(self, transaction_hash: bytes) -> Transaction | None:
        with self._lock:
            return self._by_hash.get(transaction_hash)

    def pending_nonce(self, sender: bytes) -> int:
        """Return the nonce that the sender's next transaction should have."""
        with self._lock:
            return self._next_nonce(sender)

    def _next_nonce(self, sender: bytes) -> int:
        nonce = self._nonce_of(sender)
        waiting = self._senders.get(sender, {})
        while nonce in waiting:
            nonce += 1
        return nonce

    def counts(self) -> tuple[int, int]:
        """Return how many transactions could be mined now, and how many wait behind a gap."""
        with self._lock:
            ready = sum(self._next_nonce(s) - self._nonce_of(s) for s in self._senders)
            return ready, len(self._by_hash) - ready

    def ready(self) -> Iterator[Transaction]:
        """Yield what the next block may include, one at a time, so that late arrivals still get in."""
        taken: dict[bytes, int] = {}
        while (transaction := self._oldest(taken)) is not None:
            taken[transaction.sender] = transaction.nonce + 1
            yield transaction

    def _oldest(self, taken: dict[bytes, int]) -> Transaction | None:
        with self._lock:
            heads = [
                waiting[nonce]
                for sender, waiting in self._senders.items()
                if (nonce := taken.get(sender) or self._nonce_of(sender)) in waiting
            ]
            return min(heads, key=lambda t: self._arrivals[t.hash], default=None)

    def settle(self, refused: list[Transaction]) -> None:
        """Forget what the newest block included, and what it refused."""
        with self._lock:
            for transaction in refused:
                self._drop(transaction)
            for sender in list(self._senders):
                nonce = self._nonce_of(sender)
                for transaction in [t for n, t in self._senders[sender].items() if n < nonce]:
                    self._drop(transaction)

    def _drop(self, transaction: Transaction) -> None:
        waiting = self._senders.get(transaction.sender, {})
        if waiting.pop(transaction.nonce, None) is not None:
            self._by_hash.pop(transaction.hash, None)
            self._arrivals.pop(transaction.hash, None)
        if not waiting:
            self._senders.pop(transaction.sender, None)
