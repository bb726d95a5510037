"""One location's side of refreshing the shares and of replacing a location.

begin (commit) → echo → open → deal → stage → the certificate of three → in force. Nothing is kept before `stage`, so a
crash there leaves the old epoch; a staged share lies beside the old one until the certificate comes or until a
location signs that it never will. The old share is erased in the very database transaction that puts the new one in
force.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from nacl.signing import SigningKey

from sdt.domain.errors import Conflict, Forbidden, Invalid, NotFound, SdtError, Unprocessable
from sdt.signing import keyring, sharing
from sdt.signing.config import SignerConfig
from sdt.signing.curve import ORDER, POINT_BYTES, BadPoint, multiply_base
from sdt.signing.keyring import ChainKey
from sdt.signing.link import Link
from sdt.signing.locked import wipe
from sdt.signing.seal import Sealer
from sdt.signing.store import Store
from sdt.signing.transcript import check_certificate, digest, is_signed, sign
from sdt.signing.wire import ActivateKey, Done, KeyCertificate, KeySigned, ShowKey
from sdt.signing.wire_lifecycle import (
    NOBODY,
    Abandon,
    Committed,
    DealtValue,
    Drop,
    Opened,
    ReshareBegin,
    ReshareDeal,
    ReshareEcho,
    ReshareOpen,
    ReshareStage,
    Signed,
    StagedKey,
    StagedKeys,
)

NONCE_BYTES: Final = 32
JOB_BYTES: Final = 16
PEER_TIMEOUT_S: Final = 5.0
FOLLOW_S: Final = 2.0

_log = logging.getLogger("sdt.signing")


class DealFailed(Unprocessable):
    """What was dealt does not fit what was committed to."""

    code = "deal_failed"


@dataclass
class _Session:
    """One refresh or replacement on its way: in memory only, gone with a crash."""

    job: bytes
    key: ChainKey
    replaced: int
    slope: int
    opening: bytes
    commitments: tuple[bytes, ...] = ()
    slopes: dict[int, bytes] = field(default_factory=dict)
    opened: bool = False
    values: dict[int, bytes] = field(default_factory=dict)

    def terms(self) -> tuple[bytes, int, int]:
        return self.job, self.key.epoch + 1, self.replaced


class Resharing:
    """One location's part, one refresh or replacement at a time."""

    def __init__(
        self,
        config: SignerConfig,
        store: Store,
        sealer: Sealer,
        intent_key: SigningKey,
        peers: Mapping[int, Link],
    ) -> None:
        self._party = config.party
        self._network = config.network
        self._store = store
        self._sealer = sealer
        self._intent_key = intent_key
        self._keys = config.intent_keys()
        self._peers = peers
        self._session: _Session | None = None

    # The rounds

    async def begin(self, operation: ReshareBegin) -> Committed:
        """Choose a line and commit to it; forgets whatever was begun before.

        Errors: Invalid; Conflict for another epoch, or while a share is staged.
        """
        if len(operation.job) != JOB_BYTES or operation.replaced not in (NOBODY, *sharing.PARTIES):
            raise Invalid("A resharing has a number of 16 bytes and replaces nobody or a location.", code="bad_job")
        key = await self._key_before(operation.replaced)
        if operation.epoch != key.epoch + 1:
            raise Conflict(f"This location is at epoch {key.epoch}.", code="wrong_epoch", epoch=key.epoch)
        if keyring.staged(self._store.db):
            raise Conflict("A share is staged here; let it be put in force or dropped first.", code="share_staged")
        slope, nonce, commitment, opening = 0, b"", b"", b""
        if self._party != operation.replaced:
            slope, nonce = 1 + secrets.randbelow(ORDER - 1), secrets.token_bytes(NONCE_BYTES)
            opening = multiply_base(slope) + nonce
            commitment = self._commitment(operation.job, self._party, opening)
        self._session = _Session(operation.job, key, operation.replaced, slope, opening)
        return Committed(commitment, sign(self._intent_key, self._committed(self._session, self._party, commitment)))

    async def _key_before(self, replaced: int) -> ChainKey:
        """Return the key in force; a fresh location believes what both survivors say alike.

        Errors: Conflict.
        """
        if replaced != self._party:
            return keyring.demand_key(self._store.db)
        if keyring.active_key(self._store.db) is not None:
            raise Conflict("This location holds a share; only a fresh one takes a place.", code="key_exists")
        shown = [await peer.call(ShowKey(), PEER_TIMEOUT_S) for peer in self._peers.values()]
        one, two = (
            (each.job, each.epoch, each.public, each.points) if isinstance(each, KeyCertificate) else None
            for each in shown
        )
        if one is None or one != two or len(one[3]) != 3:
            raise Conflict("The survivors do not show the same key.", code="survivors_disagree")
        job, epoch, public, (first, second, third) = one
        return ChainKey(epoch, job, public, (first, second, third))

    def echo(self, operation: ReshareEcho) -> Signed:
        """Check who committed to what, and sign all three commitments; once in a job.

        Errors: Forbidden for a bad signature; Conflict when another three were echoed.
        """
        session = self._of(operation.job)
        for party, (commitment, signature) in enumerate(
            zip(operation.commitments, operation.signatures, strict=True), 1
        ):
            if not is_signed(self._keys[party], self._committed(session, party, commitment), signature):
                raise Forbidden(f"Location {party} did not commit to that.", code="bad_commitment", party=party)
        if session.commitments not in ((), operation.commitments):
            raise Conflict("Other commitments were echoed in this job.", code="echoed_otherwise")
        session.commitments = operation.commitments
        return Signed(sign(self._intent_key, self._echo(session)))

    def open(self, operation: ReshareOpen) -> Opened:
        """Open the commitment, once all three signed the same three.

        Errors: BadCertificate.
        """
        session = self._of(operation.job)
        if not session.commitments:
            raise Conflict("Nothing was echoed yet.", code="not_echoed")
        check_certificate(self._keys, self._echo(session), operation.signatures)
        session.opened = True
        return Opened(session.opening)

    async def deal(self, operation: ReshareDeal) -> Done:
        """Check the openings and give each other location its value, straight to it.

        Errors: DealFailed; LinkLost.
        """
        session = self._of(operation.job)
        if not session.opened:
            raise Conflict("The commitments are not open yet.", code="not_opened")
        for party in sharing.dealers(session.replaced):
            opening = operation.openings[party - 1]
            if (
                len(opening) != POINT_BYTES + NONCE_BYTES
                or self._commitment(session.job, party, opening) != session.commitments[party - 1]
            ):
                raise DealFailed(f"Location {party} opened another commitment than its own.", party=party)
            session.slopes[party] = opening[:POINT_BYTES]
        if self._party in session.slopes:
            await self._give(session)
        return Done()

    async def _give(self, session: _Session) -> None:
        share = bytearray() if session.replaced == NOBODY else keyring.unsealed_share(self._store.db, self._sealer)
        at_zero = sharing.constant(self._party, session.replaced, int.from_bytes(share, "big"))
        wipe(share)
        session.values[self._party] = sharing.value_at(self._party, at_zero, session.slope)
        await asyncio.gather(
            *(
                peer.call(DealtValue(session.job, sharing.value_at(party, at_zero, session.slope)), PEER_TIMEOUT_S)
                for party, peer in self._peers.items()
            )
        )

    def take(self, caller: int, operation: DealtValue) -> Done:
        """Take what a peer dealt; the first counts."""
        self._of(operation.job).values.setdefault(caller, operation.value)
        return Done()

    def stage(self, operation: ReshareStage) -> KeySigned:
        """Check every value and the new points, keep the share beside the old one, and sign.

        Errors: DealFailed naming the dealer; Conflict.
        """
        session = self._of(operation.job)
        try:
            key, secret = self._outcome(session)
        except BadPoint as error:
            raise DealFailed("What was dealt has no point.") from error
        with self._store.write() as db:
            keyring.stage(db, self._sealer, key, self._party, secret)
        self._session = None
        return KeySigned(key.public, key.points, sign(self._intent_key, key.statement(self._network).digest()))

    def _outcome(self, session: _Session) -> tuple[ChainKey, bytes]:
        dealers = sharing.dealers(session.replaced)
        for party in dealers:
            if party not in session.slopes or party not in session.values:
                raise DealFailed(f"Location {party} dealt nothing.", party=party)
            if not self._is_dealt(session, party):
                raise DealFailed(f"What location {party} dealt is not on its line.", party=party)
        points = sharing.new_points([session.slopes[party] for party in dealers], session.key, session.replaced)
        if points is None:
            raise DealFailed("The new points do not stand for the key.")
        share = keyring.unsealed_share(self._store.db, self._sealer) if session.replaced == NOBODY else bytearray()
        secret = sharing.new_share([session.values[party] for party in dealers], share, session.replaced)
        wipe(share)
        return ChainKey(session.key.epoch + 1, session.job, session.key.public, points), secret

    def _is_dealt(self, session: _Session, dealer: int) -> bool:
        """Tell whether what a dealer gave lies on its line; without a point, that is its doing."""
        slope, value = session.slopes[dealer], session.values[dealer]
        try:
            return sharing.is_dealt(value, self._party, dealer, slope, session.key, session.replaced)
        except BadPoint:
            return False

    # What became of it

    def show_staged(self) -> StagedKeys:
        """Show the staged shares' public parts, signed again."""
        return StagedKeys(
            tuple(
                StagedKey(
                    key.job,
                    key.epoch,
                    key.public,
                    key.points,
                    sign(self._intent_key, key.statement(self._network).digest()),
                )
                for key in keyring.staged(self._store.db)
            )
        )

    def abandon(self, operation: Abandon) -> Signed:
        """Promise, on disk and signed, never to stage this job.

        Errors: Conflict when it is staged or in force here; Invalid for what is no job's number.
        """
        if len(operation.job) != JOB_BYTES:
            raise Invalid("A job has a number of 16 bytes.", code="bad_job")
        with self._store.write() as db:
            keyring.abandon(db, operation.job)
        return Signed(sign(self._intent_key, self._abandoned(operation.job)))

    def drop(self, operation: Drop) -> Done:
        """Wait no longer for a certificate that a location promised never to sign.

        The share stays sealed until the next epoch: should that location have lied and the certificate turn up, it
        still fits.
        Errors: Forbidden; NotFound.
        """
        if operation.party not in self._keys or not is_signed(
            self._keys[operation.party], self._abandoned(operation.job), operation.signature
        ):
            raise Forbidden("No location promised to stay out of that job.", code="not_abandoned")
        with self._store.write() as db:
            keyring.drop(db, operation.job)
        return Done()

    async def follow(self) -> None:
        """While a share is staged, ask the peers whether its certificate exists: whoever has it forwards it."""
        while True:
            for key in keyring.staged(self._store.db):
                for peer in self._peers.values():
                    try:
                        shown = await peer.call(ShowKey(), PEER_TIMEOUT_S)
                        if isinstance(shown, KeyCertificate) and shown.job == key.job:
                            self.activate(key, shown.signatures)
                            break
                    except SdtError as error:
                        _log.info("Location %d shows no certificate: %s", peer.party, error.detail)
            await asyncio.sleep(FOLLOW_S)

    def activate_key(self, operation: ActivateKey) -> Done:
        """Put a key in force by the certificate of all three: a first one, or a staged one.

        Errors: NotFound, BadCertificate, Conflict.
        """
        self.activate(keyring.pending_key(self._store.db, operation.job), operation.signatures)
        return Done()

    def activate(self, key: ChainKey, signatures: tuple[bytes, ...]) -> None:
        """Put a key in force by its certificate; erase the share and the stock of the epoch before.

        Errors: BadCertificate, Conflict.
        """
        check_certificate(self._keys, key.statement(self._network).digest(), signatures)
        with self._store.write() as db:
            keyring.activate(db, key.job, b"".join(signatures))
        self._store.checkpoint()  # the old share's sealed bytes lie in the write-ahead log, too
        _log.info("Epoch %d of the chain key 0x%s is in force.", key.epoch, key.address.hex())

    def _of(self, job: bytes) -> _Session:
        if self._session is None or self._session.job != job:
            raise NotFound("This location is in no such resharing; begin anew.", code="unknown_job")
        return self._session

    def _commitment(self, job: bytes, party: int, opening: bytes) -> bytes:
        return digest("reshare/commitment", self._network, job, party, opening)

    def _committed(self, session: _Session, party: int, commitment: bytes) -> bytes:
        return digest("reshare/committed", self._network, *session.terms(), party, commitment)

    def _echo(self, session: _Session) -> bytes:
        return digest("reshare/echo", self._network, *session.terms(), *session.commitments)

    def _abandoned(self, job: bytes) -> bytes:
        return abandoned_digest(self._network, job)


def abandoned_digest(network: str, job: bytes) -> bytes:
    """Return what a location signs that promises never to stage a job."""
    return digest("reshare/abandoned", network, job)
