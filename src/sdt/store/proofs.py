"""The ids of read proofs that were accepted: each counts once. Source: RFC 9449, section 11.1."""

from __future__ import annotations

from sdt.store.database import Store

__all__ = ["use"]


def use(store: Store, jti: str, expires_at_s: int, now_s: int) -> bool:
    """Remember a proof's id until it has expired; return False when it was used before."""
    with store.transaction():
        store.execute("DELETE FROM proofs_seen WHERE expires_at_s < ?", (now_s,))
        written: int = store.execute(
            "INSERT INTO proofs_seen (jti, expires_at_s) VALUES (?, ?) ON CONFLICT (jti) DO NOTHING",
            (jti, expires_at_s),
        ).rowcount
    return written == 1
