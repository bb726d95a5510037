"""The worker process: `python -m sdt.worker --home DIR`.

Screening (any number may run) and the settlement lane (one per region key, by a lease of the database) in one process,
with what they need: the follower of the chain, the outbox, and the watch over bank and depository. Prints `ready PORT`
and serves /healthz, /readyz and /metrics there. A second one waits and takes over when the first ends, however it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

from sdt.adapters.chain.client import ChainClient
from sdt.adapters.chain.deploy import Deployment, load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.backends import open_database, open_persons_key, open_queue, open_wrapping
from sdt.config import Settings
from sdt.config.logs import set_up_logging
from sdt.deployed import load_deployed
from sdt.domain.monitoring.value import read_prices
from sdt.domain.region import load_region
from sdt.observing.memory import settle_memory
from sdt.observing.process import watch_loop
from sdt.observing.start import traced
from sdt.signing.coordinator import Coordinator, StockPolicy
from sdt.vendors import open_ach_files, open_vendors
from sdt.worker.ach.bank_time import BankTime
from sdt.worker.ach.service import AchDesk
from sdt.worker.attesting import Attesting
from sdt.worker.clock import Clock
from sdt.worker.counterparties import Counterparties
from sdt.worker.currency import Currency
from sdt.worker.deliveries import Deliveries
from sdt.worker.erasures import Erasures
from sdt.worker.expiry import Expiry
from sdt.worker.follower import Follower
from sdt.worker.forming import LaneLimits
from sdt.worker.health import serve_health
from sdt.worker.identities import Identities
from sdt.worker.instructions import Instructions
from sdt.worker.lane import Lane
from sdt.worker.looks import Looks
from sdt.worker.monitor import Monitor
from sdt.worker.reading import Reading
from sdt.worker.rescreening import Rescreening
from sdt.worker.sanctions import Sanctions
from sdt.worker.screening import Screening
from sdt.worker.searcher import Searcher
from sdt.worker.standby import serve_standby, until_taken
from sdt.worker.statements import Statements
from sdt.worker.tenancy import Tenancy
from sdt.worker.vaults import Vaults
from sdt.workflows.documents import Documents
from sdt.workflows.people import People

__all__ = ["main"]

LOOK_S = 0.5
LOOK_ELSEWHERE_S = 0.05
"""How often the lane looks for work that nobody tells it of: what functions let through is in the database alone."""

log = logging.getLogger("sdt.worker")


async def work(settings: Settings) -> None:
    """Settle until a signal or a bug ends it; while another process settles for this chain key, wait for it to end."""
    deployment = load_deployment(settings.home)
    assert deployment is not None, "the region's contracts are deployed before the worker starts"
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Named by the contract: it has one chain key at a time, whichever that is.
    name = f"{deployment.chain_id}/{deployment.settlement}"
    tenancy = Tenancy(open_database(settings), name, settings.worker.lease_s)
    try:
        settles = await tenancy.take()
        if not settles:
            health = await serve_standby(settings.worker.host, settings.worker.port, tenancy)
            print(f"ready {settings.worker.port}", flush=True)
            settles = await until_taken(tenancy, stop)
            await health.cleanup()
        if settles:
            await settle(settings, deployment, tenancy, stop)
    finally:
        await tenancy.hand_over()


async def settle(settings: Settings, deployment: Deployment, tenancy: Tenancy, stop: asyncio.Event) -> None:
    """Run every part until told to stop. A part that ends by a bug ends the process: it restarts."""
    keeping = asyncio.create_task(tenancy.keep())
    region_name, _ = next(iter(settings.regions.items()))
    region = load_region(settings.region_file(region_name).read_bytes())
    store = open_database(settings)
    store.fence = tenancy.fence
    queue = open_queue(settings)
    reader = ChainReader(settings.chain.urls, timeout_s=settings.chain.request_timeout_s)
    client = ChainClient(
        settings.chain.urls,
        timeout_s=settings.chain.request_timeout_s,
        slow_after_s=settings.chain.slow_after_s,
        stalled_after_s=settings.chain.stalled_after_s,
    )
    clock = Clock()
    vendors = open_vendors(settings)
    ach_files = open_ach_files(settings) if settings.ach.delivery != "api" else None

    keys, persons_key = open_wrapping(settings), open_persons_key(settings)

    stock = settings.signing
    policy = StockPolicy(low=stock.stock_per_pair_min, target=stock.stock_per_pair, per_job=stock.job_presignatures)
    people = People(store, keys)
    await people.adopt(clock.now_ms())
    papers = Documents(store, people, settings.home / "documents")
    poll_s = min(1.0, settings.sandbox.banking_day_s / 2)
    identities = Identities(store, region, vendors.kyc, people, papers, poll_s, clock)
    searcher = Searcher(store, settings.home)
    sanctions = Sanctions(store, people, vendors.aml, searcher, region, clock)
    reading = Reading()
    screening = Screening(store, queue, region, sanctions, clock, settings.queue.visibility_timeout_s, reading)
    follower = Follower(
        store,
        region,
        reader,
        client,
        chain_id=deployment.chain_id,
        settlement=deployment.settlement,
        gas_price_wei=settings.chain.gas_price_wei,
        depth=settings.chain.finality_blocks,
        poll_s=settings.chain.poll_ms / 1000,
        clock=clock,
        demand=tenancy.demand,
    )
    limits = LaneLimits(
        items_max=settings.worker.batch_items_max,
        linger_s=settings.worker.linger_ms / 1000,
        flights_max=settings.worker.batches_in_flight_max,
        gas_max=settings.chain.gas_in_flight_max,
        deadline_s=int(settings.worker.batch_deadline_s),
        look_s=LOOK_S if settings.worker.screening == "in_process" else LOOK_ELSEWHERE_S,
    )
    # On connections of its own: no batch waits while a round of screening or a block is written down. SQLite has one
    # writer in any case.
    lanes = open_database(settings) if store.postgres else store
    lanes.fence = tenancy.fence
    # On connections of its own: what it reads never stands before a payment.
    watched = open_database(settings)
    watched.fence = tenancy.fence
    prices = read_prices(settings.price_file().read_bytes())
    monitor = Monitor(watched, region, People(watched, keys), persons_key, prices, clock)
    async with Coordinator(settings.home / "coordinator", settings.network, policy) as coordinator:
        lane = Lane(lanes, region, coordinator, follower, screening.screened, limits, clock, reading, tenancy.demand)
        parts: list[Coroutine[Any, Any, None]] = [
            screening.sweep(),
            screening.resume(),
            Rescreening(store, sanctions, searcher, clock).run(),
            lane.run(),
            follower.run(),
            follower.keep_sent(),
            Expiry(store, clock).run(),
            Currency(store, region, vendors.bank, people, persons_key, clock, poll_s).run(),
            monitor.run(),
            monitor.run_people(),
            Deliveries(store, vendors.depository, screening.screened, clock, poll_s).run(),
            Vaults(store, region, vendors.depository, clock, poll_s).run(),
            Instructions(store, region, vendors, people, identities, settings.ach, clock).run(),
            identities.run(),
            Erasures(store, papers, clock).run(),
            Counterparties(store, region, vendors, poll_s, clock).run(),
            Statements(store, region, vendors, poll_s, clock, one_by_one=settings.ach.delivery == "api").run(),
            Attesting(watched, coordinator, clock).run(),
            watch_loop(),
        ]
        if settings.worker.screening == "in_process":
            parts.append(screening.run())
        desk: AchDesk | None = None
        if ach_files is not None:
            bank_time = BankTime(vendors.bank, clock, settings.ach.clock)
            desk = AchDesk(store, region, settings.ach, ach_files, bank_time, people, keys, clock)
            parts.append(desk.run())
        await follower.recover()
        looks = Looks(
            # What health reads never stands before a payment either.
            watched,
            queue,
            follower,
            coordinator,
            client,
            monitor,
            vendors,
            region,
            tenancy,
            desk,
            flights_max=settings.worker.batches_in_flight_max,
            backlog_max=settings.api.backlog_max,
            now_ms=clock.now_ms,
        )
        health = await serve_health(settings.worker.host, settings.worker.port, looks)
        settle_memory()
        tasks = [keeping, *(asyncio.create_task(part) for part in parts)]
        stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        print(f"ready {settings.worker.port}", flush=True)
        waited: list[asyncio.Task[Any]] = [stopping, *tasks]
        done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await health.cleanup()
        for closing in (queue, reader, client):
            await closing.close()
        if ach_files is not None:
            await ach_files.close()
        await searcher.close()
        await vendors.close()
        watched.close()
        if lanes is not store:
            lanes.close()
        store.close()
        for task in done - {stopping}:
            task.result()


def main() -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m sdt.worker", description="Screens and settles transactions.")
    parser.add_argument("--home", type=Path, required=True, help="the platform's folder")
    arguments = parser.parse_args()
    settings = load_deployed(arguments.home)
    set_up_logging(settings, "worker")
    region = next(iter(settings.regions))
    with traced("worker", region=region, endpoint=settings.telemetry.endpoint, sample=settings.telemetry.sample):
        uvloop.run(work(settings))


if __name__ == "__main__":
    main()
