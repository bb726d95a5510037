"""Book transfers that the books ask of the custodian: wanted with their reason, done when the bank's statement shows
them. Fund, then mint; burn, then release.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from sdt.store.database import Store

__all__ = [
    "Direction",
    "ReserveMoveRow",
    "cancel",
    "done",
    "of_transaction",
    "open_moves",
    "stands_ahead",
    "want",
    "want_again",
]

Direction = Literal["in", "out", "blocked", "freed"]
"""Into the reserve, out of it (both against clearing), from clearing into the blocked account, or back from there."""


class ReserveMoveRow(NamedTuple):
    """One book transfer. Units: the token's smallest; times in unix milliseconds, `done_at_ms` None while wanted."""

    transaction_id: str
    direction: Direction
    nth: int
    token: str
    units: int
    reason: str
    wanted_at_ms: int
    done_at_ms: int | None
    subject: str | None

    @property
    def canceled(self) -> bool:
        """Whether it is asked for no longer, and the bank has not shown it."""
        return self.done_at_ms is not None and self.subject is None


_COLUMNS: Final = ", ".join(ReserveMoveRow._fields)


def want(
    store: Store, transaction_id: str, direction: Direction, token: str, units: int, reason: str, at_ms: int
) -> None:
    """Ask for a transfer; asking again under the same reason asks once, unless that was canceled meanwhile."""
    known = [move for move in of_transaction(store, transaction_id) if move.direction == direction]
    if any(move.reason == reason and (move.done_at_ms is None or move.subject is not None) for move in known):
        return
    with store.transaction():
        store.execute(
            f"INSERT INTO reserve_moves ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",  # noqa: S608
            (transaction_id, direction, len(known) + 1, token, units, reason, at_ms),
        )


def done(
    store: Store, transaction_id: str, direction: Direction, units: int, subject: str, at_ms: int
) -> ReserveMoveRow | None:
    """Note that the bank's statement shows a transfer; return what was asked for, as it stood; None for nothing.

    A line does not say which of several it is: what is still asked for is done first, then what was canceled.
    """
    found = [
        move
        for move in of_transaction(store, transaction_id)
        if move.direction == direction and move.units == units and move.subject is None
    ]
    if not found:
        return None
    move = min(found, key=lambda one: (one.canceled, one.nth))
    with store.transaction():
        store.execute(
            "UPDATE reserve_moves SET done_at_ms = ?, subject = ? "
            "WHERE transaction_id = ? AND direction = ? AND nth = ?",
            (at_ms, subject, transaction_id, direction, move.nth),
        )
    return move


def want_again(
    store: Store, transaction_id: str, direction: Direction, token: str, units: int, word: str, at_ms: int
) -> None:
    """Ask for a transfer under a reason of its own: the word, numbered when there were moves that way."""
    nth = sum(move.direction == direction for move in of_transaction(store, transaction_id)) + 1
    reason = word if nth == 1 else f"{word}-{nth}"
    want(store, transaction_id, direction, token, units, reason, at_ms)


def cancel(store: Store, transaction_id: str, direction: Direction, at_ms: int, *, nth: int | None = None) -> None:
    """Ask no longer for what was not done yet, or for one of it. Should the bank show it after all, `done` finds it."""
    with store.transaction():
        store.execute(
            "UPDATE reserve_moves SET done_at_ms = ? WHERE transaction_id = ? AND direction = ? "
            "AND done_at_ms IS NULL AND nth = coalesce(?, nth)",
            (at_ms, transaction_id, direction, nth),
        )


def stands_ahead(store: Store, deposit: str) -> bool:
    """Return whether dollars of a deposit that is not minted went into the reserve and were not asked back."""
    moves = of_transaction(store, deposit)
    made = sum(move.direction == "in" and move.subject is not None for move in moves)
    return made > sum(move.direction == "out" for move in moves)


def of_transaction(store: Store, transaction_id: str) -> list[ReserveMoveRow]:
    """Return every transfer asked for on account of a transaction, in order."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM reserve_moves WHERE transaction_id = ? ORDER BY direction, nth",  # noqa: S608
        (transaction_id,),
    )
    return [ReserveMoveRow(*row) for row in found]


def open_moves(store: Store, limit: int, token: str | None = None) -> list[ReserveMoveRow]:
    """Return what is asked for and not yet seen done, of one token or all, the oldest first."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM reserve_moves WHERE done_at_ms IS NULL "  # noqa: S608
        "AND (CAST(? AS VARCHAR(12)) IS NULL OR token = ?) ORDER BY wanted_at_ms, transaction_id LIMIT ?",
        (token, token, limit),
    )
    return [ReserveMoveRow(*row) for row in found]
