"""Currency that was counted for deposits, and by whose hand it came."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sdt.store import sanctions
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.tables.monitoring import CurrencyDeposit

__all__ = ["CONDUCTOR_NOTE", "CurrencyRow", "HandRow", "between", "counted", "give", "hands", "of", "put"]

CONDUCTOR_NOTE: Final = "conductor"
"""The label under which it is sealed who handed currency in."""


class CurrencyRow(NamedTuple):
    """One counted deposit. `conductor` is the digest of who handed it in; the rest of them is sealed."""

    transaction_id: str
    deposit_id: str
    account: str
    token: str
    units: int
    by_holder: bool
    conductor: str
    conductor_sealed: bytes
    counted_at_s: int

    def __repr__(self) -> str:
        return f"CurrencyRow({self.transaction_id})"


class HandRow(NamedTuple):
    """Somebody's newest currency for an account: who, sealed, and whether the bank took them for its owner."""

    deposit_id: str
    by_holder: bool
    conductor_sealed: bytes


_COLUMNS: Final = ", ".join(CurrencyRow._fields)


def put(store: Store, row: CurrencyRow) -> bool:
    """Record a counted deposit once; return whether it is new. Whoever handed it in is screened with its account."""
    with store.transaction():
        sanctions.outdate(store, row.account)
        return bool(insert_new(store, CurrencyDeposit, CurrencyRow._fields, [row], key="transaction_id"))


def of(store: Store, transaction_ids: Collection[str]) -> dict[str, CurrencyRow]:
    """Return what was counted for these deposits."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM currency_deposits WHERE {store.among('transaction_id')}",  # noqa: S608
        (store.listed(transaction_ids),),
    )
    return {row[0]: CurrencyRow(*row) for row in found}


def counted(store: Store, deposit_ids: Collection[str]) -> dict[str, CurrencyRow]:
    """Return what was counted, by the bank's own number of it."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM currency_deposits WHERE {store.among('deposit_id')}",  # noqa: S608
        (store.listed(deposit_ids),),
    )
    return {row[1]: CurrencyRow(*row) for row in found}


def hands(store: Store, account: str, limit: int) -> list[HandRow]:
    """Return by whose hands currency came for an account, as far as it is known; each once, the newest first."""
    found = store.rows(
        "SELECT c.deposit_id, c.by_holder, c.conductor_sealed FROM currency_deposits c "
        "WHERE c.account = ? AND length(c.conductor_sealed) > 0 AND NOT EXISTS (SELECT 1 FROM currency_deposits d "
        "WHERE d.conductor = c.conductor AND d.account = c.account AND length(d.conductor_sealed) > 0 "
        "AND (d.counted_at_s, d.transaction_id) > (c.counted_at_s, c.transaction_id)) "
        "ORDER BY c.counted_at_s DESC, c.transaction_id LIMIT ?",
        (account, limit),
    )
    return [HandRow(deposit_id, bool(by_holder), bytes(sealed)) for deposit_id, by_holder, sealed in found]


def give(store: Store, deposit_id: str, transaction_id: str, account: str) -> None:
    """Note for which deposit, and so for whom, currency was counted after all.

    The bank's word that its owner handed it in was about the owner that its slip named, if it named one.
    """
    with store.transaction():
        sanctions.outdate(store, account)
        changed = store.execute(
            "UPDATE currency_deposits SET transaction_id = ?, account = ?, "
            "by_holder = by_holder AND account IN ('', ?) WHERE deposit_id = ?",
            (transaction_id, account, account, deposit_id),
        ).rowcount
        assert changed == 1, "what is given was counted"


def between(store: Store, accounts: Collection[str], conductor: str, since_s: int, until_s: int) -> list[CurrencyRow]:
    """Return what was counted for these accounts or came by this hand in a span of time, in order."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM currency_deposits WHERE ({store.among('account')} OR conductor = ?) "  # noqa: S608
        "AND counted_at_s >= ? AND counted_at_s < ? ORDER BY counted_at_s, transaction_id",
        (store.listed(accounts), conductor, since_s, until_s),
    )
    return [CurrencyRow(*row) for row in found]
