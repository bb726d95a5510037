"""The stock of presignatures: each belongs to one pair, serves one hash, and is a share of the key until it is spent.

pending → ready → bound → released, or burnt at any point. A share leaves the row in the very database transaction
that releases or burns it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sdt.domain.errors import Conflict, NotFound, RateLimited
from sdt.signing import spending
from sdt.signing.building import Built
from sdt.signing.ecdsa import partial
from sdt.signing.job_wire import JobRow, JobSpec
from sdt.signing.locked import wipe
from sdt.signing.seal import Sealer
from sdt.signing.transcript import PublicPresignature, StockStatement
from sdt.signing.wire import PAIRS, Pair, Row

PER_HASH_MAX: Final = 3
"""How many presignatures one hash may use: the first, and two after crashes."""
PER_NONCE_MAX: Final = 8
NONCE_PERIOD_S: Final = 300
"""How many presignatures one chain nonce may use in how long: what a hostile coordinator can drain at most."""

_row_decoder: Final = msgspec.msgpack.Decoder(Row)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a presignature is bound to: one chain transaction of one batch."""

    tx_hash: bytes
    chain_id: int
    number: int
    nonce: int


def statement_of(
    network: str, epoch: int, job: bytes, public: bytes, points: tuple[bytes, bytes, bytes], pair: Pair, rows: bytes
) -> StockStatement:
    """Return what the three sign about a presigning batch."""
    return StockStatement(network, epoch, job, public, points, pair, rows)


def row_digests(rows: Sequence[JobRow]) -> bytes:
    """Return the digests under which the certificate names the rows, 32 bytes each."""
    return b"".join(PublicPresignature(row.index, row.point, row.opened, row.a, row.b).digest() for row in rows)


def start_batch(db: sqlite3.Connection, job: bytes, epoch: int, pair: Pair, now_s: int) -> None:
    """Record that a presigning job began, so that no two ever share a number.

    Errors: Conflict.
    """
    try:
        db.execute(
            "INSERT INTO stock_batch (job, epoch, low, high, state, started_s) VALUES (?, ?, ?, ?, 'started', ?)",
            (job, epoch, *pair, now_s),
        )
    except sqlite3.IntegrityError:
        raise Conflict("A job with this number was run before.", code="job_exists") from None


def burn_batch(db: sqlite3.Connection, job: bytes) -> None:
    """Burn a batch whose job failed."""
    db.execute("UPDATE stock_batch SET state = 'burnt' WHERE job = ?", (job,))
    db.execute(
        "UPDATE presignature SET state = 'burnt', sealed = NULL WHERE job = ? AND state IN ('pending', 'ready')",
        (job,),
    )


def burn_everything(db: sqlite3.Connection) -> int:
    """Burn the whole stock, as when its epoch ends: each presignature would still give the key away.

    Returns how many presignatures that cost.
    """
    spending.step(db)
    db.execute("UPDATE stock_batch SET state = 'burnt' WHERE state != 'burnt'")
    return db.execute(
        "UPDATE presignature SET state = 'burnt', sealed = NULL WHERE state IN ('pending', 'ready', 'bound')",
    ).rowcount


def burn_stale(db: sqlite3.Connection, before_s: int) -> None:
    """Burn batches whose certificate never came: nobody holds one any more."""
    for [job] in db.execute(
        "SELECT job FROM stock_batch WHERE state = 'pending' AND started_s < ?", (before_s,)
    ).fetchall():
        burn_batch(db, job)


def with_terms(spec: JobSpec, *, pair: Pair, count: int, secret: bytearray, public: bytes) -> JobSpec:
    """Return a job's terms completed for presigning."""
    return msgspec.structs.replace(spec, pair=pair, count=count, secret=secret, public=public)


def binding_of(built: Built) -> Binding:
    """Return what a presignature is bound to for this batch."""
    transaction = built.transaction
    return Binding(built.tx_hash, transaction.chain_id, built.line.number, transaction.nonce)


def keep_pending(
    db: sqlite3.Connection, sealer: Sealer, job: bytes, pair: Pair, rows: Sequence[JobRow], digests: bytes
) -> None:
    """Keep a finished job's batch until its certificate comes; the third location's rows carry no share.

    Errors: Conflict when a nonce was seen before.
    """
    db.execute("UPDATE stock_batch SET state = 'pending', rows = ? WHERE job = ?", (digests, job))
    members = [row for row in rows if row.secret]
    try:
        db.executemany(
            "INSERT INTO presignature (job, idx, r, public, low, high, state, sealed)"
            " VALUES (?, ?, ?, ?, ?, ?, 'pending', ?)",
            [
                (
                    job,
                    row.index,
                    row.point[:32],
                    msgspec.msgpack.encode(Row(row.index, row.point, row.opened, row.a, row.b)),
                    *pair,
                    sealer.seal(_label(job, row.index), row.secret),
                )
                for row in members
            ],
        )
    except sqlite3.IntegrityError:
        raise Conflict("A nonce of this batch was seen before; the batch is burnt.", code="repeated_nonce") from None


