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

from sdt.domain.errors import Forbidden
from sdt.observing.logs import start_logging
from sdt.observing.memory import settle_memory
from sdt.observing.start import traced
from sdt.signing import keyring, spending, stock
from sdt.signing.anchor import Anchor
from sdt.signing.attested import Attester, LocationStatement, PeerChecks
from sdt.signing.building import Builder
from sdt.signing.config import SignerConfig, load_signer_config
from sdt.signing.counter import FileCounter
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.joint import JointJobs, check_pair
from sdt.signing.link import Link, LinkServer
from sdt.signing.observed import Observed
from sdt.signing.online import Online
from sdt.signing.reshare import Resharing
from sdt.signing.sockets import Endpoint
from sdt.signing.store import Store
from sdt.signing.tls import COORDINATOR
from sdt.signing.wire import (
    ActivateKey,
    Answer,
    ListStock,
    MarkSpend,
    Operation,
    Promote,
    Propose,
    Release,
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
        self._online = Online(config, store, builder, self._sealer, self._intent_key, self._anchor, self._peers, now_s)
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
                return await self._online.propose(operation)
            case Release():
                return await self._online.release(operation)
            case ShowBatch():
                return self._online.show_batch(operation)
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
        self._online.close()
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
    settle_memory()
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
