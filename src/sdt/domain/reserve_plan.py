"""What a custodian may state and move: the order that proves supply ≤ reserve at every moment, as three sums.

Into the reserve the bank comes first and the chain after it; out of it the chain first and then the bank.
Units: everything in the token's smallest unit.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["may_enter", "may_leave", "sweepable", "what_lasts"]


def what_lasts(balance: int, leaving: Iterable[int]) -> int:
    """Return what may be stated on chain: what the bank confirms, less all that is still to leave the reserve."""
    return max(balance - sum(leaving), 0)


def may_enter(clearing: int, units: int, required: int, loss_fund: int) -> bool:
    """Return whether `units` of a debit may go from clearing into the reserve: what must cover returns stays behind."""
    return clearing - units >= max(required - loss_fund, 0)


def may_leave(balance: int, units: int, supply: int, stated: int) -> bool:
    """Return whether `units` may leave: what stays covers the supply, and the chain counts on no more than that."""
    return balance - units >= max(supply, stated)


def sweepable(balance: int, supply: int, stated: int) -> int:
    """Return what of a reserve is nobody's token: interest may be swept up to that, never more than R - supply."""
    return max(balance - max(supply, stated), 0)
