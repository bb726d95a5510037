"""Questions to the locations about the enclaves they run in: the API writes them, the worker answers them."""

from __future__ import annotations

from typing import Final

from sdt.domain.errors import RateLimited
from sdt.store.database import Store

__all__ = ["answer", "answered", "ask", "waiting"]

KEPT_MS: Final = 60_000
WAITING_MAX: Final = 64
AT_ONCE: Final = 16


def ask(store: Store, nonce: str, now_ms: int) -> None:
    """Put a question, the same again once only, and forget those that are over. Shape: nonce in lower-case hex.

    Errors: RateLimited while too many wait.
    """
    store.execute("DELETE FROM attestation_requests WHERE asked_at_ms < ?", (now_ms - KEPT_MS,))
    [waits] = store.row("SELECT count(*) FROM attestation_requests WHERE answered_at_ms IS NULL")
    if waits >= WAITING_MAX:
        raise RateLimited("Too many ask for attestations; try again.", code="too_many_attestations", retry_after_s=2)
    store.execute(
        "INSERT INTO attestation_requests (nonce, asked_at_ms) VALUES (?, ?) ON CONFLICT (nonce) DO NOTHING",
        (nonce, now_ms),
    )


def answered(store: Store, nonce: str) -> str | None:
    """Return the answer to a question, None while there is none."""
    found = store.row("SELECT answer FROM attestation_requests WHERE nonce = ?", (nonce,))
    return found[0] if found else None


def waiting(store: Store, now_ms: int) -> list[str]:
    """Return the nonces of questions without an answer, the oldest first, that somebody may still wait for."""
    rows = store.rows(
        "SELECT nonce FROM attestation_requests WHERE answered_at_ms IS NULL AND asked_at_ms >= ?"
        " ORDER BY asked_at_ms LIMIT ?",
        (now_ms - KEPT_MS, AT_ONCE),
    )
    return [row[0] for row in rows]


def answer(store: Store, nonce: str, content: str, now_ms: int) -> None:
    """Write down what the locations answered."""
    store.execute(
        "UPDATE attestation_requests SET answer = ?, answered_at_ms = ? WHERE nonce = ?", (content, now_ms, nonce)
    )
