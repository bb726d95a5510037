"""`python -m bench`: measure, print the table, write bench/RESULTS.md and bench/results.json.

Every ratio is of two figures of this run, taken in turns where they can be; what is held against is measured with
nothing else of ours running.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

from bench import chain_alone, function_overhead, intake, machine, network, presign, sign_online, verify
from bench.table import Row, markdown, write
from bench.whole_flow import FlowRate, loaded
from sdt.domain.region import load_region

FOLDER = Path(__file__).parent
REGION_FILE = FOLDER.parent / "regions" / "texas.toml"
PEOPLE = 40
TRANSFERS = 5_000
REPEATS = 3
BATCHES = (500,) * 10
SINGLES = 100
BESU_PER_S = 645
"""Source: design of the chain; the published rate that users of such networks compare with."""


def main() -> None:
    """Measure everything."""
    on, at = machine.machine(), machine.commit()
    rows = [_verify(), _sign_online(), _presign(), *_intake(), *_functions(), *_flow(), *_network()]
    write(FOLDER, on, at, rows)
    print(markdown(on, at, rows))


def _say(what: str) -> None:
    print(f"… {what}", flush=True)


def _verify() -> Row:
    _say("judging signed messages on one core")
    judged, bare = verify.measure(REGION_FILE)
    return Row("verify_per_s", judged, "/s", "bare PyNaCl verification", bare, 0.30)


def _sign_online() -> Row:
    _say("two-of-three signatures")
    signed_ms, bare_ms = sign_online.measure()
    return Row("sign_online_ms", signed_ms, "ms", "two fsyncs and two loopback round trips", bare_ms, 1.5, at_most=True)


def _presign() -> Row:
    _say("presignatures")
    made, bare = presign.measure()
    return Row("presign_per_s", made, "/s", "a bare MPyC job of the same operations", bare, 0.7)


def _intake() -> list[Row]:
    _say("intake")
    found = intake.measure(5_000)
    against = "verification, reading and bulk insert, bare, in one thread"
    return [Row("intake_batch_per_s", found.batch_per_s, "/s", against, found.bare_per_s, 0.5)]


def _functions() -> list[Row]:
    _say("a warm function of the API")
    found = function_overhead.measure()
    asked = "what is asked over the bare function, CPU"
    return [
        Row("function_put_overhead_ms", found.put_ms, "ms", asked, 1.0, 1, at_most=True),
        Row("function_get_overhead_ms", found.get_ms, "ms", asked, 1.0, 1, at_most=True),
    ]


def _flow() -> list[Row]:
    """The platform between two looks at the chain alone: what the machine does besides weighs on both alike."""
    with tempfile.TemporaryDirectory(prefix="sdt-bench-") as name:
        folder = Path(name)
        alone = [_alone(folder / "chain-1")]
        flow = asyncio.run(_whole(folder / "home"))
        alone += [_alone(folder / f"chain-{n}") for n in (2, 3)]
    batch = statistics.median(rates.batch_per_s for rates in alone)
    single = statistics.median(rates.single_per_s for rates in alone)
    settled = statistics.median(rate.settled_per_s for rate in flow)
    against = "the embedded chain alone, batches of 500 signed beforehand"
    return [
        Row("embedded_settled_per_s", settled, "/s", against, batch, 0.7),
        Row("batch_over_single", batch, "/s", "the embedded chain, one transfer a chain transaction", single, 10),
    ]


def _network() -> list[Row]:
    _say("a network of four geth nodes, the chain alone and then a whole platform on it")
    with tempfile.TemporaryDirectory(prefix="sdt-bench-") as name:
        found = network.measure(Path(name), load_region(REGION_FILE.read_bytes()))
    work = "3 verifications, 3 readings, insert and update on PostgreSQL, signed batches on the nodes, added up"
    both = "the same work in two processes at once, added up"
    besu = "Besu QBFT's published ERC-20 rate on four servers"
    one = "the same nodes, one transfer a chain transaction"
    return [
        Row("network_settled_bulk_per_s", found.bulk_per_s, "/s", work, found.bare_per_s, 0.5),
        Row("network_settled_bulk_of_both", found.bulk_per_s, "/s", both, found.bare_on_both_per_s, 0.5),
        Row("network_settled_bulk_floor", found.bulk_per_s, "/s", "what is asked of two cores", 1_500, 1),
        Row("network_settled_single_per_s", found.single_per_s, "/s", besu, BESU_PER_S, 1.5),
        Row("network_final_p50_ms", found.p50_ms, "ms", "what is asked at 70 % of the rate", 3_000, 1, at_most=True),
        Row("p99_over_p50", found.p99_ms, "ms", "the median at 70 % of the rate", found.p50_ms, 5, at_most=True),
        Row("network_batch_over_single", found.chain_batch_per_s, "/s", one, found.chain_single_per_s, 10),
    ]


def _alone(folder: Path) -> chain_alone.ChainRates:
    _say("the embedded chain alone")
    region = load_region(REGION_FILE.read_bytes())
    return chain_alone.measure(folder, region, people=PEOPLE, batches=BATCHES, singles=SINGLES)


async def _whole(home: Path) -> list[FlowRate]:
    _say("a whole platform, and people to pay on it")
    async with loaded(home, PEOPLE) as load:
        await load.settle(1_000, 0)
        _say(f"{REPEATS} × {TRANSFERS} transfers through the whole flow")
        return [await load.settle(TRANSFERS, 1 + n) for n in range(REPEATS)]


if __name__ == "__main__":
    main()
