"""The proofs of bank accounts: which one is under way, and how often its amounts were named."""

from __future__ import annotations

from typing import NamedTuple

from sdt.store.database import Store

__all__ = ["ProofRow", "count_attempt", "proof", "put"]


class ProofRow(NamedTuple):
    """The newest proof of a bank account. `method` is micro or prenote; `round` counts the proofs there were."""

    bank_ref: str
    method: str
    round: int
    attempts: int


def proof(store: Store, bank_ref: str) -> ProofRow | None:
    """Return the newest proof of a bank account."""
    found = store.row(
        "SELECT bank_ref, method, round, attempts FROM bank_verifications WHERE bank_ref = ?", (bank_ref,)
    )
    return ProofRow(*found) if found else None


def put(store: Store, row: ProofRow, at_ms: int) -> None:
    """Begin a proof, in the place of the one before it."""
    with store.transaction():
        store.execute(
            "INSERT INTO bank_verifications (bank_ref, method, round, attempts, updated_at_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (bank_ref) DO UPDATE SET method = excluded.method, round = excluded.round, "
            "attempts = excluded.attempts, updated_at_ms = excluded.updated_at_ms",
            (*row, at_ms),
        )


def count_attempt(store: Store, bank_ref: str, at_ms: int) -> int:
    """Count one naming of the amounts; return how many there were before it."""
    with store.transaction():
        (attempts,) = store.execute(
            "UPDATE bank_verifications SET attempts = attempts + 1, updated_at_ms = ? WHERE bank_ref = ? "
            "RETURNING attempts",
            (at_ms, bank_ref),
        ).fetchone()
    return int(attempts) - 1
