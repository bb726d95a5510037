"""The committed state: trie nodes from disk and cache, as they were after a recent block.

Only the newest block's nodes are on disk; those that the last blocks replaced are kept in memory, so that a call
that began on one block ends on it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import lru_cache
from typing import NamedTuple

from lru import LRU

from sdt.adapters.chain.embedded import rlp, trie
from sdt.adapters.chain.embedded.keccak import keccak
from sdt.adapters.chain.embedded.store import Store

__all__ = ["ACCOUNTS", "EMPTY_CODE", "Account", "StateDb", "StateGone", "StateView", "account_path", "slot_path"]

EMPTY_CODE = keccak(b"")
ACCOUNTS = b"a"  # key prefix of the account trie; a storage trie has b"s" + address
_NODES_CACHED = 40_000
_HISTORY_BLOCKS = 128
_HISTORY_BLOCKS_MIN = 8
_HISTORY_NODES = 40_000


class Account(NamedTuple):
    """What the account trie holds for an address."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = trie.BLANK_ROOT
    code_hash: bytes = EMPTY_CODE


class StateGone(Exception):
    """The state of that block is no longer kept."""


@lru_cache(maxsize=32_768)
def slot_path(slot: int) -> bytes:
    """Return where a slot is in its storage trie."""
    return trie.nibbles(keccak(slot.to_bytes(32, "big")))


@lru_cache(maxsize=4_096)
def account_path(address: bytes) -> bytes:
    """Return where an address is in the account trie."""
    return trie.nibbles(keccak(address))


class StateDb:
    """State nodes: the newest block's from disk and cache, the last few blocks' from what was replaced.

    A block's old nodes are remembered *before* it is written, so a reader of its parent never sees the new ones.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._cache: LRU[bytes, trie.Node | None] = LRU(_NODES_CACHED)
        self._codes: dict[bytes, bytes] = {}
        self._replaced: OrderedDict[int, dict[bytes, trie.Node | None]] = OrderedDict()
        self._replaced_count = 0
        self._oldest = store.height() or 0

    def node_at(self, key: bytes, number: int) -> trie.Node | None:
        """Return a node as it was after block `number`. Errors: StateGone."""
        with self._lock:
            if number < self._oldest:
                raise StateGone
            for block in range(number + 1, self._newest() + 1):
                replaced = self._replaced.get(block)
                if replaced is not None and key in replaced:
                    return replaced[key]
            return self._current(key)

    def _newest(self) -> int:
        return next(reversed(self._replaced), 0)

    def _current(self, key: bytes) -> trie.Node | None:
        try:
            return self._cache[key]
        except KeyError:
            encoded = self.store.node(key)
            node = None if encoded is None else rlp.decode(encoded)
            self._cache[key] = node  # type: ignore[assignment]
            return node  # type: ignore[return-value]

    def code(self, digest: bytes) -> bytes:
        """Return contract code; there is little of it, so all that was used stays in memory."""
        code = self._codes.get(digest)
        if code is None:
            code = self._codes[digest] = self.store.code(digest) or b""
        return code

    def begin(self, number: int, writes: dict[bytes, tuple[trie.Node, bytes] | None]) -> None:
        """Remember what a block is about to replace, and show its nodes to readers of that block."""
        with self._lock:
            old: dict[bytes, trie.Node | None] = {key: self._current(key) for key in writes}
            self._replaced[number] = old
            self._replaced_count += len(old)
            for key, write in writes.items():
                self._cache[key] = write[0] if write else None
            while self._replaced and (
                len(self._replaced) > _HISTORY_BLOCKS
                or (self._replaced_count > _HISTORY_NODES and len(self._replaced) > _HISTORY_BLOCKS_MIN)
            ):
                self._oldest, dropped = self._replaced.popitem(last=False)
                self._replaced_count -= len(dropped)


class StateView:
    """The state after one block, read-only. Errors: StateGone from any read."""

    def __init__(self, db: StateDb, number: int, root: bytes) -> None:
        self.db = db
        self.number = number
        self.root = root

    def node(self, key: bytes) -> trie.Node:
        node = self.db.node_at(key, self.number)
        if node is None:
            raise AssertionError(f"missing trie node {key.hex()}")
        return node

    def account(self, address: bytes) -> Account | None:
        encoded = trie.get(self, ACCOUNTS, self.root, account_path(address))
        if not encoded:
            return None
        nonce, balance, storage_root, code_hash = rlp.decode(encoded)
        return Account(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash)  # type: ignore[arg-type]

    def slot(self, address: bytes, storage_root: bytes, slot: int) -> int:
        if storage_root == trie.BLANK_ROOT:
            return 0
        encoded = trie.get(self, b"s" + address, storage_root, slot_path(slot))
        return int.from_bytes(rlp.decode(encoded), "big") if encoded else 0  # type: ignore[arg-type]

    def prove(self, address: bytes, slots: list[int]) -> tuple[Account, list[bytes], list[tuple[int, list[bytes]]]]:
        """Return the account, its proof, and each slot's value and proof (EIP-1186)."""
        account = self.account(address) or Account()
        storage = [
            (
                self.slot(address, account.storage_root, slot),
                trie.prove(self, b"s" + address, account.storage_root, slot_path(slot)),
            )
            for slot in slots
        ]
        return account, trie.prove(self, ACCOUNTS, self.root, account_path(address)), storage
