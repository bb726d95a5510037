"""`python -m sdt.signing.signer --home DIR`: the long-lived process of one location.

It owns its share, its presignatures, its record of messages and its own view of the chain, and takes nobody's word:
the coordinator is trusted for nothing but liveness. It imports neither MPyC nor web3.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final

import uvloop

from sdt.domain.errors import Conflict, Forbidden, NotFound, SdtError
from sdt.observing.logs import start_logging
from sdt.observing.start import traced
from sdt.signing import keyring, lineage, spending, stock
from sdt.signing.anchor import Anchor
from sdt.signing.attested import Attester, LocationStatement, PeerChecks
from sdt.signing.building import BatchRefused, Builder, Built, ChainSeen
from sdt.signing.config import SignerConfig, load_signer_config
from sdt.signing.counter import FileCounter
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.joint import JointJobs, check_pair
from sdt.signing.keyring import ChainKey
from sdt.signing.lineage import Lineage, LineBatch, UnknownParent
from sdt.signing.link import Link, LinkServer
from sdt.signing.observed import Observed
from sdt.signing.operations import PROPOSED, REFUSED
from sdt.signing.reshare import Resharing
from sdt.signing.sockets import Endpoint
from sdt.signing.store import Store
from sdt.signing.tls import COORDINATOR
from sdt.signing.transcript import Intent, is_signed, sign
from sdt.signing.wire import (
    ActivateKey,
    Answer,
    BatchIds,
    ListStock,
    MarkSpend,
    MessageRefusal,
    MessagesRefused,
    Operation,
    Promote,
    Propose,
    Proposed,
    Release,
    Released,
    ShowBatch,
    ShowCertificate,
    ShowKey,
    StartKey,
    StartStock,
    Status,
    StatusAnswer,
    StockList,
)
from sdt.signing.wire_attestation import Attest
from sdt.signing.wire_lifecycle import (
    Abandon,
    DealtValue,
    Drop,
    LifecycleOperation,
    ReshareBegin,
    ReshareDeal,
    ReshareEcho,
    ReshareOpen,
    ReshareStage,
    ShowStaged,
    Signed,
    Witness,
)
from sdt.signing.witness import witness

TIDY_AFTER_S: Final = 2.0
FORGET_PERIOD_S: Final = 3600.0
FETCH_TIMEOUT_S: Final = 3.0
PROMISED_MAX: Final = 64
"""Promises kept in memory between the two rounds; another is computed again."""

_log = logging.getLogger("sdt.signing")
_PEER_MAY: Final = (Attest, DealtValue, MarkSpend, Status, ShowBatch, ShowCertificate, ShowKey)


class Signer:
    """One location's answers to every operation.

    `build` judges a batch's messages and rebuilds its chain transaction; `now_s` is this location's own clock.
    """

    def __init__(
        self,
        config: SignerConfig,
        store: Store,
        builder: Builder,
        nsm: Nsm | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._party = config.party
        self._builder = builder
        self._now_s = now_s
        self._sealer = config.sealer(nsm)
        self._intent_key = config.intent_key(self._sealer)
        self._seal_name = config.seal_name()
        self._peer_keys = config.intent_keys()
        self.store = store
        self._lineage = Lineage(self.store, builder.message_life_ms)
        self._attester = Attester(nsm, config.tls, self._statement)
        keys = {each.party: each.intent_key for each in config.locations}
        self.checks = PeerChecks(config.attestation, config.network, keys, config.agreement, now_s)
        self._peers = [
            Link(peer.party, peer.host, peer.port, config.tls, self.checks.prover(peer.party)) for peer in config.peers
        ]
        by_party = {peer.party: peer for peer in self._peers}
        self.checks.use(by_party)
        self._resharing = Resharing(config, store, self._sealer, self._intent_key, by_party)
        counter = FileCounter(config.counter_file) if config.counter_file else None
        self._anchor = Anchor(
            store, counter, config.party, config.network, self._intent_key, self._peer_keys, by_party, now_s
        )
        self._following: tuple[asyncio.Task[None], ...] = ()
        self._joint = JointJobs(config, store, self._sealer, self._intent_key, now_s, self.checks)
        self._proposing = asyncio.Lock()
        self._promised: dict[tuple[bytes, int], bytes] = {}
        self._tidying: asyncio.TimerHandle | None = None
        self._forgot_s = 0.0
        with self.store.write() as db:
            burnt = stock.burn_unfinished(db)
        if burnt:
            store.checkpoint()  # their sealed shares are not to lie in the file until the next signature
            _log.warning("%d presignatures were half used when this signer stopped; they are burnt.", burnt)

    async def answer(self, caller: int, operation: Operation) -> Answer:
        """Answer one operation.

        Errors: SdtError.
        """
        if caller != COORDINATOR and not isinstance(operation, _PEER_MAY):
            raise Forbidden("A peer may not ask this.", code="not_for_peers")
        match operation:
            case Status():
                return await self.status()
            case StartKey():
                return await self._joint.start_key(operation)
            case ActivateKey():
                return self._resharing.activate_key(operation)
            case ShowKey():
                return self._joint.show_key()
            case StartStock():
                return await self._joint.start_stock(operation)
            case Promote():
                return self._joint.promote(operation)
            case ShowCertificate():
                return self._joint.show_certificate(operation)
            case ListStock():
                return StockList(stock.ready(self.store.db, check_pair(operation.pair)))
            case Propose():
                return await self._propose(operation)
            case Release():
                return await self._release(operation)
            case ShowBatch():
                return self._show_batch(operation)
            case MarkSpend():
                return self._anchor.take(caller, operation)
            case Attest():
                return await self._attester.attest(operation)
            case Witness():
                key = keyring.demand_key(self.store.db)
                return Signed(witness(self._intent_key, operation.statement, self._config, key, self._now_s()))
            case _:
                return await self._reshare(caller, operation)

    async def _reshare(self, caller: int, operation: LifecycleOperation) -> Answer:
        match operation:
            case ReshareBegin():
                await self.checks.prove_all()
                return await self._resharing.begin(operation)
            case ReshareEcho():
                return self._resharing.echo(operation)
            case ReshareOpen():
                return self._resharing.open(operation)
            case ReshareDeal():
                await self.checks.prove_all()
                return await self._resharing.deal(operation)
            case DealtValue():
                return self._resharing.take(caller, operation)
            case ReshareStage():
                return self._resharing.stage(operation)
            case ShowStaged():
                return self._resharing.show_staged()
            case Abandon():
                return self._resharing.abandon(operation)
            case Drop():
                return self._resharing.drop(operation)
            case Witness():
                raise AssertionError("answered above")

    def follow(self) -> None:
        """Begin to ask counter and peers where this location stands, and the peers for what it missed."""
        self._following = tuple(
            asyncio.create_task(each) for each in (self._anchor.run(), self._resharing.follow(), self.checks.run())
        )

    async def close(self) -> None:
        """Close peers and database."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self._anchor.close()
        if self._tidying is not None:
            self._tidying.cancel()
        await asyncio.gather(*(peer.close() for peer in self._peers))
        self.store.checkpoint()
        self.store.close()

    # Status

    async def status(self) -> StatusAnswer:
        """Return how this location is."""
        key = keyring.active_key(self.store.db)
        if key is not None:
            self._builder.follow(key.address)
        seen = self._builder.chain_seen()
        return StatusAnswer(
            self._party,
            self._config.network,
            key.epoch if key else 0,
            key.public if key else b"",
            key.address if key else b"",
            stock.counts(self.store.db),
            seen.chain_id,
            seen.block,
            seen.time_s,
            self._now_s(),
            self._config.certificate_ends_s(),
            self._anchor.held,
            self._anchor.burnt(),
            self._attester.able,
            self.checks.demands,
            self.checks.attested(),
        )

    def _statement(self) -> LocationStatement:
        """Return what this location's enclave says of it to whoever asks."""
        key = keyring.active_key(self.store.db)
        return LocationStatement(
            self._config.network,
            self._party,
            bytes(self._intent_key.verify_key).hex(),
            "0x" + key.address.hex() if key else "",
            self._config.agreement,
            self._seal_name,
        )

    # Signing

    async def _propose(self, operation: Propose) -> Proposed | MessagesRefused:
        key = keyring.demand_key(self.store.db)
        PROPOSED.observe(len(operation.batch.entries))
        async with self._proposing:  # in the order of arrival, so that a batch finds its parent known
            try:
                parent, number = operation.batch.parent, operation.batch.number
                over_ms = self._over_ms(await self._builder.see(key.address))
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
        self._refuse_used(operation.batch.parent, built)
        self._anchor.demand()
        with self.store.write() as db:
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

    def _refuse_used(self, parent: bytes, built: Built) -> None:
        """Errors: BatchRefused, naming each message that lies on the line under `parent` already."""
        used = self._lineage.used_on_line(parent, [id_ for id_, _ in built.line.messages])
        refusals = [
            MessageRefusal(position, "already_used", "This message is in a batch before this one.")
            for position, (id_, _) in enumerate(built.line.messages)
            if id_ in used
        ]
        refusals += [
            MessageRefusal(position, "already_issued", "This deposit or its evidence was issued against before.")
            for position, what in built.unique
            if self._lineage.issued_on_line(parent, what)
        ]
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

    async def _release(self, operation: Release) -> Released:
        """Give our part on the partner's promise; giving it and forgetting the share are one database transaction.

        Not before the counter outside knows that this presignature was bound: else an old disk could bind it again.
        The transaction is not waited for on disk: were it lost with the power, the presignature would be bound to this
        hash still, and burnt at the next start.
        """
        found = stock.spendable(self.store.db, operation.job, operation.index)
        if found.binding.tx_hash != operation.tx_hash:
            raise Conflict("This presignature is bound to another transaction.", code="presignature_bound")
        partner = found.pair[0] if found.pair[1] == self._party else found.pair[1]
        bound = stock.Bound(found.row, found.pair, found.epoch)
        promised = self._promised.pop((operation.job, operation.index), None) or self._promise_of(
            keyring.demand_key(self.store.db), operation.job, operation.index, bound, found.binding
        )
        if not is_signed(self._peer_keys[partner], promised, operation.partner_intent):
            raise Forbidden(
                f"Location {partner} did not promise this very transaction.", code="bad_intent", party=partner
            )
        if found.state == "released":
            return Released(found.part)
        before = self.store.db.total_changes
        await self._anchor.settled()
        if self.store.db.total_changes != before:  # burnt, or released, meanwhile?
            found = stock.spendable(self.store.db, operation.job, operation.index)
            if found.state == "released":
                return Released(found.part)
        with self.store.write(durable=False) as db:
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
            with self.store.write() as db:
                lineage.prune(db, self._over_ms(self._builder.chain_seen()) - 3 * self._builder.message_life_ms)
        self.store.checkpoint()

    # Peers

    def _show_batch(self, operation: ShowBatch) -> BatchIds:
        shown = lineage.show(self.store.db, operation.head)
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


