"""A sandbox service's own SQLite file: one durable transaction per request, and the answers kept by idempotency key."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sdt.domain.errors import Conflict, Unavailable

_SCHEMA: Final = """
create table if not exists answered(
  key text primary key, request_digest blob not null, answer blob not null) without rowid;
create table if not exists failed_once(key text primary key) without rowid;
"""


class FailedOnce(Unavailable):
    """A failure that magic asked for: it is recorded, so that the next try succeeds."""

    code = "failed_once"


class Store:
    """One connection, one transaction at a time: a stand-in serves few, and simple is right."""

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.Lock()
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=full")
        self._connection.execute("pragma foreign_keys=on")
        self._connection.executescript(_SCHEMA + schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit when the block ends or fails on purpose (`FailedOnce`); undo it on any other error."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except FailedOnce:
                self._connection.execute("commit")
                raise
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def earlier_answer(connection: sqlite3.Connection, key: str, request: bytes) -> bytes | None:
    """Return what this request was answered before.

    Errors: Conflict when the key came with another request.
    """
    row = connection.execute("select request_digest, answer from answered where key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row[0] != hashlib.sha256(request).digest():
        raise Conflict("This idempotency key came with another request.", code="idempotency_key_reused")
    answer: bytes = row[1]
    return answer


def keep_answer(connection: sqlite3.Connection, key: str, request: bytes, answer: bytes) -> None:
    """Keep an answer for ever; refusals are not kept, for they did nothing and may be tried again."""
    connection.execute("insert into answered values(?, ?, ?)", (key, hashlib.sha256(request).digest(), answer))


def fail_once(connection: sqlite3.Connection, key: str) -> None:
    """Fail the first time a key is seen.

    Errors: FailedOnce.
    """
    if connection.execute("insert or ignore into failed_once values(?)", (key,)).rowcount:
        raise FailedOnce("Magic: the first try fails and does nothing.")
