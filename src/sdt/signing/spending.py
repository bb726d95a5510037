"""How many steps that must never be undone this location took, and what it knows of the other two's.

A step is the binding of a presignature, or the burning of the stock when an epoch ends. A database that knows fewer
than its counter, or than a peer can show, is an old one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sdt.signing import transcript


@dataclass(frozen=True, slots=True)
class Standing:
    """Where this location is. Shape: counter is the life of the counter it counts with, None before the first."""

    count: int
    counter: bytes | None
    burnt_why: str
    burnt_s: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A count of a location's, under that location's own signature."""

    count: int
    signature: bytes


def mark_digest(network: str, party: int, count: int) -> bytes:
    """Return what a location signs about its own count."""
    return transcript.digest("spend mark", network, party, count)


def standing(db: sqlite3.Connection) -> Standing:
    """Return where this location is."""
    return Standing(*db.execute("SELECT count, counter, burnt_why, burnt_s FROM spend").fetchone())


def count(db: sqlite3.Connection) -> int:
    """Return how many steps were taken."""
    found: int = db.execute("SELECT count FROM spend").fetchone()[0]
    return found


def step(db: sqlite3.Connection) -> None:
    """Take a step, in the database transaction of what it stands for."""
    db.execute("UPDATE spend SET count = count + 1")


def adopt(db: sqlite3.Connection, counter: bytes | None) -> None:
    """Count with another counter from now on; None: with the one that is made next."""
    db.execute("UPDATE spend SET counter = ?", (counter,))


def pass_by(db: sqlite3.Connection, known: int) -> None:
    """Go beyond what anybody knows, so that what comes next is new."""
    db.execute("UPDATE spend SET count = max(count, ?) + 1", (known,))


def note_burnt(db: sqlite3.Connection, why: str, now_s: int) -> None:
    """Keep why the stock was burnt, for the operator."""
    db.execute("UPDATE spend SET burnt_why = ?, burnt_s = ?", (why, now_s))


def remember(db: sqlite3.Connection, party: int, key: bytes, mark: Mark) -> Mark:
    """Keep the highest count that a peer signed; return that. A peer with a new key begins anew."""
    row = db.execute("SELECT count, signature FROM peer_spend WHERE party = ? AND key = ?", (party, key)).fetchone()
    if row is not None and row[0] >= mark.count:
        return Mark(*row)
    db.execute(
        "INSERT OR REPLACE INTO peer_spend (party, key, count, signature) VALUES (?, ?, ?, ?)",
        (party, key, mark.count, mark.signature),
    )
    return mark