def _label(job: bytes, index: int) -> bytes:
    return b"presignature " + job + index.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class StockBatch:
    """One presigning batch as this location keeps it."""

    job: bytes
    epoch: int
    pair: Pair
    state: str
    rows: bytes
    certificate: bytes


def batch_of(db: sqlite3.Connection, job: bytes) -> StockBatch:
    """Return a presigning batch.

    Errors: NotFound.
    """
    row = db.execute(
        "SELECT epoch, low, high, state, rows, certificate FROM stock_batch WHERE job = ?", (job,)
    ).fetchone()
    if row is None or row[4] is None:
        raise NotFound("This location finished no such presigning job.", code="unknown_job")
    return StockBatch(job, row[0], (row[1], row[2]), row[3], row[4], row[5] or b"")


def promote(db: sqlite3.Connection, job: bytes, certificate: bytes) -> None:
    """Make a certified batch usable, by its own number; the same again changes nothing.

    Errors: Conflict when it was burnt.
    """
    state = batch_of(db, job).state
    if state == "burnt":
        raise Conflict("That batch was burnt.", code="batch_burnt")
    if state == "pending":
        db.execute("UPDATE stock_batch SET state = 'ready', certificate = ? WHERE job = ?", (certificate, job))
        db.execute("UPDATE presignature SET state = 'ready' WHERE job = ? AND state = 'pending'", (job,))


