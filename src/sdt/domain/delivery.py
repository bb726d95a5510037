"""Metal handed over for tokens: the life of one delivery, and which whole bars make up an amount. Pure.

The order of acts is the proof that nobody gets metal and keeps the tokens, nor the other way round: bars are locked and
brought to the counter, then the tokens are burnt, then the bars are handed over. A bar that is lost before the burn
costs the holder nothing: the tokens are theirs. After the burn the metal is owed, until other bars are there for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

__all__ = ["BARS_MAX", "OPEN", "DeliveryEvent", "DeliveryStatus", "choose_bars", "follow"]

BARS_MAX: Final = 100
"""Bars in one order at most."""
TRIES_MAX: Final = 20_000
"""Combinations tried before it is said that none fits: bars that all differ have more than anybody can try."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WANTED = "wanted"
    """The tokens are held; no bars were chosen yet."""
    CHOSEN = "chosen"
    """Bars are written down; the depository is being asked to lock them."""
    LOCKED = "locked"
    """The depository has set them aside; a clerk brings them to the counter."""
    PICKED = "picked"
    """They are at the counter; now the tokens may be burnt."""
    HANDED_OVER = "handed_over"
    """They have left the vault."""
    OWED = "owed"
    """The tokens are burnt and a bar is lost: the metal is owed until other bars are there."""
    CANCELED = "canceled"
    """Nothing was burnt and the bars are free."""


class DeliveryEvent(StrEnum):
    """What can happen to a delivery."""

    CHOOSE = "choose"
    LOCK = "lock"
    TAKEN = "taken"
    """The chosen bars went to somebody else first."""
    PICK = "pick"
    HAND_OVER = "hand_over"
    BREAK = "break"
    """After the burn a bar was found lost or too light."""
    CANCEL = "cancel"


_S, _E = DeliveryStatus, DeliveryEvent

NEXT: Final[Mapping[tuple[DeliveryStatus, DeliveryEvent], DeliveryStatus]] = {
    (_S.WANTED, _E.CHOOSE): _S.CHOSEN,
    (_S.OWED, _E.CHOOSE): _S.CHOSEN,
    (_S.CHOSEN, _E.LOCK): _S.LOCKED,
    (_S.CHOSEN, _E.TAKEN): _S.WANTED,
    (_S.LOCKED, _E.PICK): _S.PICKED,
    (_S.PICKED, _E.HAND_OVER): _S.HANDED_OVER,
    **{(s, _E.BREAK): _S.OWED for s in (_S.CHOSEN, _S.LOCKED, _S.PICKED)},
    **{(s, _E.CANCEL): _S.CANCELED for s in (_S.WANTED, _S.CHOSEN, _S.LOCKED, _S.PICKED)},
}

OPEN: Final = (_S.WANTED, _S.CHOSEN, _S.LOCKED, _S.PICKED, _S.OWED)


def follow(status: DeliveryStatus, event: DeliveryEvent) -> DeliveryStatus:
    """Return what follows. An unknown pair is a bug in the caller (AssertionError)."""
    following = NEXT.get((status, event))
    assert following is not None, f"{event} cannot happen to a delivery that is {status}"
    return following


def choose_bars(bars: Sequence[tuple[str, int]], units: int) -> tuple[str, ...] | None:
    """Return whole bars that weigh exactly `units`, the oldest of each weight, or None when none were found.

    The same bars and amount always give the same choice. Shape: (bar_id, fine weight), oldest first.
    Units: fine metal in the token's smallest unit.
    """
    there = Counter(fine for _, fine in bars)
    weights = sorted(there, reverse=True)
    counts = _combination(weights, there, units)
    if counts is None:
        return None
    chosen = []
    for bar_id, fine in bars:
        if counts.get(fine, 0):
            counts[fine] -= 1
            chosen.append(bar_id)
    return tuple(chosen)


def _combination(weights: Sequence[int], there: Mapping[int, int], units: int) -> dict[int, int] | None:
    """Search by the heaviest first, so that few bars are handed over; bounded by TRIES_MAX and BARS_MAX."""
    tries = 0
    # Shape: index of the next weight, weight still wanted, bars still allowed, how many of each weight so far.
    waiting: list[tuple[int, int, int, tuple[int, ...]]] = [(0, units, BARS_MAX, ())]
    while waiting and tries < TRIES_MAX:
        tries += 1
        index, left, room, counts = waiting.pop()
        if left == 0:
            return {weight: count for weight, count in zip(weights, counts, strict=False) if count}
        if index == len(weights):
            continue
        most = min(left // weights[index], there[weights[index]], room)
        waiting += [
            (index + 1, left - count * weights[index], room - count, (*counts, count)) for count in range(most + 1)
        ]
    return None
