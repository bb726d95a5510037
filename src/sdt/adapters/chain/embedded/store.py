"""The chain's SQLite file: one database transaction per block, flushed to disk before the block is shown.

A reader has a connection per thread; the miner alone writes. State nodes are kept for the newest block only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

__all__ = ["BlockRecord", "Log", "Receipt", "Store"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node (key BLOB PRIMARY KEY, rlp BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS code (hash BLOB PRIMARY KEY, code BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block (
  number INTEGER PRIMARY KEY, hash BLOB NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL, receipts BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS block_hash ON block (hash);
CREATE TABLE IF NOT EXISTS tx (hash BLOB PRIMARY KEY, block INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_index (
  address BLOB, topic0 BLOB, block INTEGER, PRIMARY KEY (address, topic0, block)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS log_block ON log_index (block);
"""
_FORMAT = b"1"
_NO_TOPIC = b""


class Log(msgspec.Struct, frozen=True, array_like=True):
    """What a contract reported: who, up to four topics, data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """The outcome of one chain transaction, with what would otherwise be computed again for each reader."""

    transaction: bytes
    sender: bytes
    to: bytes
    contract: bytes
    status: int
    type: int
    gas_used: int
    cumulative_gas: int
    bloom: bytes
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class BlockRecord:
    """Everything that one block adds to the file."""

    number: int
    hash: bytes
    header: bytes
    raw_transactions: Sequence[bytes]
    receipts: Sequence[Receipt]
    nodes: dict[bytes, bytes | None] = field(default_factory=dict)
    codes: dict[bytes, bytes] = field(default_factory=dict)


class Store:
    """The file, opened once by the node."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._writer = self._connect()
        self._writer.executescript(_SCHEMA)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_receipts = msgspec.msgpack.Decoder(list[Receipt]).decode
        self._decode_body = msgspec.msgpack.Decoder(list[bytes]).decode
        written = self.meta("format")
        if written is None:
            self.set_meta("format", _FORMAT)
        elif written != _FORMAT:
            raise ValueError(f"{path} was written by another version of the embedded chain")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-16000")
        return connection

    @property
    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _one(self, sql: str, *values: object) -> tuple[bytes, ...] | None:
        row: tuple[bytes, ...] | None = self._reader.execute(sql, values).fetchone()
        return row

    # Reading

    def meta(self, key: str) -> bytes | None:
        row = self._one("SELECT value FROM meta WHERE key = ?", key)
        return row[0] if row else None

    def node(self, key: bytes) -> bytes | None:
        row = self._one("SELECT rlp FROM node WHERE key = ?", key)
        return row[0] if row else None

    def nodes_under(self, prefix: bytes) -> list[bytes]:
        """Return the keys of a whole trie; paths are nibbles, so all its keys sort below prefix + 0x10."""
        rows = self._reader.execute("SELECT key FROM node WHERE key >= ? AND key < ?", (prefix, prefix + b"\x10"))
        return [row[0] for row in rows]

    def code(self, digest: bytes) -> bytes | None:
        row = self._one("SELECT code FROM code WHERE hash = ?", digest)
        return row[0] if row else None

    def height(self) -> int | None:
        """Return the newest block's number, None before the first."""
        row = self._reader.execute("SELECT max(number) FROM block").fetchone()
        number: int | None = row[0]
        return number

    def number_of(self, block_hash: bytes) -> int | None:
        row = self._reader.execute("SELECT number FROM block WHERE hash = ?", (block_hash,)).fetchone()
        return row[0] if row else None

    def header(self, number: int) -> tuple[bytes, bytes] | None:
        """Return (hash, encoded header)."""
        row = self._one("SELECT hash, header FROM block WHERE number = ?", number)
        return (row[0], row[1]) if row else None

    def body(self, number: int) -> list[bytes]:
        row = self._one("SELECT body FROM block WHERE number = ?", number)
        return self._decode_body(row[0]) if row else []

    def receipts(self, number: int) -> list[Receipt]:
        row = self._one("SELECT receipts FROM block WHERE number = ?", number)
        return self._decode_receipts(row[0]) if row else []

    def place_of(self, transaction: bytes) -> tuple[int, int] | None:
        """Return (block number, position) of a mined chain transaction."""
        row = self._reader.execute("SELECT block, position FROM tx WHERE hash = ?", (transaction,)).fetchone()
        return (row[0], row[1]) if row else None

    def hashes(self, newest: int, count: int) -> list[bytes]:
        """Return block hashes from `newest` downwards."""
        rows = self._reader.execute(
            "SELECT hash FROM block WHERE number <= ? ORDER BY number DESC LIMIT ?", (newest, count)
        )
        return [row[0] for row in rows]

    def blocks_with_logs(
        self, first: int, last: int, addresses: Sequence[bytes], topics0: Sequence[bytes]
    ) -> Iterable[int]:
        """Return the numbers of blocks in the range that may hold a wanted log, in order."""
        where, values = ["block BETWEEN ? AND ?"], [first, last]
        parameters: list[object] = list(values)
        for column, wanted in (("address", addresses), ("topic0", topics0)):
            if wanted:
                where.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                parameters += wanted
        # Column names and marks only: every value is bound.
        sql = f"SELECT DISTINCT block FROM log_index WHERE {' AND '.join(where)} ORDER BY block"  # noqa: S608
        return [row[0] for row in self._reader.execute(sql, parameters)]

    # Writing: the miner's thread

    def set_meta(self, key: str, value: bytes) -> None:
        self._writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def append(self, block: BlockRecord) -> None:
        """Write a block and its state; when this returns the block is on disk."""
        pairs = {(log.address, log.topics[0] if log.topics else _NO_TOPIC) for r in block.receipts for log in r.logs}
        gone = sorted((key,) for key, encoded in block.nodes.items() if encoded is None)
        kept = sorted((key, encoded) for key, encoded in block.nodes.items() if encoded is not None)
        write = self._writer
        write.execute("BEGIN IMMEDIATE")
        try:
            write.execute(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
                (
                    block.number,
                    block.hash,
                    block.header,
                    self._encode(block.raw_transactions),
                    self._encode(block.receipts),
                ),
            )
            write.executemany(
                "INSERT INTO tx VALUES (?, ?, ?)",
                [(r.transaction, block.number, i) for i, r in enumerate(block.receipts)],
            )
            write.executemany("INSERT INTO log_index VALUES (?, ?, ?)", [(*p, block.number) for p in sorted(pairs)])
            write.executemany("INSERT OR IGNORE INTO code VALUES (?, ?)", list(block.codes.items()))
            write.executemany("DELETE FROM node WHERE key = ?", gone)
            write.executemany("INSERT OR REPLACE INTO node VALUES (?, ?)", kept)
            write.execute("COMMIT")
        except BaseException:
            write.execute("ROLLBACK")
            raise

    def close(self) -> None:
        with closing(self._writer):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
