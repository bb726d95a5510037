"""A signer's own database: SQLite, one writer, durable before anything leaves.

WAL with synchronous=FULL, so that a commit is an fsync; secure_delete, so that a spent share's page is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sdt.domain.errors import Unavailable

SCHEMA_VERSION: Final = 5
LOG_BYTES: Final = 4 * 2**20
"""As long as the write-ahead log grows before SQLite begins at its start again: 1,000 pages."""
_ZEROS: Final = bytes(2**18)

_SCHEMA: Final = """
CREATE TABLE key_share (
    job BLOB PRIMARY KEY,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active')),
    sealed BLOB NOT NULL,
    public BLOB NOT NULL,
    points BLOB NOT NULL,
    certificate BLOB
);
CREATE UNIQUE INDEX one_active_key ON key_share (state) WHERE state = 'active';

-- Refreshes that some location promised to stay out of: their staged shares wait for no certificate.
CREATE TABLE abandoned_job (job BLOB PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE stock_batch (
    job BLOB PRIMARY KEY,
    epoch INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('started', 'pending', 'ready', 'burnt')),
    started_s INTEGER NOT NULL,
    rows BLOB,
    certificate BLOB
);

-- r is unique: a nonce that came twice would give the key away.
-- A row that is no longer 'ready' or 'bound' holds no share.
CREATE TABLE presignature (
    job BLOB NOT NULL REFERENCES stock_batch (job),
    idx INTEGER NOT NULL,
    r BLOB NOT NULL UNIQUE,
    public BLOB NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'bound', 'released', 'burnt')),
    sealed BLOB,
    tx_hash BLOB,
    chain_id INTEGER,
    number INTEGER,
    nonce INTEGER,
    bound_s INTEGER,
    part BLOB,
    PRIMARY KEY (job, idx),
    CHECK ((sealed IS NOT NULL) = (state IN ('pending', 'ready', 'bound'))),
    CHECK ((part IS NOT NULL) = (state = 'released'))
) WITHOUT ROWID;
-- As few indexes as will do, since each is a page more to write before a promise leaves.
CREATE INDEX presignature_ready ON presignature (low, high) WHERE state = 'ready';
CREATE INDEX presignature_nonce ON presignature (nonce) WHERE nonce IS NOT NULL;

-- administers is NULL for a batch that was fetched from a peer: only its ids and digests are proven.
CREATE TABLE batch (
    head BLOB PRIMARY KEY,
    number INTEGER NOT NULL,
    parent BLOB NOT NULL,
    oldest_ms INTEGER NOT NULL,
    administers INTEGER
) WITHOUT ROWID;

CREATE TABLE batch_message (
    transaction_id BLOB NOT NULL,
    head BLOB NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (transaction_id, head)
) WITHOUT ROWID;
CREATE INDEX batch_message_head ON batch_message (head, position);

-- Deposits that were issued against, and the evidence used: unique for ever on one line of batches.
CREATE TABLE issued (
    what BLOB NOT NULL,
    head BLOB NOT NULL,
    PRIMARY KEY (what, head)
) WITHOUT ROWID;

