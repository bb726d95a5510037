"""The whole flow on a real network: four geth nodes, one of which seals, with everything else on the same machine.

Held against the same work done bare in the same run, all added up: three PyNaCl verifications and three strict readings
of a message, one bulk insert and one bulk update on PostgreSQL, and batches signed beforehand on the same nodes.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import uvloop

import geth
import postgres
from bench import bare, chain_alone
from bench.whole_flow import loaded
from sdt.domain.region import Region
from sdt.local.joining import chain_of
from sdt.network import Wanted, create, start, stop

__all__ = ["Figures", "measure"]

NODES = 4
PEOPLE = 20
TRANSFERS = 30_000
SINGLES = 20_000
REPEATS = 3
BATCHES = (500,) * 40
BATCHES_IN_FLIGHT = 24
CHAIN_SINGLES = 400
CHAIN_SINGLES_IN_FLIGHT = 200
STEADY_SHARE = 0.7
STEADY_S = 20.0
SETTINGS = {"SDT_API__BACKLOG_MAX": "100000", "SDT_API__ACCOUNT_BACKLOG_MAX": "100000"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Transfers a second, and how long one takes. Units: in the names."""

    bulk_per_s: float
    single_per_s: float
    bare_per_s: float
    bare_on_both_per_s: float
    """The same work with a core's worth of it in each of two processes at once: what the machine has in all."""
    chain_batch_per_s: float
    chain_single_per_s: float
    p50_ms: float
    p99_ms: float


def measure(folder: Path, region: Region) -> Figures:
    """Make a network, measure the chain alone and the bare work, then the whole flow on it."""
    bin_folder = postgres.binaries()
    assert bin_folder is not None, postgres.HOW_TO_GET_IT
    # A server as it is installed: it waits for the disk.
    with postgres.cluster(bin_folder, ("shared_buffers=256MB", "max_connections=50")) as url:
        return uvloop.run(_measure(folder, region, url))


async def _measure(folder: Path, region: Region, database_url: str) -> Figures:
    # One sealer: two would make blocks that replace each other, which QBFT does not.
    plan = create(folder / "network", Wanted("geth", nodes=NODES, validators=1, binary=geth.binary()))
    await start(folder / "network")
    try:
        alone = await chain_alone.measure_at(
            plan.nodes[0].url,
            region,
            folder / "alone",
            people=PEOPLE,
            batches=BATCHES,
            singles=CHAIN_SINGLES,
            in_flight=BATCHES_IN_FLIGHT,
            singles_in_flight=CHAIN_SINGLES_IN_FLIGHT,
        )
        settings = SETTINGS | {"SDT_DATABASE__URL": postgres.new_database(database_url, "flow")}
        async with loaded(folder / "home", PEOPLE, chain_of(plan), settings) as load:
            work = bare.of_crowd(load.crowd, await load.crowd.new_ids(5_000), database_url)
            bare_us = await asyncio.to_thread(bare.us_each, work)
            both_us = await asyncio.to_thread(bare.us_each_on_both_cores, work)
            await load.settle(2_000, 0)
            bulk = [(await load.settle(TRANSFERS, 1 + n)).settled_per_s for n in range(REPEATS)]
            single = [(await load.settle_singly(SINGLES, 11 + n)).settled_per_s for n in range(REPEATS)]
            bulk_per_s = statistics.median(bulk)
            took_ms = await load.latencies_ms(STEADY_SHARE * bulk_per_s, STEADY_S, 21)
    finally:
        await stop(folder / "network")
    return Figures(
        bulk_per_s=bulk_per_s,
        single_per_s=statistics.median(single),
        bare_per_s=1e6 / (bare_us + 1e6 / alone.batch_per_s),
        bare_on_both_per_s=1e6 / (both_us + 1e6 / alone.batch_per_s),
        chain_batch_per_s=alone.batch_per_s,
        chain_single_per_s=alone.single_per_s,
        p50_ms=float(took_ms[len(took_ms) // 2]),
        p99_ms=float(took_ms[int(len(took_ms) * 0.99)]),
    )


def main() -> None:
    """Print the figures alone: `python -m bench.network`."""
    import tempfile

    region = Path(__file__).parent.parent / "regions" / "texas.toml"
    from sdt.domain.region import load_region

    os.environ.pop("SDT_SETTINGS", None)
    with tempfile.TemporaryDirectory(prefix="sdt-bench-") as name:
        print(measure(Path(name), load_region(region.read_bytes())))


if __name__ == "__main__":
    main()