async def serve(
    config: SignerConfig, make_builder: Callable[[SignerConfig, Store], Builder], nsm: Nsm | None = None
) -> None:
    """Run one signer until SIGTERM or SIGINT; `nsm` is its enclave's security module, if it runs in one."""
    store = Store(config.home / "signer.db")
    builder = make_builder(config, store)
    signer = Signer(config, store, builder, nsm)
    server = LinkServer(config.tls, signer.answer, signer.checks.admit)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    renewals: set[asyncio.Task[bool]] = set()
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGHUP, lambda: renewals.add(asyncio.create_task(server.renew()))
    )
    await builder.start()
    await server.start(config.me.host, config.me.port)
    observed = Observed(signer)
    await observed.start(config.observing.health_host, config.observing.health_port)
    signer.follow()
    _log.info("Signer %d of network %s listens on port %d.", config.party, config.network, config.me.port)
    print(f"ready {config.me.port}", flush=True)
    await stop.wait()
    await observed.close()
    await server.close()
    await builder.close()
    await signer.close()


def run(config: SignerConfig, signer: Coroutine[object, object, None]) -> None:
    """Run a signer; uvloop, which is faster, speaks TCP only."""
    tcp = all(Endpoint.of(each.host, each.port).kind == "tcp" for each in config.locations)
    (uvloop.run if tcp else asyncio.run)(signer)


