"""How long payments stand still: the longest that one has waited for the platform alone.

What others took does not count. A payment that an officer looked at for a day waits for the platform from that word
on; so an alarm over this is quiet while people and banks take their time.
"""

from __future__ import annotations

from typing import Final

from sdt.domain.transaction import Status
from sdt.store.database import Store
from sdt.store.tables.core import LIVE, UNFINISHED

__all__ = ["longest_wait_ms"]

_OURS: Final = (Status.ACCEPTED, Status.SCREENED, Status.SUBMITTED)
_OTHERS: Final = ", ".join(f"'{one}'" for one in (Status.AWAITING_FUNDS, Status.HELD, Status.IN_REVIEW))
_LOOKED_AT: Final = 100
"""Of each status, the oldest: a wait that others ended a moment ago may stand before longer ones, but not for long."""

_SINCE_MS: Final = (
    "coalesce((SELECT min(e.at_ms) FROM events e WHERE e.transaction_id = t.id AND e.seq > (SELECT max(w.seq) "  # noqa: S608
    f"FROM events w WHERE w.transaction_id = t.id AND w.status IN ({_OTHERS}))), t.accepted_at_ms)"
)
"""Since when it waits for the platform: since it was accepted, or since others were last done with it."""

_OF_A_STATUS: Final = (
    f"SELECT {_SINCE_MS} FROM transactions t WHERE t.status = ? AND {LIVE} ORDER BY t.seq LIMIT {_LOOKED_AT}"  # noqa: S608
)
_OF_A_BATCH: Final = (
    f"SELECT {_SINCE_MS} FROM transactions t WHERE t.batch_number = "  # noqa: S608
    f"(SELECT min(number) FROM batches WHERE {UNFINISHED}) ORDER BY t.position LIMIT {_LOOKED_AT}"
)


def longest_wait_ms(store: Store, now_ms: int) -> int:
    """Return for how long the payment that has waited longest waits for nobody but the platform; 0 when none does."""
    found = [row for status in _OURS for row in store.rows(_OF_A_STATUS, (status.value,))] + store.rows(_OF_A_BATCH)
    return max(0, now_ms - min((int(since_ms) for (since_ms,) in found), default=now_ms))
