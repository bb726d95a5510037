"""The life of a bank entry, apart from that of the transaction it was made for.

What a bank reports is a fact and no command: a fact that cannot follow what is known is no bug to assert, it is shown
to an officer. Source: Nacha Operating Rules, Article Two (reversing entries) and Article Three (returns).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ["ASKED", "NEXT", "EntryEvent", "EntryStatus", "follow"]


class EntryStatus(StrEnum):
    """Where a bank entry stands."""

    CREATED = "created"
    """Wanted, and in no file yet."""
    FILED = "filed"
    """In a file that the bank has."""
    UNKNOWN = "unknown"
    """Handed over without an answer: the bank is asked, nothing is sent again."""
    REFUSED = "refused"
    """The bank did not take it; nothing moved."""
    ACKNOWLEDGED = "acknowledged"
    """The operator took the file."""
    SETTLED = "settled"
    """The money moved; it may still come back."""
    WINDOW_PASSED = "window_passed"
    """The ordinary return window is over: mint no earlier."""
    RETURNED = "returned"
    """The other bank sent it back."""
    DISHONORED = "dishonored"
    """Our bank sent the return back: late, or wrong."""
    CONTESTED = "contested"
    """The other bank insists on its return, which stands."""
    REVERSED = "reversed"
    """We took it back ourselves: it was a mistake of ours."""


class EntryEvent(StrEnum):
    """What can happen to a bank entry."""

    FILE = "file"
    LOSE = "lose"
    FIND = "find"
    MISS = "miss"
    REFUSE = "refuse"
    ACKNOWLEDGE = "acknowledge"
    SETTLE = "settle"
    OUTLAST = "outlast"
    RETURN = "return"
    DISHONOR = "dishonor"
    CONTEST = "contest"
    REVERSE = "reverse"


_S, _E = EntryStatus, EntryEvent

NEXT: Final[Mapping[tuple[EntryStatus, EntryEvent], EntryStatus]] = {
    (_S.CREATED, _E.FILE): _S.FILED,
    (_S.CREATED, _E.LOSE): _S.UNKNOWN,
    # Only the bank's own word that it has nothing lets an entry be sent once more.
    (_S.UNKNOWN, _E.FIND): _S.FILED,
    (_S.UNKNOWN, _E.MISS): _S.CREATED,
    **{(s, _E.REFUSE): _S.REFUSED for s in (_S.CREATED, _S.FILED, _S.UNKNOWN, _S.ACKNOWLEDGED)},
    (_S.FILED, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    **{(s, _E.SETTLE): _S.SETTLED for s in (_S.FILED, _S.UNKNOWN, _S.ACKNOWLEDGED)},
    (_S.SETTLED, _E.OUTLAST): _S.WINDOW_PASSED,
    **{(s, _E.RETURN): _S.RETURNED for s in (_S.FILED, _S.UNKNOWN, _S.ACKNOWLEDGED, _S.SETTLED, _S.WINDOW_PASSED)},
    (_S.RETURNED, _E.DISHONOR): _S.DISHONORED,
    (_S.DISHONORED, _E.CONTEST): _S.CONTESTED,
    # Never a return and a reversal: from either there is no way to the other.
    **{(s, _E.REVERSE): _S.REVERSED for s in (_S.SETTLED, _S.WINDOW_PASSED)},
}

ASKED: Final = frozenset({_S.FILED, _S.UNKNOWN, _S.ACKNOWLEDGED, _S.SETTLED})
"""Whose outcome is still the bank's to tell."""


def follow(status: EntryStatus, event: EntryEvent) -> EntryStatus | None:
    """Return what follows, or None for a fact that does not fit: an officer's case, and nothing is changed."""
    return NEXT.get((status, event))