def forget_counter(config: SignerConfig) -> int:
    """Give a lost counter up, and with it the stock, since nothing can tell any more what of it was used."""
    store = Store(config.home / "signer.db")
    with store.write() as db:
        burnt = stock.burn_everything(db)
        spending.adopt(db, None)
    store.checkpoint()
    store.close()
    return burnt


def main() -> None:
    """Read the folder and serve."""
    from sdt.signing.validation import Validator

    parser = argparse.ArgumentParser(prog="python -m sdt.signing.signer", description="One of the three signers.")
    parser.add_argument("--home", type=Path, required=True, help="the signer's folder, with signer.toml")
    parser.add_argument(
        "--new-counter", action="store_true", help="the counter is lost: burn the stock, begin another, and end"
    )
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    config = load_signer_config(arguments.home)
    start_logging(f"signer-{config.party}", level=config.observing.log_level, style=config.observing.log_format)
    if arguments.new_counter:
        print(f"{forget_counter(config)} presignatures are burnt; the next start makes another counter.")
        return
    observing = config.observing
    with traced(f"signer-{config.party}", endpoint=observing.trace_endpoint, sample=observing.trace_sample):
        run(config, serve(config, Validator, Nsm(config.nsm) if config.nsm else None))


if __name__ == "__main__":
    main()
