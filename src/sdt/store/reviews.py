"""Why transactions are in review, for the role that may know, and which of them may go on or end.

Whoever stops a transaction (`Event.REVIEW`) writes a reason here in the same commit; whoever decides writes a verdict.
The worker takes up a transaction once every reason has one: it goes on if all say `go`, and ends if one says `stop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from sdt.store.database import Store

__all__ = ["Verdict", "decided", "forget", "held_for", "hold", "release"]

Verdict = Literal["go", "stop"]
_UNDECIDED: Final = "NOT EXISTS (SELECT 1 FROM review_holds o WHERE o.transaction_id = h.transaction_id"


class Decided(NamedTuple):
    """A transaction in review whose reasons all have a verdict."""

    transaction_id: str
    verdict: Verdict


def hold(store: Store, transaction_id: str, reason: str, key: str, at_ms: int) -> None:
    """Write why a transaction is in review: `key` names what will decide (a case). Again changes nothing."""
    with store.transaction():
        store.execute(
            "INSERT INTO review_holds (transaction_id, reason, key, at_ms, verdict) VALUES (?, ?, ?, ?, NULL) "
            "ON CONFLICT (transaction_id, reason, key) DO NOTHING",
            (transaction_id, reason, key, at_ms),
        )


def release(store: Store, reason: str, key: str, verdict: Verdict) -> int:
    """Write the verdict of what decides on everything that waits for it; returns how many transactions."""
    with store.transaction():
        changed: int = store.execute(
            "UPDATE review_holds SET verdict = ? WHERE reason = ? AND key = ? AND verdict IS NULL",
            (verdict, reason, key),
        ).rowcount
    return changed


def decided(store: Store, limit: int) -> list[Decided]:
    """Return transactions in review whose every reason has a verdict, the longest waiting first.

    Blocked dollars wait for a licence, whatever the verdicts.
    """
    found = store.rows(
        "SELECT h.transaction_id, max(h.verdict) FROM review_holds h "  # noqa: S608
        "JOIN transactions t ON t.id = h.transaction_id AND t.status = 'in_review' "
        f"WHERE {_UNDECIDED} AND o.verdict IS NULL) AND NOT EXISTS (SELECT 1 FROM blocked_funds b "
        "WHERE b.transaction_id = h.transaction_id AND b.ended_at_ms IS NULL) "
        "GROUP BY h.transaction_id ORDER BY min(h.at_ms) LIMIT ?",
        (limit,),
    )
    return [Decided(transaction_id, verdict) for transaction_id, verdict in found]


def held_for(store: Store, reason: str, key: str) -> list[str]:
    """Return the transactions that are, or were, in review for this."""
    found = store.rows(
        "SELECT transaction_id FROM review_holds WHERE reason = ? AND key = ? ORDER BY at_ms, transaction_id",
        (reason, key),
    )
    return [transaction_id for (transaction_id,) in found]


def forget(store: Store, transaction_ids: Sequence[str]) -> None:
    """Remove the reasons of transactions that went on or ended."""
    if transaction_ids:
        with store.transaction():
            store.execute(
                f"DELETE FROM review_holds WHERE {store.among('transaction_id')}",  # noqa: S608
                (store.listed(transaction_ids),),
            )
