"""Linked bank accounts, and what bank and vault did for each transaction. What they are is sealed by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from sdt.domain.errors import Conflict
from sdt.store import sanctions
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.tables.core import BankAccount, BankEntry

__all__ = [
    "BankAccountRow",
    "BankEntryRow",
    "accounts_of",
    "bank_account",
    "entries",
    "entries_of",
    "entry",
    "forget_details",
    "link_account",
    "put_entry",
    "set_account_status",
    "set_details",
    "update_entry",
]

Direction = Literal["debit", "credit", "book", "in", "out"]


class BankAccountRow(NamedTuple):
    """A user's bank account. `ref` is opaque, `mask` may be shown, the details are sealed."""

    ref: str
    user_id: str
    account: str
    details_sealed: bytes
    mask: str
    status: str
    created_at_ms: int


class BankEntryRow(NamedTuple):
    """One entry at the bank (debit, credit, book) or the vault (in, out). Units: the token's smallest unit."""

    id: str
    transaction_id: str
    direction: Direction
    token: str
    units: int
    external_id: str | None
    status: str
    code: str | None
    updated_at_ms: int


_ACCOUNT: Final = ", ".join(BankAccountRow._fields)
_ENTRY: Final = ", ".join(BankEntryRow._fields)


def link_account(store: Store, row: BankAccountRow) -> None:
    """Add a bank account, whose holder is screened from now on. Errors: Conflict when the reference is taken."""
    with store.transaction():
        sanctions.outdate(store, row.account)
        if not insert_new(store, BankAccount, BankAccountRow._fields, [row], key="ref"):
            raise Conflict("This bank account is linked already.", code="bank_account_linked")


def set_account_status(store: Store, ref: str, status: str) -> None:
    """Change where the verification of a bank account stands."""
    with store.transaction():
        changed = store.execute("UPDATE bank_accounts SET status = ? WHERE ref = ?", (status, ref)).rowcount
        assert changed == 1, "there is no such bank account"


def set_details(store: Store, ref: str, details_sealed: bytes, *, mask: str | None = None) -> None:
    """Replace what is known of a bank account, sealed by the caller; without a mask that stays what it was.

    Whoever it names now is screened with its account.
    """
    with store.transaction():
        linked = bank_account(store, ref)
        assert linked is not None, "there is no such bank account"
        sanctions.outdate(store, linked.account)
        changed = store.execute(
            "UPDATE bank_accounts SET details_sealed = ?, mask = coalesce(CAST(? AS VARCHAR(16)), mask) WHERE ref = ?",
            (details_sealed, mask, ref),
        ).rowcount
        assert changed == 1, "there is no such bank account"


def forget_details(store: Store, user_id: str) -> None:
    """Forget what the bank accounts of an erased user are; their references stand in messages."""
    store.execute("UPDATE bank_accounts SET details_sealed = ?, mask = 'erased' WHERE user_id = ?", (b"", user_id))


def bank_account(store: Store, ref: str, *, lock: bool = False) -> BankAccountRow | None:
    """Return a bank account by its reference; with `lock` nobody else changes it until the transaction ends."""
    tail = " FOR UPDATE" if lock and store.postgres else ""
    found = store.row(f"SELECT {_ACCOUNT} FROM bank_accounts WHERE ref = ?{tail}", (ref,))  # noqa: S608
    return BankAccountRow(*found) if found else None


def accounts_of(store: Store, user_id: str) -> list[BankAccountRow]:
    """Return the bank accounts of a user, oldest first."""
    found = store.rows(
        f"SELECT {_ACCOUNT} FROM bank_accounts WHERE user_id = ? ORDER BY created_at_ms, ref",  # noqa: S608
        (user_id,),
    )
    return [BankAccountRow(*row) for row in found]


def put_entry(store: Store, row: BankEntryRow) -> bool:
    """Record an entry once; return whether it is new."""
    with store.transaction():
        return bool(insert_new(store, BankEntry, BankEntryRow._fields, [row], key="id"))


def update_entry(
    store: Store, id: str, *, status: str, code: str | None, at_ms: int, external_id: str | None = None
) -> None:
    """Write where an entry stands; an external id that is not given stays what it was."""
    with store.transaction():
        changed = store.execute(
            "UPDATE bank_entries SET status = ?, code = ?, updated_at_ms = ?, "
            "external_id = coalesce(CAST(? AS VARCHAR(64)), external_id) WHERE id = ?",
            (status, code, at_ms, external_id, id),
        ).rowcount
        assert changed == 1, f"there is no entry {id}"


def entry(store: Store, id: str, *, lock: bool = False) -> BankEntryRow | None:
    """Return an entry; with `lock` nobody else changes it until the transaction ends."""
    tail = " FOR UPDATE" if lock and store.postgres else ""
    found = store.row(f"SELECT {_ENTRY} FROM bank_entries WHERE id = ?{tail}", (id,))  # noqa: S608
    return BankEntryRow(*found) if found else None


def entries(store: Store, statuses: Sequence[str]) -> list[BankEntryRow]:
    """Return the entries that stand in one of these statuses."""
    return _entries(store, store.among("status"), statuses)


def entries_of(store: Store, transaction_ids: Sequence[str]) -> list[BankEntryRow]:
    """Return the entries made for these transactions."""
    return _entries(store, store.among("transaction_id"), transaction_ids)


def _entries(store: Store, condition: str, values: Sequence[str]) -> list[BankEntryRow]:
    found: list[Any] = store.rows(
        f"SELECT {_ENTRY} FROM bank_entries WHERE {condition} ORDER BY id",  # noqa: S608
        (store.listed(values),),
    )
    return [BankEntryRow(*row) for row in found]
