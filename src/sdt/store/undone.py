"""What a bank undid of a transaction, until it is set right: a deposit that is owed, a payout that came back.

While an account owes a deposit, its outgoing payments are on hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from sdt.store.database import Store

__all__ = ["UndoneRow", "debts", "end", "get", "in_force", "of_account", "on_hold", "open_one"]

Kind = Literal["debt", "payout"]


class UndoneRow(NamedTuple):
    """One of them. Units: the token's smallest, as the bank undid it; times in unix milliseconds."""

    transaction_id: str
    kind: Kind
    account: str
    token: str
    units: int
    code: str | None
    opened_at_ms: int
    ended_at_ms: int | None


_COLUMNS: Final = ", ".join(UndoneRow._fields)


def open_one(store: Store, row: UndoneRow) -> None:
    """Begin it; what was set right and is undone once more (a contested return) begins anew."""
    with store.transaction():
        store.execute(
            f"INSERT INTO undone ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (transaction_id) DO UPDATE SET ended_at_ms = NULL, code = excluded.code",
            tuple(row),
        )


def end(store: Store, transaction_id: str, at_ms: int) -> None:
    """It is set right, or an officer has it; a hold that came with it ends."""
    with store.transaction():
        store.execute(
            "UPDATE undone SET ended_at_ms = ? WHERE transaction_id = ? AND ended_at_ms IS NULL",
            (at_ms, transaction_id),
        )


def get(store: Store, transaction_id: str) -> UndoneRow | None:
    """Return what is undone of a transaction now."""
    found = store.row(
        f"SELECT {_COLUMNS} FROM undone WHERE transaction_id = ? AND ended_at_ms IS NULL",  # noqa: S608
        (transaction_id,),
    )
    return UndoneRow(*found) if found else None


def in_force(store: Store, token: str, limit: int) -> list[UndoneRow]:
    """Return what waits to be set right, the oldest first."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM undone WHERE token = ? AND ended_at_ms IS NULL "  # noqa: S608
        "ORDER BY opened_at_ms, transaction_id LIMIT ?",
        (token, limit),
    )
    return [UndoneRow(*row) for row in found]


def of_account(store: Store, account: str, token: str) -> list[UndoneRow]:
    """Return what is undone of an account's transactions in one token."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM undone WHERE account = ? AND token = ? AND ended_at_ms IS NULL "  # noqa: S608
        "ORDER BY opened_at_ms, transaction_id",
        (account, token),
    )
    return [UndoneRow(*row) for row in found]


def on_hold(store: Store, accounts: Iterable[str]) -> set[tuple[str, str]]:
    """Return which of these accounts owe a deposit, in which token. Shape: (account, token)."""
    among = store.among("account")
    found = store.rows(
        f"SELECT account, token FROM undone WHERE kind = 'debt' AND ended_at_ms IS NULL AND {among}",  # noqa: S608
        (store.listed(list(accounts)),),
    )
    return {(account, token) for account, token in found}


def debts(store: Store, token: str) -> int:
    """Return what all depositors together owe of a token. Units: the token's smallest."""
    (total,) = store.row(
        "SELECT coalesce(sum(a.debits - a.credits), 0) FROM undone u "
        "JOIN ledger_accounts a ON a.name = 'Receivable:' || u.token || ':' || u.transaction_id "
        "WHERE u.token = ? AND u.kind = 'debt' AND u.ended_at_ms IS NULL",
        (token,),
    )
    return int(total)
