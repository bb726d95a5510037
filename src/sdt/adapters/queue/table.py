"""The queue as rows of one SQLite file: each function runs in a transaction that its caller opened.

A message waits while `hidden_until` is null and is in flight while it is a time to come. A receipt names the
row and a random token that only its latest receive knows, so an old receipt deletes nothing.
Source: Amazon SQS Developer Guide, "FIFO queue delivery logic" and "Exactly-once processing".
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdt.ports.queue import DEDUPLICATION_WINDOW_S, DeadLetter, QueueDepth, QueueEntry, Received

_SCHEMA: Final = """
create table if not exists message(
  seq integer primary key, message_id text not null, grp text not null, dedup_id text not null,
  body text not null, sent_at real not null, receives integer not null default 0,
  hidden_until real, receipt text);
create index if not exists message_hidden on message(hidden_until, grp) where hidden_until is not null;
create table if not exists dedup(
  dedup_id text primary key, message_id text not null, sent_at real not null) without rowid;
create index if not exists dedup_sent on dedup(sent_at);
create table if not exists dead(
  seq integer primary key, message_id text not null, grp text not null, dedup_id text not null,
  body text not null, sent_at real not null, receives integer not null);
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether a receive could bring something, when the next message shows again, the file's version."""

    deliverable: bool
    next_reveal: float | None
    version: int


def open_file(path: Path) -> sqlite3.Connection:
    """Open the queue's file durably: what is committed has reached the disk, also after a power cut."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.executescript(_SCHEMA)
    return connection


def send(connection: sqlite3.Connection, entries: Sequence[QueueEntry], now: float) -> list[str]:
    """Add what was not sent within the window, and return every entry's message id."""
    connection.execute("delete from dedup where sent_at <= ?", (now - DEDUPLICATION_WINDOW_S,))
    known: dict[str, str] = dict(
        connection.execute(
            "select dedup_id, message_id from dedup where dedup_id in (select value from json_each(?))",
            (json.dumps([entry.dedup_id for entry in entries]),),
        )
    )
    fresh: list[tuple[str, str, str, str, float]] = []
    for entry in entries:
        if entry.dedup_id not in known:
            known[entry.dedup_id] = message_id = secrets.token_hex(16)
            fresh.append((message_id, entry.group, entry.dedup_id, entry.body, now))
    connection.executemany("insert into dedup values(?, ?, ?)", [(row[2], row[0], now) for row in fresh])
    connection.executemany("insert into message(message_id, grp, dedup_id, body, sent_at) values(?, ?, ?, ?, ?)", fresh)
    return [known[entry.dedup_id] for entry in entries]


def outlook(connection: sqlite3.Connection, now: float) -> Outlook:
    """Look without writing, so that an idle consumer costs no write lock."""
    version = connection.execute("pragma data_version").fetchone()[0]
    reveal = connection.execute("select min(hidden_until) from message where hidden_until is not null").fetchone()[0]
    if reveal is not None and reveal <= now:
        return Outlook(True, reveal, version)
    waiting = connection.execute(
        "select 1 from message where hidden_until is null"
        " and grp not in (select grp from message where hidden_until is not null) limit 1"
    ).fetchone()
    return Outlook(waiting is not None, reveal, version)


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that changes when another connection commits."""
    version: int = connection.execute("pragma data_version").fetchone()[0]
    return version


def receive(
    connection: sqlite3.Connection, max_messages: int, visibility_s: float, max_receives: int, now: float
) -> list[Received]:
    """Hide and return the oldest messages of groups that have none in flight."""
    _bury(connection, max_receives, now)
    connection.execute("update message set hidden_until = null, receipt = null where hidden_until <= ?", (now,))
    rows = connection.execute(
        "update message set hidden_until = ?, receives = receives + 1, receipt = seq || '.' || ?"
        " where seq in ("
        " select seq from message where hidden_until is null"
        " and grp not in (select grp from message where hidden_until is not null) order by seq limit ?)"
        " returning seq, message_id, receipt, grp, dedup_id, body, receives, sent_at",
        (now + visibility_s, secrets.token_hex(16), max_messages),
    ).fetchall()
    rows.sort()  # RETURNING promises no order, and order within a group is the point of this queue.
    return [Received(*row[1:]) for row in rows]


def _bury(connection: sqlite3.Connection, max_receives: int, now: float) -> None:
    """Move to the dead letters what came back after its last permitted receive, so that its group goes on."""
    buried = connection.execute(
        "insert into dead(message_id, grp, dedup_id, body, sent_at, receives)"
        " select message_id, grp, dedup_id, body, sent_at, receives from message"
        " where hidden_until <= ? and receives >= ? order by seq",
        (now, max_receives),
    )
    if buried.rowcount:
        connection.execute("delete from message where hidden_until <= ? and receives >= ?", (now, max_receives))


def delete(connection: sqlite3.Connection, receipts: Sequence[str], now: float) -> list[str]:
    """Delete messages still in flight under these receipts; return the receipts refused."""
    statement = "delete from message where seq = ? and receipt = ? and hidden_until > ?"
    return [
        receipt for receipt in receipts if not connection.execute(statement, (_seq(receipt), receipt, now)).rowcount
    ]


def extend(connection: sqlite3.Connection, receipts: Sequence[str], visibility_s: float, now: float) -> list[str]:
    """Set anew how long messages in flight stay hidden; return the receipts refused."""
    statement = "update message set hidden_until = ? where seq = ? and receipt = ? and hidden_until > ?"
    return [
        receipt
        for receipt in receipts
        if not connection.execute(statement, (now + visibility_s, _seq(receipt), receipt, now)).rowcount
    ]


def _seq(receipt: str) -> int:
    head = receipt.partition(".")[0]
    return int(head) if head.isascii() and head.isdecimal() and len(head) < 19 else 0


def depth(connection: sqlite3.Connection, now: float) -> QueueDepth:
    """Count what is there; the oldest row is the first, for rows are added in the order of time."""
    total = connection.execute("select count(*) from message").fetchone()[0]
    in_flight = connection.execute("select count(*) from message where hidden_until > ?", (now,)).fetchone()[0]
    dead = connection.execute("select count(*) from dead").fetchone()[0]
    oldest = connection.execute("select sent_at from message order by seq limit 1").fetchone()
    return QueueDepth(total - in_flight, in_flight, dead, max(0.0, now - oldest[0]) if oldest else None)


def dead_letters(connection: sqlite3.Connection, max_messages: int) -> list[DeadLetter]:
    """Return the oldest dead letters."""
    rows = connection.execute(
        "select message_id, grp, dedup_id, body, receives, sent_at from dead order by seq limit ?",
        (max_messages,),
    )
    return [DeadLetter(*row) for row in rows]


def redrive(connection: sqlite3.Connection, now: float) -> int:
    """Put every dead letter at the end of the queue as if just sent, whatever its id's window says."""
    moved = connection.execute(
        "insert into message(message_id, grp, dedup_id, body, sent_at)"
        " select message_id, grp, dedup_id, body, ? from dead order by seq",
        (now,),
    ).rowcount
    connection.execute("delete from dead")
    return moved
