"""Files of the bank name people, and no person's key seals them: they are emptied once nothing in them must be kept."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final

from sdt.domain.retention import RETENTIONS, years_before
from sdt.store import Store, ach_old, outbox
from sdt.store.wrapped import FILES
from sdt.workflows.erasure import TOPIC

__all__ = ["FILES_MAX", "empty_old_files"]

FILES_MAX: Final = 200
YEARS: Final = max(duty.years for duty in RETENTIONS)


def empty_old_files(store: Store, now_ms: int) -> int:
    """Empty what is older than the longest duty to keep; return how many. What rows leave goes as after an erasure."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    day = years_before(today, YEARS)
    day_ms = int(datetime.combine(day, time(), UTC).timestamp()) * 1000
    with store.transaction():
        emptied = ach_old.empty(store, day.isoformat(), day_ms, FILES_MAX)
        if emptied:
            payload = {"files": [], "tables": [of.table for of in FILES.values()]}
            outbox.put(store, TOPIC, f"ach-files:{now_ms}", payload, now_ms)
    return emptied
