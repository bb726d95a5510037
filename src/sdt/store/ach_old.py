"""Files of the bank that are older than anything in them must be kept: emptied, while name, digest and totals stand."""

from __future__ import annotations

from typing import Final

from sdt.store import cases
from sdt.store.database import Store

__all__ = ["empty"]

_MADE: Final = (
    "UPDATE ach_files SET data_sealed = ? WHERE name IN (SELECT f.name FROM ach_files f WHERE f.made_on < ? "
    "AND f.status NOT IN ('built', 'sending', 'unknown') AND length(f.data_sealed) > 0 AND NOT EXISTS "
    "(SELECT 1 FROM ach_entries e WHERE e.file_name = f.name AND {kept}) ORDER BY f.made_on LIMIT ?)"
)
_CAME_IN: Final = (
    "UPDATE ach_inbound SET data_sealed = ? WHERE digest IN (SELECT i.digest FROM ach_inbound i "
    "WHERE i.read_at_ms < ? AND i.status <> 'stored' AND length(i.data_sealed) > 0 AND NOT EXISTS "
    "(SELECT 1 FROM ach_records r JOIN ach_entries e ON e.id = r.entry_id "
    "WHERE r.digest = i.digest AND {kept}) ORDER BY i.read_at_ms LIMIT ?)"
)


def _kept(store: Store, day: str, day_ms: int) -> tuple[str, tuple[int | str, ...]]:
    """Return the condition that what is known of an entry's account is kept longer, with what it takes."""
    of_cases = cases.about(store, f"({cases.UNSETTLED} OR filed_on >= ?)")
    condition = (
        "e.account IN (SELECT h.account FROM legal_holds h WHERE h.lifted_act IS NULL "  # noqa: S608 - words of ours
        "UNION SELECT u.account FROM users u WHERE u.standing = 'blocked' "
        "UNION SELECT b.account FROM blocked_funds b WHERE b.ended_at_ms IS NULL OR b.ended_at_ms >= ? "
        f"UNION SELECT c.account FROM ({of_cases}) c)"
    )
    return condition, (day_ms, day, day, day)


def empty(store: Store, day: str, day_ms: int, limit: int) -> int:
    """Empty files of before a day, those made and those that came in, at most `limit` of each; return how many.

    One stays as it is while it waits to be sent or read, and while an entry in it is of somebody who is kept longer.
    Units: `day_ms` is when the day begins, unix milliseconds.
    """
    kept, takes = _kept(store, day, day_ms)
    with store.transaction():
        made: int = store.execute(_MADE.format(kept=kept), (b"", day, *takes, limit)).rowcount
        came_in: int = store.execute(_CAME_IN.format(kept=kept), (b"", day_ms, *takes, limit)).rowcount
    return made + came_in
