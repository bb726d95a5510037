"""One signer's side of joint jobs: run the job's process, keep what it made, sign what it saw, take certificates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace
from nacl.signing import SigningKey

from sdt.domain.errors import Conflict, Invalid, SdtError
from sdt.signing import keyring, stock
from sdt.signing.attested import PeerChecks
from sdt.signing.config import SignerConfig
from sdt.signing.job_wire import JobKey, JobSpec, JobStock
from sdt.signing.jobs import JobThrownAway, run_job
from sdt.signing.keyring import ChainKey
from sdt.signing.locked import wipe
from sdt.signing.seal import Sealer
from sdt.signing.store import Store
from sdt.signing.transcript import check_certificate, sign
from sdt.signing.wire import (
    PAIRS,
    PRESIGN_COUNT_MAX,
    Certificate,
    Done,
    KeyCertificate,
    KeySigned,
    Pair,
    Promote,
    ShowCertificate,
    StartKey,
    StartStock,
    StockSigned,
)

JOB_BYTES: Final = 16
JOB_DEADLINE_S_MAX: Final = 300.0
STOCK_PER_PAIR_MAX: Final = 100_000
CERTIFICATE_WAIT_S: Final = 3600
"""A batch whose certificate has not come by then is burnt: the third location may be gone, its signature lost."""

_log = logging.getLogger("sdt.signing")


class JointJobs:
    """Key generation and presigning at this location, one job at a time."""

    def __init__(
        self,
        config: SignerConfig,
        store: Store,
        sealer: Sealer,
        intent_key: SigningKey,
        now_s: Callable[[], float],
        checks: PeerChecks,
    ) -> None:
        self._checks = checks
        self._config = config
        self._party = config.party
        self._network = config.network
        self._store = store
        self._sealer = sealer
        self._intent_key = intent_key
        self._keys = config.intent_keys()
        self._now_s = now_s
        self._one = asyncio.Lock()

    def _spec(self, kind: str, job: bytes, epoch: int, deadline_s: float) -> JobSpec:
        if len(job) != JOB_BYTES or not 0 < deadline_s <= JOB_DEADLINE_S_MAX:
            raise Invalid("A joint job has a number of 16 bytes and a deadline within 300 s.", code="bad_job")
        tls = self._config.tls
        return JobSpec(
            kind=kind,
            job=job,
            network=self._network,
            epoch=epoch,
            party=self._party,
            addresses=[(location.host, location.mpc_port) for location in self._config.locations],
            certificate=tls.certificate,
            key=tls.key,
            authority=tls.authority,
            deadline_s=deadline_s,
        )

    async def _with_proven_peers(self, spec: JobSpec) -> JobSpec:
        """Have both peers prove now what they run, where that is demanded, and hold the job to their keys.

        Errors: PeerNotAttested, LinkLost.
        """
        keys = await self._checks.prove_all()
        one, two, three = (keys.get(party, b"") for party in (1, 2, 3))
        return replace(spec, peer_keys=(one, two, three))

    def _demand_free(self) -> None:
        if self._one.locked():
            raise JobThrownAway("This location is in another joint job.", code="job_running")

    # The key

    async def start_key(self, operation: StartKey) -> KeySigned:
        """Take part in key generation, keep the share as pending, and sign the public outcome.

        Errors: Conflict when there is a key; JobThrownAway.
        """
        spec = self._spec("key", operation.job, keyring.FIRST_EPOCH, operation.deadline_s)
        if keyring.active_key(self._store.db) is not None:
            raise Conflict("This location already holds a key.", code="key_exists")
        self._demand_free()
        async with self._one:
            made = await run_job(await self._with_proven_peers(spec))
            assert isinstance(made, JobKey), "a key job answers with a key"
            key = ChainKey(keyring.FIRST_EPOCH, operation.job, made.public, made.points)
            with self._store.write() as db:
                keyring.keep_pending(db, self._sealer, key, self._party, made.secret)
        signature = sign(self._intent_key, key.statement(self._network).digest())
        return KeySigned(key.public, key.points, signature)

    def show_key(self) -> KeyCertificate:
        """Show the certificate of the key in force."""
        key = keyring.active_key(self._store.db)
        if key is None:
            return KeyCertificate(b"")
        signatures = _three(keyring.active_certificate(self._store.db))
        return KeyCertificate(key.job, key.epoch, key.public, key.points, signatures)

    # The stock

    async def start_stock(self, operation: StartStock) -> StockSigned:
        """Take part in presigning, keep the batch as pending, and sign its public outcome.

        When the job has answered, its process has ended, and with it k, a and, at the third location, every share:
        only then is the statement signed.
        Errors: Conflict, Invalid, JobThrownAway.
        """
        key, pair = keyring.demand_key(self._store.db), check_pair(operation.pair)
        spec = self._spec("stock", operation.job, key.epoch, operation.deadline_s)
        if not 0 < operation.count <= PRESIGN_COUNT_MAX:
            raise Invalid(f"A presigning job makes 1 to {PRESIGN_COUNT_MAX}.", code="bad_job")
        if stock.counts(self._store.db)[PAIRS.index(pair)] + operation.count > STOCK_PER_PAIR_MAX:
            raise Conflict("This pair's stock is full.", code="stock_full")
        self._demand_free()
        async with self._one:
            with self._store.write() as db:
                stock.burn_stale(db, int(self._now_s()) - CERTIFICATE_WAIT_S)
                stock.start_batch(db, operation.job, key.epoch, pair, int(self._now_s()))
            try:
                rows, working_s = await self._make_stock(spec, operation, key)
            except SdtError:
                with self._store.write() as db:
                    stock.burn_batch(db, operation.job)
                raise
        statement = self._statement(key, stock.StockBatch(operation.job, key.epoch, pair, "pending", rows, b""))
        return StockSigned(statement, sign(self._intent_key, statement), working_s)

    async def _make_stock(self, spec: JobSpec, operation: StartStock, key: ChainKey) -> tuple[bytes, float]:
        """Run the job and keep its batch as pending; return the rows' digests and how long the work took."""
        share = keyring.unsealed_share(self._store.db, self._sealer)
        spec = stock.with_terms(spec, pair=operation.pair, count=operation.count, secret=share, public=key.public)
        try:
            made = await run_job(await self._with_proven_peers(spec))
        finally:
            wipe(share)
        assert isinstance(made, JobStock), "a presigning job answers with presignatures"
        member = self._party in operation.pair
        assert all(bool(row.secret) == member for row in made.rows), "shares only at the members"
        digests = stock.row_digests(made.rows)
        with self._store.write() as db:
            if keyring.demand_key(db).job != key.job:
                raise Conflict("The epoch changed while this was made; it is burnt.", code="epoch_over")
            stock.keep_pending(db, self._sealer, spec.job, operation.pair, made.rows, digests)
        return digests, made.working_s

    def _statement(self, key: ChainKey, batch: stock.StockBatch) -> bytes:
        return stock.statement_of(
            self._network, batch.epoch, batch.job, key.public, key.points, batch.pair, batch.rows
        ).digest()

    def promote(self, operation: Promote) -> Done:
        """Make one batch usable by the certificate of all three.

        Errors: NotFound, BadCertificate, Conflict.
        """
        batch, key = stock.batch_of(self._store.db, operation.job), keyring.demand_key(self._store.db)
        check_certificate(self._keys, self._statement(key, batch), operation.signatures)
        with self._store.write() as db:
            stock.promote(db, operation.job, b"".join(operation.signatures))
        return Done()

    def show_certificate(self, operation: ShowCertificate) -> Certificate:
        """Show a batch's statement and certificate, by which anybody can tell who lies about a row.

        Errors: NotFound; Conflict for a batch of an epoch that is over, whose points are no longer at hand.
        """
        batch, key = stock.batch_of(self._store.db, operation.job), keyring.demand_key(self._store.db)
        if batch.epoch != key.epoch:
            raise Conflict("That presignature is of an epoch that is over.", code="epoch_over")
        return Certificate(batch.epoch, key.public, key.points, batch.pair, batch.rows, _three(batch.certificate))


def check_pair(pair: Pair) -> Pair:
    """Return the pair if it is one. Errors: Invalid."""
    if pair not in PAIRS:
        raise Invalid("A pair is two of the locations 1, 2 and 3, the lower first.", code="bad_pair")
    return pair


def _three(signatures: bytes) -> tuple[bytes, ...]:
    return tuple(signatures[at : at + 64] for at in range(0, len(signatures), 64))
