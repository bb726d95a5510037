"""The two rounds of a signature at one location: promise a batch's transaction, then give the part of it.

Before the first everything is judged, rebuilt and written down; in the second a location gives its part on its
partner's promise alone (see the design of signing, "Two-round release").
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from nacl.signing import SigningKey

from sdt.domain.authority import CLOCK_SKEW_S
from sdt.domain.errors import Conflict, Forbidden, NotFound, SdtError
from sdt.signing import keyring, lineage, stock
from sdt.signing.anchor import Anchor
from sdt.signing.building import BatchRefused, Builder, Built, ChainSeen
from sdt.signing.config import SignerConfig
from sdt.signing.keyring import ChainKey
from sdt.signing.lineage import Lineage, LineBatch, UnknownParent
from sdt.signing.link import Link
from sdt.signing.operations import PROPOSED, REFUSED
from sdt.signing.seal import Sealer
from sdt.signing.store import Store
from sdt.signing.transcript import Intent, is_signed, sign
from sdt.signing.wire import (
    BatchIds,
    MessageRefusal,
    MessagesRefused,
    Propose,
    Proposed,
    Release,
    Released,
    ShowBatch,
)

__all__ = ["Online"]

TIDY_AFTER_S: Final = 2.0
FORGET_PERIOD_S: Final = 3600.0
FETCH_TIMEOUT_S: Final = 3.0
PROMISED_MAX: Final = 64
"""Promises kept in memory between the two rounds; another is computed again."""

_log = logging.getLogger("sdt.signing")


class Online:
    """Answers to `Propose` and `Release`. `now_s` is this location's own clock."""

    def __init__(
        self,
        config: SignerConfig,
        store: Store,
        builder: Builder,
        sealer: Sealer,
        intent_key: SigningKey,
        anchor: Anchor,
        peers: Sequence[Link],
        now_s: Callable[[], float],
    ) -> None:
        self._config = config
        self._party = config.party
        self._store = store
        self._builder = builder
        self._sealer = sealer
        self._intent_key = intent_key
        self._peer_keys = config.intent_keys()
        self._anchor = anchor
        self._peers = peers
        self._now_s = now_s
        self._lineage = Lineage(store)
        self._proposing = asyncio.Lock()
        self._promised: dict[tuple[bytes, int], bytes] = {}
        self._tidying: asyncio.TimerHandle | None = None
        self._forgot_s = 0.0

    def close(self) -> None:
        """Leave the tidying to whoever closes the database."""
        if self._tidying is not None:
            self._tidying.cancel()

    async def propose(self, operation: Propose) -> Proposed | MessagesRefused:
        key = keyring.demand_key(self._store.db)
        PROPOSED.observe(len(operation.batch.entries))
        async with self._proposing:  # in the order of arrival, so that a batch finds its parent known
            try:
                parent, number = operation.batch.parent, operation.batch.number
                seen = await self._builder.see(key.address)
                over_ms = self._over_ms(seen)
                if abs(self._now_s() - seen.time_s) <= CLOCK_SKEW_S:  # else nothing is signed, nor believed of the time
                    self._lineage.begin(over_ms, self._builder.message_life_ms)
                await self._lineage.complete(parent, number, over_ms, self._fetch_batch)
                built = await self._builder.build(
                    operation.batch, key.address, lambda settled: self._lineage.may_administer_after(parent, settled)
                )
                bound = self._bind(operation, built)
            except BatchRefused as refused:
                REFUSED.add(n=len(refused.refusals))
                return MessagesRefused(refused.refusals)
        binding = stock.binding_of(built)
        digest = self._promise_of(key, operation.job, operation.index, bound, binding)
        self._promised[operation.job, operation.index] = digest
        if len(self._promised) > PROMISED_MAX:
            self._promised.pop(next(iter(self._promised)))
        promise = sign(self._intent_key, digest)
        return Proposed(binding.chain_id, bound.epoch, binding.tx_hash, promise, bound.row)

    def _over_ms(self, seen: ChainSeen) -> int:
        """Return the time by which messages count as over: the earlier of our clock and the chain's.

        A clock that ran ahead for a moment would make this location forget payments, which could then come again.
        """
        return 1000 * min(int(self._now_s()), seen.time_s)

    def _bind(self, operation: Propose, built: Built) -> stock.Bound:
        """Refuse what was used before; else remember the messages and bind the presignature, all or nothing."""
        self._refuse_forgotten(built)
        self._refuse_used(operation.batch.parent, built)
        self._anchor.demand()
        with self._store.write() as db:
            lineage.record(db, built.line)
            lineage.record_issued(db, built.line.head, built.unique)
            bound = stock.bind(
                db,
                operation.job,
                operation.index,
                stock.binding_of(built),
                self._party,
                int(self._now_s()),
            )
        self._anchor.moved()
        self._lineage.note_complete(built.line.head)
        return bound

    def _refuse_forgotten(self, built: Built) -> None:
        """Errors: BatchRefused, naming each message of which this location can no longer tell whether it was used."""
        ids = [id_ for id_, _ in built.line.messages]
        forgotten = self._lineage.forgotten(ids)
        if forgotten:
            why = "The message is from before what this location remembers."
            raise BatchRefused(
                tuple(MessageRefusal(at, "expired_message", why) for at, id_ in enumerate(ids) if id_ in forgotten)
            )

    def _refuse_used(self, parent: bytes, built: Built) -> None:
        """Errors: BatchRefused, naming each message that lies on the line under `parent` already."""
        used = self._lineage.used_on_line(parent, [id_ for id_, _ in built.line.messages])
        refusals = [
            MessageRefusal(position, "already_used", "This message is in a batch before this one.")
            for position, (id_, _) in enumerate(built.line.messages)
            if id_ in used
        ]
        taken: set[bytes] = set()
        for position, what in built.unique:
            if what in taken or self._lineage.issued_on_line(parent, what):
                refusals.append(
                    MessageRefusal(
                        position, "already_issued", "This deposit or its evidence was issued against before."
                    )
                )
            taken.add(what)
        if refusals:
            raise BatchRefused(tuple(refusals))

    def _promise_of(self, key: ChainKey, job: bytes, index: int, bound: stock.Bound, binding: stock.Binding) -> bytes:
        """Return what both of the pair sign: a presignature bound for good has one promise."""
        return Intent(
            self._config.network,
            binding.chain_id,
            key.public,
            bound.epoch,
            binding.number,
            job,
            index,
            bound.row.point,
            bound.pair,
            binding.tx_hash,
            binding.nonce,
        ).digest()

    async def release(self, operation: Release) -> Released:
        """Give our part on the partner's promise; giving it and forgetting the share are one database transaction.

        Not before the counter outside knows that this presignature was bound: else an old disk could bind it again.
        The transaction is not waited for on disk: were it lost with the power, the presignature would be bound to this
        hash still, and burnt at the next start.
        """
        found = stock.spendable(self._store.db, operation.job, operation.index)
        if found.binding.tx_hash != operation.tx_hash:
            raise Conflict("This presignature is bound to another transaction.", code="presignature_bound")
        partner = found.pair[0] if found.pair[1] == self._party else found.pair[1]
        bound = stock.Bound(found.row, found.pair, found.epoch)
        promised = self._promised.pop((operation.job, operation.index), None) or self._promise_of(
            keyring.demand_key(self._store.db), operation.job, operation.index, bound, found.binding
        )
        if not is_signed(self._peer_keys[partner], promised, operation.partner_intent):
            raise Forbidden(
                f"Location {partner} did not promise this very transaction.", code="bad_intent", party=partner
            )
        if found.state == "released":
            return Released(found.part)
        before = self._store.db.total_changes
        await self._anchor.settled()
        if self._store.db.total_changes != before:  # burnt, or released, meanwhile?
            found = stock.spendable(self._store.db, operation.job, operation.index)
            if found.state == "released":
                return Released(found.part)
        with self._store.write(durable=False) as db:
            part = stock.spend(db, self._sealer, operation.job, operation.index, found)
        self._plan_tidying()
        return Released(part)

    def _plan_tidying(self) -> None:
        """Tidy up when things have been quiet for a moment."""
        if self._tidying is not None:
            self._tidying.cancel()
        self._tidying = asyncio.get_running_loop().call_later(TIDY_AFTER_S, self._tidy)

    def _tidy(self) -> None:
        """Empty the write-ahead log, where spent shares' sealed bytes lie, and forget messages long over."""
        if abs(self._now_s() - self._forgot_s) > FORGET_PERIOD_S:
            self._forgot_s = self._now_s()
            with self._store.write() as db:
                lineage.prune(db, self._over_ms(self._builder.chain_seen()) - lineage.KEPT_MS)
        self._store.checkpoint()

    def show_batch(self, operation: ShowBatch) -> BatchIds:
        shown = lineage.show(self._store.db, operation.head)
        if shown is None:
            raise NotFound("This location does not know that head.", code="unknown_head")
        return shown

    async def _fetch_batch(self, head: bytes) -> LineBatch:
        """Ask both peers what stands behind a head, and believe the first answer that proves itself.

        Errors: UnknownParent.
        """
        asked = [asyncio.create_task(self._ask_batch(peer, head)) for peer in self._peers]
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    return await answer
                except SdtError as error:
                    _log.info("A location does not show the batch of a head: %s", error.detail)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise UnknownParent("No location can tell which messages stand behind the proposed parent.")

    async def _ask_batch(self, peer: Link, head: bytes) -> LineBatch:
        shown = await peer.call(ShowBatch(head), FETCH_TIMEOUT_S)
        assert isinstance(shown, BatchIds)
        return lineage.read_shown(head, shown)
