"""Which account may take which handle that passes for an office of the State."""

from __future__ import annotations

from sdt.store.database import Store

__all__ = ["allowed", "grant"]


def grant(store: Store, handle: str, account: str, act_id: str, at_ms: int) -> None:
    """Let an account register a handle; a later leave replaces an earlier one."""
    store.execute(
        "INSERT INTO handle_grants (handle, account, act_id, granted_at_ms) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (handle) DO UPDATE SET account = excluded.account, act_id = excluded.act_id, "
        "granted_at_ms = excluded.granted_at_ms",
        (handle, account, act_id, at_ms),
    )


def allowed(store: Store, handle: str, account: str) -> bool:
    """Return whether this account may register this handle."""
    found = store.row("SELECT 1 FROM handle_grants WHERE handle = ? AND account = ?", (handle, account))
    return found is not None
