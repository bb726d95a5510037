"""A whole platform in one folder: made at the first start, taken up again at every later one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sdt import sandbox
from sdt.backends import open_database
from sdt.client import Network
from sdt.config import Settings, load_settings, open_ports
from sdt.domain.errors import Unavailable
from sdt.domain.region import Region, load_region
from sdt.local import opening, processes
from sdt.local.appointments import desks_of
from sdt.local.joining import Chain, join
from sdt.local.secrets import make_secrets, officials, take_vendor_keys
from sdt.signing.config import Observing
from sdt.signing.provision import Address, provision
from sdt.supervise import Supervisor, is_locked
from sdt.workflows.sanctions_lists import first_list

__all__ = ["Platform", "network_of", "prepare", "region_of", "running", "settings_of"]

Progress = Callable[[str], None]

STOCK_AT_START = 200
"""Presignatures a pair before the first payment; the worker fills the rest up in the background."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A running platform: what it is configured as, and who runs it."""

    settings: Settings
    region: Region
    network: Network
    supervisor: Supervisor


INVENTED_LIST: Final = Path(sandbox.__file__).parent / "sanctions_list"
"""A list in OFAC's form on which nobody is who exists. A State loads the real one: `sdt sanctions load`."""


def settings_of(home: Path) -> Settings:
    """Return the settings of a home, with the ports it runs on."""
    return load_settings(home=home)


@asynccontextmanager
async def running(home: Path, say: Progress = lambda _: None, chain: Chain | None = None) -> AsyncIterator[Platform]:
    """Start everything and open the region; end everything on leaving.

    `say` is told each step as it begins; `chain` is the one to join, else the home's own or the embedded one.
    Errors: those of Supervisor; Conflict when the home is on another chain.
    """
    async with Supervisor(home) as supervisor:
        if chain is not None:
            say(f"joining the chain with id {chain.chain_id}: {len(chain.nodes)} nodes")
            join(home, chain)
        say("keys and certificates")
        settings, region = prepare(supervisor, home)
        await asyncio.to_thread(_open_books, settings)
        own = "chain, " if processes.embeds_chain(settings) else ""
        say(f"{own}three signers, bank, depository and vendors, each a process of its own")
        await supervisor.start(processes.foundations(settings, region))
        take_vendor_keys(settings, settings.home / "sandbox")
        say("one key at three locations: made together, never assembled")
        chain_key = await opening.make_chain_key(settings)
        say("contracts: registry, a token each, settlement")
        administrators = officials(settings)
        await opening.deploy(settings, region, chain_key, administrators)
        opening.know_administrators(settings, administrators)
        say("presignatures for each pair of locations")
        await opening.stock_up(settings, min(STOCK_AT_START, settings.signing.stock_per_pair))
        say("worker and API")
        await supervisor.start(processes.services(settings))
        network = Network(settings.api.url, settings.network, region.id)
        if not (home / "opened").exists():
            say(f"region {region.name}: roles, rules, first attestation")
            await opening.appoint(settings, network, region, administrators, desks_of(settings))
            await opening.set_rules(settings, network, region, administrators)
            (home / "opened").write_text(f"{datetime.now(UTC).isoformat(timespec='seconds')}\n")
        say("the desks: identity, custodians, issuer, second officer")
        await supervisor.start(processes.desks(settings))
        yield Platform(settings, region, network, supervisor)


def prepare(supervisor: Supervisor, home: Path) -> tuple[Settings, Region]:
    """Make what a folder lacks before anything is started: ports, keys, certificates; return what it is set to."""
    settings = _with_ports(supervisor, home)
    region_name = next(iter(settings.regions))
    region = load_region(settings.region_file(region_name).read_bytes())
    make_secrets(settings)
    _provision(settings, region_name)
    return settings, region


def _open_books(settings: Settings) -> None:
    """Bring the database up to date; where no sanctions list is in force yet, the invented one of the sandbox is."""
    store = open_database(settings, migrate=True)
    try:
        first_list(store, settings.home, INVENTED_LIST, time.time_ns() // 1_000_000)
    finally:
        store.close()


def _with_ports(supervisor: Supervisor, home: Path) -> Settings:
    """Choose the ports that settings leave open; they stay the same at the next start if they are still free."""
    supervisor.reserve(open_ports(load_settings(home=home, ports={})))
    return load_settings(home=home)


def _provision(settings: Settings, region_name: str) -> None:
    addresses = [
        Address(signer.host, signer.port, signer.job_port, signer.health_port)
        for _, signer in sorted(settings.signers.items())
    ]
    provision(
        settings.home,
        addresses,
        network=settings.network,
        chain_urls=settings.chain.urls,
        region_file=settings.region_file(region_name),
        deployment_file=settings.home / "deployment.json",
        now=datetime.fromtimestamp(time.time(), UTC),
        gas_price_wei=settings.chain.gas_price_wei,
        finality_blocks=settings.chain.finality_blocks,
        observing=Observing(
            log_level=settings.logging.level,
            log_format=settings.logging.format,
            trace_endpoint=settings.telemetry.endpoint,
            trace_sample=settings.telemetry.sample,
        ),
    )


def region_of(home: Path) -> Region:
    """Return the region that a home runs."""
    settings = settings_of(home)
    return load_region(settings.region_file(next(iter(settings.regions))).read_bytes())


async def network_of(home: Path) -> Network:
    """Return where a home's platform is reached. Errors: Unavailable when it is not up."""
    if not is_locked(home):
        raise Unavailable(f"No platform runs in {home}. Start one with: sdt up --home {home}", code="not_running")
    settings = settings_of(home)
    return Network(settings.api.url, settings.network, region_of(home).id)
