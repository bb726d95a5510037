"""The way of blocked dollars between clearing and the account that they are set apart in.

Of what is blocked, one more transfer into that account stands or is asked for than out of it; of what is not, none.
A custodian may carry out what the books had just ceased to ask for: it is asked back, once.
"""

from __future__ import annotations

from typing import Final

from sdt.store import Store, reserve_moves
from sdt.store.reserve_moves import Direction, ReserveMoveRow
from sdt.store.transactions import TransactionRow

__all__ = ["apart", "back", "crossed", "made_unasked", "releasing"]

_RELEASE: Final = "unblocked"
_WORDS: Final[dict[Direction, str]] = {"blocked": "blocked", "freed": _RELEASE}


def apart(store: Store, row: TransactionRow, units: int, at_ms: int) -> None:
    """Have the dollars set apart, or left where they are set apart already. Units: the token's smallest."""
    if not _stopped(store, row.id, "freed", at_ms):
        reserve_moves.want_again(store, row.id, "blocked", row.value[0], units, "blocked", at_ms)


def back(store: Store, row: TransactionRow, units: int, at_ms: int) -> bool:
    """Have the dollars in clearing; return False when the bank must bring them back first."""
    if _stopped(store, row.id, "blocked", at_ms):
        return True
    if _standing(store, row.id) < 1:
        return True
    reserve_moves.want_again(store, row.id, "freed", row.value[0], units, _RELEASE, at_ms)
    return False


def releasing(store: Store, transaction_id: str) -> ReserveMoveRow | None:
    """Return the transfer out of the blocked account that a release waits for; others make up for one that crossed."""
    return next((m for m in _open(store, transaction_id, "freed") if m.reason.startswith(_RELEASE)), None)


def crossed(store: Store, move: ReserveMoveRow, at_ms: int) -> None:
    """The bank made a transfer that was asked for no longer: the same dollars the other way."""
    other: Direction = "freed" if move.direction == "blocked" else "blocked"
    reserve_moves.want(store, move.transaction_id, other, move.token, move.units, f"crossed-{move.nth}", at_ms)


def made_unasked(store: Store, transaction_id: str, token: str, units: int, subject: str, at_ms: int) -> None:
    """Note that the bank brought back what is set apart before anybody asked: a release need not ask again."""
    apart_of_it = [m for m in reserve_moves.of_transaction(store, transaction_id) if m.direction == "blocked"]
    if _standing(store, transaction_id) == 1 and any(m.subject and m.units == units for m in apart_of_it):
        reserve_moves.want_again(store, transaction_id, "freed", token, units, "unasked", at_ms)
        reserve_moves.done(store, transaction_id, "freed", units, subject, at_ms)


def _standing(store: Store, transaction_id: str) -> int:
    moves = [move for move in reserve_moves.of_transaction(store, transaction_id) if not move.canceled]
    return sum({"blocked": 1, "freed": -1}.get(move.direction, 0) for move in moves)


def _stopped(store: Store, transaction_id: str, direction: Direction, at_ms: int) -> bool:
    """Ask no longer for one transfer this way, first for what a block or a release asked; return whether one was."""
    waiting = _open(store, transaction_id, direction)
    if not waiting:
        return False
    move = next((m for m in waiting if m.reason.startswith(_WORDS[direction])), waiting[0])
    reserve_moves.cancel(store, transaction_id, direction, at_ms, nth=move.nth)
    return True


def _open(store: Store, transaction_id: str, direction: Direction) -> list[ReserveMoveRow]:
    moves = reserve_moves.of_transaction(store, transaction_id)
    return [move for move in moves if move.direction == direction and move.done_at_ms is None]
