"""Where the settlement process of a chain key stands: the block it has followed to, and nonces spent before it."""

from __future__ import annotations

from typing import NamedTuple

from sdt.store.database import Store

__all__ = ["MAIN", "LaneState", "hold", "raise_nonce", "set_followed", "state"]

MAIN = "main"
"""The lane of a region that has one chain key."""


class LaneState(NamedTuple):
    """The last block whose batches are in the books, and the first nonce that was free when the lane began."""

    next_nonce: int
    followed_block_number: int | None
    followed_block_hash: bytes | None


def state(store: Store, name: str = MAIN) -> LaneState | None:
    """Return where a lane stands; None before it began."""
    found = store.row("SELECT next_nonce, followed_block_number, followed_block_hash FROM lane WHERE name = ?", (name,))
    return LaneState(*found) if found else None


def hold(store: Store, name: str = MAIN) -> None:
    """Keep the line of batches as it is until this transaction ends: who forms one and who voids some take turns."""
    if store.postgres:
        store.row("SELECT 1 FROM lane WHERE name = ? FOR UPDATE", (name,))


def set_followed(store: Store, block_number: int, block_hash: bytes, name: str = MAIN) -> None:
    """Note that everything up to this block is in the books: a restart goes on after it."""
    with store.transaction():
        store.execute(
            "INSERT INTO lane (name, next_nonce, followed_block_number, followed_block_hash) VALUES (?, 0, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET followed_block_number = excluded.followed_block_number, "
            "followed_block_hash = excluded.followed_block_hash",
            (name, block_number, block_hash),
        )


def raise_nonce(store: Store, next_nonce: int, name: str = MAIN) -> None:
    """Note that the chain has spent every nonce below this one, with or without a batch; it never goes down."""
    with store.transaction():
        store.execute(
            "INSERT INTO lane (name, next_nonce) VALUES (?, ?) ON CONFLICT (name) DO UPDATE "
            "SET next_nonce = excluded.next_nonce WHERE excluded.next_nonce > lane.next_nonce",
            (name, next_nonce),
        )
