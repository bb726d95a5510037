"""Which addresses are watched: by an officer's act, by an order that is in force, or by a sanctions review."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

from sdt.domain.case_kinds import SETTLED
from sdt.store.database import Store

__all__ = ["put", "remove", "watched_among"]

_UNSETTLED: Final = "status NOT IN ({})".format(", ".join(f"'{status}'" for status in SETTLED))


def put(store: Store, address: str, *, until: str | None, act_id: str, at_ms: int) -> None:
    """Watch an address, until a day (2027-01-31) if one is given."""
    with store.transaction():
        store.execute(
            "INSERT INTO watched (address, until, act_id, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT (address) "
            "DO UPDATE SET until = excluded.until, act_id = excluded.act_id, at_ms = excluded.at_ms",
            (address, until, act_id, at_ms),
        )


def remove(store: Store, address: str) -> bool:
    """Watch an address no more; return whether it was watched."""
    with store.transaction():
        removed: int = store.execute("DELETE FROM watched WHERE address = ?", (address,)).rowcount
    return removed == 1


def watched_among(store: Store, addresses: Collection[str], today: date, now_s: int) -> frozenset[str]:
    """Return those of these addresses that are watched, frozen, or under an open sanctions case."""
    if not addresses:
        return frozenset()
    listed = store.listed(addresses)
    found = store.rows(
        f"SELECT address FROM watched WHERE {store.among('address')} AND (until IS NULL OR until >= ?) "  # noqa: S608
        f"UNION SELECT account FROM freezes WHERE {store.among('account')} AND expires_at_s > ? "
        f"UNION SELECT account FROM cases WHERE {store.among('account')} AND kind = 'sanctions' AND {_UNSETTLED}",
        (listed, today.isoformat(), listed, now_s, listed),
    )
    return frozenset(address for (address,) in found)
