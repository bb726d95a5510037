"""This location's share of the chain key: pending until all three certify it, then active.

A share lives for one epoch; refreshing or replacing makes the next one of the same key. Several key generations may be
pending at once, since a run that failed elsewhere is run again; only the one whose certificate arrives becomes active,
and never a second.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from sdt.domain.errors import Conflict, NotFound, Unavailable
from sdt.signing import stock
from sdt.signing.curve import multiply_base
from sdt.signing.locked import wipe
from sdt.signing.seal import Sealer
from sdt.signing.transcript import KeyStatement

FIRST_EPOCH: Final = 1


@dataclass(frozen=True, slots=True)
class ChainKey:
    """What everybody knows of the chain key. Shape: points of 64 bytes, by party − 1."""

    epoch: int
    job: bytes
    public: bytes
    points: tuple[bytes, bytes, bytes]

    @property
    def address(self) -> bytes:
        """The chain address that this key signs for."""
        return address_of(self.public)

    def statement(self, network: str) -> KeyStatement:
        """Return what the three locations sign about it."""
        return KeyStatement(network, self.epoch, self.job, self.public, self.points)


def address_of(public: bytes) -> bytes:
    """Return the chain address of a public key.

    Source: Yellow Paper, appendix F.
    """
    return bytes(keccak(public)[12:])


def _key(row: tuple[int, bytes, bytes, bytes]) -> ChainKey:
    epoch, job, public, points = row
    return ChainKey(epoch, job, public, (points[:64], points[64:128], points[128:]))


def active_key(db: sqlite3.Connection) -> ChainKey | None:
    """Return the key in force, or None before key generation."""
    row = db.execute("SELECT epoch, job, public, points FROM key_share WHERE state = 'active'").fetchone()
    return _key(row) if row else None


def demand_key(db: sqlite3.Connection) -> ChainKey:
    """Return the key in force.

    Errors: Unavailable before key generation.
    """
    key = active_key(db)
    if key is None:
        raise Unavailable("This location holds no key yet; run key generation.", code="no_key")
    return key


def _label(job: bytes) -> bytes:
    return b"key share " + job


def keep_pending(db: sqlite3.Connection, sealer: Sealer, key: ChainKey, party: int, secret: bytes) -> None:
    """Keep a share that key generation made, until its certificate comes.

    A share that is not the discrete logarithm of this location's own point is a bug of the job.
    """
    assert multiply_base(int.from_bytes(secret, "big")) == key.points[party - 1], "the share does not fit its point"
    if active_key(db) is not None:
        raise Conflict("This location already holds a key.", code="key_exists")
    _insert(db, sealer, key, secret)


def _insert(db: sqlite3.Connection, sealer: Sealer, key: ChainKey, secret: bytes) -> None:
    db.execute(
        "INSERT INTO key_share (job, epoch, state, sealed, public, points) VALUES (?, ?, 'pending', ?, ?, ?)",
        (key.job, key.epoch, sealer.seal(_label(key.job), secret), key.public, b"".join(key.points)),
    )


def pending_key(db: sqlite3.Connection, job: bytes) -> ChainKey:
    """Return a key by the job that made it, pending or active.

    Errors: NotFound.
    """
    row = db.execute("SELECT epoch, job, public, points FROM key_share WHERE job = ?", (job,)).fetchone()
    if row is None:
        raise NotFound("This location made no key in that job.", code="unknown_job")
    return _key(row)


def activate(db: sqlite3.Connection, job: bytes, certificate: bytes) -> None:
    """Put a certified key in force; the same again changes nothing.

    A share of the epoch before, and every presignature of it, is erased in the same database transaction: either would
    still give the key away.
    Errors: Conflict when it is not of the next epoch of the key in force.
    """
    current, coming = active_key(db), pending_key(db, job)
    if current is not None and current.job == job:
        return
    if current is not None:
        if coming.epoch != current.epoch + 1 or coming.public != current.public:
            raise Conflict("Another key is in force at this location.", code="key_exists")
        db.execute("DELETE FROM key_share WHERE state = 'active'")
        stock.burn_everything(db)
    db.execute("UPDATE key_share SET state = 'active', certificate = ? WHERE job = ?", (certificate, job))
    db.execute("DELETE FROM key_share WHERE state = 'pending'")
    db.execute("DELETE FROM abandoned_job")


def staged(db: sqlite3.Connection) -> list[ChainKey]:
    """Return the keys of a next epoch that wait for their certificate and that nobody promised to stay out of."""
    rows = db.execute(
        "SELECT epoch, job, public, points FROM key_share WHERE state = 'pending' AND epoch > ?"
        " AND job NOT IN (SELECT job FROM abandoned_job)",
        (FIRST_EPOCH,),
    ).fetchall()
    return [_key(row) for row in rows]


def stage(db: sqlite3.Connection, sealer: Sealer, key: ChainKey, party: int, secret: bytes) -> None:
    """Keep a share of the next epoch beside the one in force, one at a time.

    Errors: Conflict.
    """
    assert multiply_base(int.from_bytes(secret, "big")) == key.points[party - 1], "the share does not fit its point"
    if db.execute("SELECT 1 FROM abandoned_job WHERE job = ?", (key.job,)).fetchone():
        raise Conflict("This location promised to stay out of that job.", code="job_abandoned")
    current = active_key(db)
    if staged(db) or (current is not None and current.epoch + 1 != key.epoch):
        raise Conflict("Another share is staged, or another epoch in force.", code="share_staged")
    _insert(db, sealer, key, secret)


def abandon(db: sqlite3.Connection, job: bytes) -> None:
    """Never stage this job.

    Errors: Conflict when it is staged or in force.
    """
    if db.execute("SELECT 1 FROM key_share WHERE job = ?", (job,)).fetchone():
        raise Conflict("This location keeps a share of that job.", code="share_staged")
    db.execute("INSERT OR IGNORE INTO abandoned_job (job) VALUES (?)", (job,))


def drop(db: sqlite3.Connection, job: bytes) -> None:
    """Wait no longer for a staged job. Errors: Conflict when it is in force."""
    current = active_key(db)
    if current is not None and current.job == job:
        raise Conflict("That job's key is in force.", code="key_exists")
    db.execute("INSERT OR IGNORE INTO abandoned_job (job) VALUES (?)", (job,))


def active_certificate(db: sqlite3.Connection) -> bytes:
    """Return the three signatures that put the key in force, one after another; empty before key generation."""
    row = db.execute("SELECT certificate FROM key_share WHERE state = 'active'").fetchone()
    return bytes(row[0]) if row else b""


def unsealed_share(db: sqlite3.Connection, sealer: Sealer) -> bytearray:
    """Return this location's share of the key in force, for the caller to wipe."""
    row = db.execute("SELECT job, sealed FROM key_share WHERE state = 'active'").fetchone()
    if row is None:
        raise Unavailable("This location holds no key yet; run key generation.", code="no_key")
    return sealer.unseal(_label(row[0]), row[1])


def reseal(db: sqlite3.Connection, old: Sealer, new: Sealer) -> None:
    """Seal every share anew, in the caller's database transaction. Errors: SealBroken."""
    for job, sealed in db.execute("SELECT job, sealed FROM key_share").fetchall():
        secret = old.unseal(_label(job), sealed)
        db.execute("UPDATE key_share SET sealed = ? WHERE job = ?", (new.seal(_label(job), secret), job))
        wipe(secret)


def check_sealed(db: sqlite3.Connection, sealer: Sealer) -> None:
    """Open one share, if there is any. Errors: SealBroken."""
    for job, sealed in db.execute("SELECT job, sealed FROM key_share LIMIT 1"):
        wipe(sealer.unseal(_label(job), sealed))


def sealed_count(db: sqlite3.Connection) -> int:
    """Return how many shares there are."""
    found: int = db.execute("SELECT count(*) FROM key_share").fetchone()[0]
    return found