def counts(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Return how many presignatures are ready, by pair in the order of PAIRS."""
    found = {
        (low, high): count
        for low, high, count in db.execute(
            "SELECT low, high, count(*) FROM presignature WHERE state = 'ready' GROUP BY low, high"
        )
    }
    one, two, three = (found.get(pair, 0) for pair in PAIRS)
    return one, two, three


def ready(db: sqlite3.Connection, pair: Pair) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    """Return a pair's ready presignatures, by batch."""
    batches: dict[bytes, list[int]] = {}
    for job, index in db.execute(
        "SELECT job, idx FROM presignature WHERE low = ? AND high = ? AND state = 'ready' ORDER BY job, idx", pair
    ):
        batches.setdefault(job, []).append(index)
    return tuple((job, tuple(indices)) for job, indices in batches.items())


@dataclass(frozen=True, slots=True)
class Bound:
    """A presignature as a proposal finds or leaves it."""

    row: Row
    pair: Pair
    epoch: int


def bind(db: sqlite3.Connection, job: bytes, index: int, binding: Binding, party: int, now_s: int) -> Bound:
    """Bind a ready presignature to one hash for good; the same binding again changes nothing.

    Errors: NotFound; Conflict for another hash or a spent one; RateLimited when this hash or nonce had its share.
    """
    found = db.execute(
        "SELECT p.state, p.tx_hash, p.public, p.low, p.high, b.epoch, p.number, p.nonce, p.chain_id"
        " FROM presignature p JOIN stock_batch b USING (job) WHERE p.job = ? AND p.idx = ?",
        (job, index),
    ).fetchone()
    if found is None or found[0] == "pending" or party not in found[3:5]:
        raise NotFound("This location has no such presignature.", code="unknown_presignature")
    state, tx_hash, public, low, high, epoch, number, nonce, chain_id = found
    bound = Bound(_row_decoder.decode(public), (low, high), epoch)
    if state in ("bound", "released"):
        if Binding(tx_hash, chain_id, number, nonce) != binding:
            raise Conflict("This presignature is bound to another transaction.", code="presignature_bound")
        return bound
    if state != "ready":
        raise Conflict("This presignature was burnt.", code="presignature_burnt")
    _demand_share(db, binding, now_s)
    spending.step(db)
    db.execute(
        "UPDATE presignature SET state = 'bound', tx_hash = ?, chain_id = ?, number = ?, nonce = ?, bound_s = ?"
        " WHERE job = ? AND idx = ?",
        (binding.tx_hash, binding.chain_id, binding.number, binding.nonce, now_s, job, index),
    )
    return bound


def _demand_share(db: sqlite3.Connection, binding: Binding, now_s: int) -> None:
    [per_hash] = db.execute(  # a hash has one nonce, and nonces are indexed
        "SELECT count(*) FROM presignature WHERE nonce = ? AND tx_hash = ?", (binding.nonce, binding.tx_hash)
    ).fetchone()
    [per_nonce] = db.execute(
        "SELECT count(*) FROM presignature WHERE nonce = ? AND bound_s > ?",
        (binding.nonce, now_s - NONCE_PERIOD_S),
    ).fetchone()
    if per_hash >= PER_HASH_MAX:
        raise RateLimited(f"This transaction used {PER_HASH_MAX} presignatures already.", code="hash_exhausted")
    if per_nonce >= PER_NONCE_MAX:
        raise RateLimited(
            f"Chain nonce {binding.nonce} used {PER_NONCE_MAX} presignatures within {NONCE_PERIOD_S} s.",
            code="nonce_exhausted",
            retry_after_s=NONCE_PERIOD_S,
        )


@dataclass(frozen=True, slots=True)
class Spendable:
    """A bound or released presignature."""

    state: str
    binding: Binding
    row: Row
    pair: Pair
    epoch: int
    part: bytes


def spendable(db: sqlite3.Connection, job: bytes, index: int) -> Spendable:
    """Return a presignature that was bound.

    Errors: NotFound; Conflict when it is not bound or burnt.
    """
    row = db.execute(
        "SELECT p.state, p.tx_hash, p.chain_id, p.number, p.nonce, p.public, p.low, p.high, b.epoch, p.part"
        " FROM presignature p JOIN stock_batch b USING (job) WHERE p.job = ? AND p.idx = ?",
        (job, index),
    ).fetchone()
    if row is None:
        raise NotFound("This location has no such presignature.", code="unknown_presignature")
    if row[0] not in ("bound", "released"):
        raise Conflict("This presignature is not bound to a transaction.", code="presignature_not_bound")
    binding = Binding(row[1], row[2], row[3], row[4])
    return Spendable(row[0], binding, _row_decoder.decode(row[5]), (row[6], row[7]), row[8], row[9] or b"")


def spend(db: sqlite3.Connection, sealer: Sealer, job: bytes, index: int, bound: Spendable) -> bytes:
    """Compute this location's part and put it where the share was, in the caller's database transaction."""
    [sealed] = db.execute("SELECT sealed FROM presignature WHERE job = ? AND idx = ?", (job, index)).fetchone()
    secret = sealer.unseal(_label(job, index), sealed)
    part = partial(
        bound.binding.tx_hash,
        bound.row.point,
        int.from_bytes(secret[:32], "big"),
        int.from_bytes(secret[32:], "big"),
    ).to_bytes(32, "big")
    wipe(secret)
    db.execute(
        "UPDATE presignature SET state = 'released', sealed = NULL, part = ? WHERE job = ? AND idx = ?",
        (part, job, index),
    )
    return part


def burn_unfinished(db: sqlite3.Connection) -> int:
    """Burn what a crash left half used, and jobs it interrupted; return how many presignatures that cost."""
    db.execute("UPDATE stock_batch SET state = 'burnt' WHERE state = 'started'")
    return db.execute("UPDATE presignature SET state = 'burnt', sealed = NULL WHERE state = 'bound'").rowcount


def reseal(db: sqlite3.Connection, old: Sealer, new: Sealer) -> None:
    """Seal every presignature's shares anew, in the caller's database transaction. Errors: SealBroken."""
    for job, index, sealed in db.execute(
        "SELECT job, idx, sealed FROM presignature WHERE sealed IS NOT NULL"
    ).fetchall():
        secret = old.unseal(_label(job, index), sealed)
        again = new.seal(_label(job, index), secret)
        wipe(secret)
        db.execute("UPDATE presignature SET sealed = ? WHERE job = ? AND idx = ?", (again, job, index))


def check_sealed(db: sqlite3.Connection, sealer: Sealer) -> None:
    """Open one presignature's shares, if there are any. Errors: SealBroken."""
    for job, index, sealed in db.execute("SELECT job, idx, sealed FROM presignature WHERE sealed IS NOT NULL LIMIT 1"):
        wipe(sealer.unseal(_label(job, index), sealed))


def sealed_count(db: sqlite3.Connection) -> int:
    """Return how many presignatures hold shares."""
    found: int = db.execute("SELECT count(*) FROM presignature WHERE sealed IS NOT NULL").fetchone()[0]
    return found