-- What the chain says, from its events up to the block in chain_mark; made anew when that block left the chain.
CREATE TABLE chain_mark (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    settlement TEXT NOT NULL,
    block INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    time_s INTEGER NOT NULL,
    number INTEGER NOT NULL,
    head BLOB NOT NULL
);
CREATE TABLE chain_key (kid TEXT PRIMARY KEY, public_key BLOB NOT NULL, word BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE chain_account (address TEXT PRIMARY KEY, handle BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE chain_identity (
    address TEXT NOT NULL,
    domain INTEGER NOT NULL,
    tier INTEGER NOT NULL,
    resident INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    PRIMARY KEY (address, domain)
) WITHOUT ROWID;
CREATE TABLE chain_freeze (
    address TEXT NOT NULL,
    token INTEGER NOT NULL,
    until_s INTEGER NOT NULL,
    PRIMARY KEY (address, token)
) WITHOUT ROWID;
CREATE TABLE chain_sequence (token INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
-- Place 0 has the rules last replaced, place 1 those last set, in force once they are effective.
CREATE TABLE chain_rules (place INTEGER PRIMARY KEY, digest BLOB NOT NULL, effective_s INTEGER NOT NULL);
"""

_SPEND: Final = """
-- How many steps that must never be undone were taken; `counter` is the life of the counter outside.
CREATE TABLE spend (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL,
    counter BLOB,
    burnt_why TEXT NOT NULL DEFAULT '',
    burnt_s INTEGER NOT NULL DEFAULT 0
);
INSERT INTO spend (one, count) VALUES (1, 0);
-- The highest such number that each of the others signed, under the key it has now.
CREATE TABLE peer_spend (
    party INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    count INTEGER NOT NULL,
    signature BLOB NOT NULL
);
"""

_MEMORY: Final = """
-- Since when this database remembers by one horizon for all rules, and how long a message lived then at most.
CREATE TABLE line_memory (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    began_ms INTEGER NOT NULL,
    life_ms INTEGER NOT NULL
);
"""

_UPGRADES: Final = {
    1: "CREATE TABLE abandoned_job (job BLOB PRIMARY KEY) WITHOUT ROWID;",
    2: _SPEND,
    3: """
DROP INDEX presignature_stock;
DROP INDEX presignature_hash;
CREATE INDEX presignature_ready ON presignature (low, high) WHERE state = 'ready';
""",
    4: _MEMORY,
}
"""By the version that a folder has: what brings it to the next one."""


class StoreUnusable(Unavailable):
    """The signer's database cannot be used: another version, a full disk, a broken file."""

    code = "signer_store"


class Store:
    """The open database; `write` is one database transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        old_mask = os.umask(0o077)
        try:
            self.db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        finally:
            os.umask(old_mask)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA secure_delete = ON")
        self.db.execute("PRAGMA foreign_keys = ON")
        self._migrate()
        self.checkpoint()

    def _migrate(self) -> None:
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        while version in _UPGRADES:
            upgrade = _UPGRADES[version]
            version += 1
            self.db.executescript(f"BEGIN IMMEDIATE; {upgrade} PRAGMA user_version = {version}; COMMIT;")
        if version == SCHEMA_VERSION:
            return
        if version:
            raise StoreUnusable(f"The signer's database has version {version}; this program knows {SCHEMA_VERSION}.")
        self.db.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA}{_SPEND}{_MEMORY} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Open a database transaction: all of it is on disk when the block ends, or none.

        Without `durable` it outlives this process, but a loss of power may take it back: for what the last durable
        one makes safe. Errors: StoreUnusable when the disk refuses.
        """
        if not durable:
            self.db.execute("PRAGMA synchronous = NORMAL")
        try:
            with self._transaction():
                yield self.db
        finally:
            if not durable:
                self.db.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise StoreUnusable("The signer's disk refuses to write; nothing was signed.") from error

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the database and empty it: spent shares' sealed bytes lie there too."""
        [busy, *_] = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            self._lay_out_log()

    def _lay_out_log(self) -> None:
        """Fill the emptied log with zeros: a commit that need not grow the file reaches the disk in half the time.

        SQLite takes a log without its header, and whatever lies behind the last frame it wrote, for nothing.
        Source: SQLite, "WAL-mode File Format", 1.1 and 1.2.
        """
        log = self._path.with_name(self._path.name + "-wal")
        if log.exists() and log.stat().st_size == 0:
            with log.open("r+b", buffering=0) as file:
                for _ in range(LOG_BYTES // len(_ZEROS)):
                    file.write(_ZEROS)
                os.fsync(file.fileno())

    def close(self) -> None:
        """Close the database; the last to close it removes the log."""
        self.db.close()
