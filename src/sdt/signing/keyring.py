"""This location's share of the chain key: pending until all three certify it, then active.

One key lives for one epoch. Several key generations may be pending at once, since a run that failed elsewhere is run
again; only the one whose certificate arrives becomes active, and never a second.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from sdt.domain.errors import Conflict, NotFound, Unavailable
from sdt.signing.curve import multiply_base
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
    """Put a certified key in force and forget the pending ones; the same again changes nothing.

    Errors: Conflict when another key is in force.
    """
    current = active_key(db)
    if current is not None and current.job != job:
        raise Conflict("Another key is in force at this location.", code="key_exists")
    db.execute("UPDATE key_share SET state = 'active', certificate = ? WHERE job = ?", (certificate, job))
    db.execute("DELETE FROM key_share WHERE state = 'pending'")


def active_certificate(db: sqlite3.Connection) -> bytes:
    """Return the three signatures that put the key in force, one after another; empty before key generation."""
    row = db.execute("SELECT certificate FROM key_share WHERE state = 'active'").fetchone()
    return bytes(row[0]) if row else b""


def unsealed_share(db: sqlite3.Connection, sealer: Sealer) -> bytes:
    """Return this location's share of the key in force, for a joint job's pipe and nothing else."""
    row = db.execute("SELECT job, sealed FROM key_share WHERE state = 'active'").fetchone()
    if row is None:
        raise Unavailable("This location holds no key yet; run key generation.", code="no_key")
    return bytes(sealer.unseal(_label(row[0]), row[1]))
