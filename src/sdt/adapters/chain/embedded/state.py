"""Accounts and storage as the EVM sees them: changes with an undo log over a committed state.

Takes the place of py-evm's account database, whose five layers of journals cost more than the EVM itself. Tries
are changed once, when the block is closed.
"""

from __future__ import annotations

from typing import Any

from eth.abc import AccountDatabaseAPI

from sdt.adapters.chain.embedded import rlp, trie
from sdt.adapters.chain.embedded.keccak import keccak
from sdt.adapters.chain.embedded.view import (
    ACCOUNTS,
    EMPTY_CODE,
    Account,
    StateView,
    account_path,
    slot_path,
)

__all__ = ["BlockState"]


class BlockState(AccountDatabaseAPI):  # type: ignore[misc]
    """Changes laid over a view. A checkpoint is a length of the undo log; reverting plays it backwards."""

    def __init__(self, db: StateView, state_root: bytes) -> None:
        self._view = db
        self._accounts: dict[bytes, Account | None] = {}
        self._storage: dict[bytes, dict[int, int]] = {}
        self._written: dict[bytes, set[int]] = {}
        self._wiped: set[bytes] = set()
        self._codes: dict[bytes, bytes] = {}
        self._undo: list[tuple[Any, ...]] = []
        self._original: dict[tuple[bytes, int], int] = {}
        self._warm: set[Any] = set()

    @property
    def state_root(self) -> bytes:
        """The root before this block: the new one exists only when the block is closed."""
        return self._view.root

    @state_root.setter
    def state_root(self, value: bytes) -> None:
        if value != self._view.root:
            raise AssertionError("a block's state does not move to another root")

    def has_root(self, state_root: bytes) -> bool:
        return state_root == self._view.root

    # Accounts

    def _account(self, address: bytes) -> Account | None:
        try:
            return self._accounts[address]
        except KeyError:
            account = self._accounts[address] = self._view.account(address)
            return account

    def _set(self, address: bytes, account: Account | None) -> None:
        self._undo.append((self._accounts, address, self._account(address)))
        self._accounts[address] = account

    def _or_new(self, address: bytes) -> Account:
        return self._account(address) or Account()

    def get_balance(self, address: bytes) -> int:
        account = self._account(address)
        return account.balance if account else 0

    def set_balance(self, address: bytes, balance: int) -> None:
        self._set(address, self._or_new(address)._replace(balance=balance))

    def get_nonce(self, address: bytes) -> int:
        account = self._account(address)
        return account.nonce if account else 0

    def set_nonce(self, address: bytes, nonce: int) -> None:
        self._set(address, self._or_new(address)._replace(nonce=nonce))

    def increment_nonce(self, address: bytes) -> None:
        self.set_nonce(address, self.get_nonce(address) + 1)

    def get_code_hash(self, address: bytes) -> bytes:
        return self._or_new(address).code_hash

    def get_code(self, address: bytes) -> bytes:
        digest = self._or_new(address).code_hash
        if digest == EMPTY_CODE:
            return b""
        return self._codes.get(digest) or self._view.db.code(digest)

    def set_code(self, address: bytes, code: bytes) -> None:
        digest = keccak(code)
        self._codes[digest] = code
        self._set(address, self._or_new(address)._replace(code_hash=digest))

    def delete_code(self, address: bytes) -> None:
        self._set(address, self._or_new(address)._replace(code_hash=EMPTY_CODE))

    def account_has_code_or_nonce(self, address: bytes) -> bool:
        account = self._account(address)
        return account is not None and (account.nonce != 0 or account.code_hash != EMPTY_CODE)

    def account_exists(self, address: bytes) -> bool:
        return self._account(address) is not None

    def account_is_empty(self, address: bytes) -> bool:
        return not self.account_has_code_or_nonce(address) and self.get_balance(address) == 0

    def touch_account(self, address: bytes) -> None:
        if self._account(address) is None:
            self._set(address, Account())

    def delete_account(self, address: bytes) -> None:
        self.delete_storage(address)
        self._set(address, None)

    # Storage

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        if not from_journal:
            original = self._original.get((address, slot))
            if original is not None:
                return original
        slots = self._storage.get(address)
        if slots is None:
            slots = self._storage[address] = {}
        value = slots.get(slot)
        if value is None:
            value = slots[slot] = self._load(address, slot)
        return value

    def _load(self, address: bytes, slot: int) -> int:
        account = self._account(address)
        if account is None or address in self._wiped:
            return 0
        return self._view.slot(address, account.storage_root, slot)

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        old = self.get_storage(address, slot)
        self._original.setdefault((address, slot), old)
        self._undo.append((self._storage[address], slot, old))
        self._storage[address][slot] = value
        self._written.setdefault(address, set()).add(slot)

    def delete_storage(self, address: bytes) -> None:
        self._undo.append((self._storage, address, self._storage.get(address, {})))
        self._storage[address] = {}
        if address not in self._wiped:
            self._wiped.add(address)
            self._undo.append((self._wiped, address))

    # Access lists (EIP-2929), kept per transaction

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        self._warm_up((address, slot))

    def is_address_warm(self, address: bytes) -> bool:
        return address in self._warm

    def mark_address_warm(self, address: bytes) -> None:
        self._warm_up(address)

    def _warm_up(self, key: Any) -> None:
        if key not in self._warm:
            self._warm.add(key)
            self._undo.append((self._warm, key))

    # Checkpoints

    def record(self) -> int:
        return len(self._undo)

    def discard(self, checkpoint: int) -> None:
        undo = self._undo
        while len(undo) > checkpoint:
            entry = undo.pop()
            if len(entry) == 2:
                entry[0].discard(entry[1])
            else:
                entry[0][entry[1]] = entry[2]

    def commit(self, checkpoint: int) -> None:
        """Keep what was done since the checkpoint: nothing to do, the outer one covers it."""

    def lock_changes(self) -> None:
        """Start the next transaction: what came before it can no longer be undone."""
        self._undo.clear()
        self._original.clear()
        self._warm.clear()

    def make_state_root(self) -> bytes:
        raise NotImplementedError("use close")

    def persist(self) -> Any:
        raise NotImplementedError("use close")

    # Closing a block

    def close(self) -> tuple[bytes, dict[bytes, tuple[trie.Node, bytes] | None], dict[bytes, bytes]]:
        """Return the new root, the trie nodes to write or drop, and new code."""
        writes: dict[bytes, tuple[trie.Node, bytes] | None] = {}
        for address in self._wiped:
            writes.update(dict.fromkeys(self._view.db.store.nodes_under(b"s" + address)))
        for address, written in self._written.items():
            self._close_storage(address, written, writes)
        changes = {account_path(address): self._encoded(address) for address in self._changed()}
        root, nodes = trie.update(self._view, ACCOUNTS, self._view.root, changes) if changes else (self._view.root, {})
        writes.update(nodes)
        return root, writes, self._codes

    def _close_storage(self, address: bytes, written: set[int], writes: dict[bytes, Any]) -> None:
        account = self._account(address)
        if account is None:
            return
        fresh = address in self._wiped
        slots = self._storage.get(address, {})
        changes = {slot_path(s): _encoded_slot(slots[s]) for s in written if s in slots}
        old_root = trie.BLANK_ROOT if fresh else account.storage_root
        if changes:
            root, nodes = trie.update(self._view, b"s" + address, old_root, changes)
            writes.update(nodes)
            self._accounts[address] = account._replace(storage_root=root)

    def _changed(self) -> list[bytes]:
        view = self._view
        return [a for a, account in self._accounts.items() if account != view.account(a)]

    def _encoded(self, address: bytes) -> bytes:
        account = self._accounts[address]
        if account is None:
            return b""
        nonce, balance = rlp.int_bytes(account.nonce), rlp.int_bytes(account.balance)
        return rlp.encode([nonce, balance, account.storage_root, account.code_hash])


def _encoded_slot(value: int) -> bytes:
    return rlp.encode(rlp.int_bytes(value)) if value else b""
