"""Files of the bank that are older than anything in them must be kept: emptied, while name, digest and totals stand."""

from __future__ import annotations

from typing import Final

from sdt.domain.case_kinds import SETTLED
from sdt.store.database import Store

__all__ = ["empty"]

_SETTLED: Final = ", ".join(f"'{status}'" for status in SETTLED)
_KEPT: Final = (
    "e.account IN (SELECT h.account FROM legal_holds h WHERE h.lifted_act IS NULL "  # noqa: S608 - words of the domain
    "UNION SELECT u.account FROM users u WHERE u.standing = 'blocked' "
    "UNION SELECT b.account FROM blocked_funds b WHERE b.ended_at_ms IS NULL OR b.ended_at_ms >= ? "
    f"UNION SELECT c.account FROM cases c WHERE c.status NOT IN ({_SETTLED}) OR c.filed_on >= ?)"
)
"""Of an entry: what is known of its account is kept longer. Takes the moment in milliseconds and the day."""
_MADE: Final = (
    "UPDATE ach_files SET data_sealed = ? WHERE name IN (SELECT f.name FROM ach_files f WHERE f.made_on < ? "  # noqa: S608
    "AND f.status NOT IN ('built', 'sending', 'unknown') AND length(f.data_sealed) > 0 AND NOT EXISTS "
    f"(SELECT 1 FROM ach_entries e WHERE e.file_name = f.name AND {_KEPT}) ORDER BY f.made_on LIMIT ?)"
)
_CAME_IN: Final = (
    "UPDATE ach_inbound SET data_sealed = ? WHERE digest IN (SELECT i.digest FROM ach_inbound i "  # noqa: S608
    "WHERE i.read_at_ms < ? AND i.status <> 'stored' AND length(i.data_sealed) > 0 AND NOT EXISTS "
    "(SELECT 1 FROM ach_records r JOIN ach_entries e ON e.id = r.entry_id "
    f"WHERE r.digest = i.digest AND {_KEPT}) ORDER BY i.read_at_ms LIMIT ?)"
)


def empty(store: Store, day: str, day_ms: int, limit: int) -> int:
    """Empty files of before a day, those made and those that came in, at most `limit` of each; return how many.

    One stays as it is while it waits to be sent or read, and while an entry in it is of somebody who is kept longer.
    Units: `day_ms` is when the day begins, unix milliseconds.
    """
    with store.transaction():
        made: int = store.execute(_MADE, (b"", day, day_ms, day, limit)).rowcount
        came_in: int = store.execute(_CAME_IN, (b"", day_ms, day_ms, day, limit)).rowcount
    return made + came_in
