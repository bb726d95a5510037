"""Dollars blocked for sanctions: whose, how much, by which order, and since when. For the compliance role alone."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from sdt.store.database import Store

__all__ = ["BlockedRow", "block", "get", "in_force", "last_ended_ms", "of_account", "refer", "unblock"]

Side = Literal["deposit", "payout"]


class BlockedRow(NamedTuple):
    """One amount that is blocked. Units: the token's smallest; times in unix milliseconds."""

    transaction_id: str
    account: str
    token: str
    units: int
    side: Side
    reference: str
    blocked_at_ms: int
    ended_at_ms: int | None


_COLUMNS: Final = ", ".join(BlockedRow._fields)


def block(store: Store, row: BlockedRow) -> bool:
    """Note that an amount is blocked; return whether it was not before."""
    with store.transaction():
        written: int = store.execute(
            f"INSERT INTO blocked_funds ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (transaction_id) DO UPDATE SET ended_at_ms = NULL, reference = excluded.reference, "
            "blocked_at_ms = excluded.blocked_at_ms WHERE blocked_funds.ended_at_ms IS NOT NULL",
            tuple(row),
        ).rowcount
    return written == 1


def refer(store: Store, transaction_id: str, reference: str, at_ms: int) -> None:
    """Note by which case or order it is blocked from now on."""
    with store.transaction():
        store.execute(
            "UPDATE blocked_funds SET reference = ?, blocked_at_ms = ? "
            "WHERE transaction_id = ? AND ended_at_ms IS NULL",
            (reference, at_ms, transaction_id),
        )


def unblock(store: Store, transaction_id: str, at_ms: int) -> None:
    """Note that a licence, or a mistake found, ended it."""
    with store.transaction():
        store.execute(
            "UPDATE blocked_funds SET ended_at_ms = ? WHERE transaction_id = ? AND ended_at_ms IS NULL",
            (at_ms, transaction_id),
        )


def get(store: Store, transaction_id: str) -> BlockedRow | None:
    """Return what is blocked of a transaction now."""
    found = store.row(
        f"SELECT {_COLUMNS} FROM blocked_funds WHERE transaction_id = ? AND ended_at_ms IS NULL",  # noqa: S608
        (transaction_id,),
    )
    return BlockedRow(*found) if found else None


def in_force(store: Store) -> list[BlockedRow]:
    """Return everything that is blocked now, the oldest first."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM blocked_funds WHERE ended_at_ms IS NULL ORDER BY blocked_at_ms, transaction_id"  # noqa: S608
    )
    return [BlockedRow(*row) for row in found]


def of_account(store: Store, account: str) -> list[str]:
    """Return the transactions of an account whose dollars are blocked now, the oldest first."""
    found = store.rows(
        "SELECT transaction_id FROM blocked_funds WHERE account = ? AND ended_at_ms IS NULL "
        "ORDER BY blocked_at_ms, transaction_id",
        (account,),
    )
    return [transaction_id for (transaction_id,) in found]


def last_ended_ms(store: Store, account: str) -> int:
    """Return when the newest block of an account's dollars ended, 0 for none that did. Units: unix milliseconds."""
    (at_ms,) = store.row("SELECT max(ended_at_ms) FROM blocked_funds WHERE account = ?", (account,))
    return int(at_ms or 0)
