"""Signing for long: thousands of signatures through kill -9 of each signer in turn, then memory over time.

`python tests/endurance.py --signatures 10000 --minutes 60` prints what it saw and fails when a bar is missed. With
`--validators` the minutes go to whole signers instead, which judge every payment by their registry and their node:
so many batches a second, each settled on a chain.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import coincurve
import uvloop

import signing_rig
from sdt.domain.errors import SdtError
from sdt.signing.coordinator import Coordinator, NoPair, Outcome, StockPolicy
from signing_region import NETWORK, Person, RegionRig

MEMORY_MB_MAX = 150
GROWTH_MB_MAX = 5
SETTLING_S = 60.0
"""How long a process may grow to its size before its memory is looked at."""
BATCH = 10
POLICY = StockPolicy(low=400, target=800, per_job=400, retries_max=1_000)


@dataclass
class Seen:
    """What a run saw. Units: seconds, MB."""

    nonces: set[int] = field(default_factory=set)
    signatures: int = 0
    kills: int = 0
    took_s: list[float] = field(default_factory=list)
    memory_mb: dict[int, list[float]] = field(default_factory=lambda: {1: [], 2: [], 3: []})

    def take(self, outcome: Outcome, public: bytes, digest: bytes) -> None:
        """Check a signature by libsecp256k1, recovery id included, and that its r is new."""
        signature = outcome.signature
        assert signature is not None
        recoverable = signature.compact() + bytes([signature.recovery])
        recovered = coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
        assert recovered.format(compressed=False)[1:] == public, "a signature of another key"
        assert signature.r not in self.nonces, "an r came twice"
        self.nonces.add(signature.r)
        self.signatures += 1


def memory_mb(pid: int) -> float:
    """Return how much memory a process has in use."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def sign_one(to: Coordinator, line: signing_rig.Line, seen: Seen) -> None:
    """Have one batch signed, trying again while too few locations answer."""
    batch = line.batch()
    digest = signing_rig.tx_hash(batch)
    while True:
        began = time.perf_counter()
        try:
            outcome = await to.sign(batch, digest)
            break
        except SdtError:
            await asyncio.sleep(0.05)
    seen.took_s.append(time.perf_counter() - began)
    seen.take(outcome, to.public_key(), digest)
    line.settled(batch)


async def through_kills(rig: signing_rig.Rig, to: Coordinator, seen: Seen, signatures: int, kills: int) -> None:
    """Sign so many, killing each location in turn meanwhile; go on until every kill is over."""

    async def kill(party: int) -> None:
        rig.signal(party, signal.SIGKILL)
        await asyncio.sleep(0.3)
        rig.start(party)
        await signing_rig.until(lambda: to.status()[party] is not None)
        seen.kills += 1

    line, killing, begun = signing_rig.Line(), None, 0
    while seen.signatures < signatures or seen.kills < kills:
        due = seen.signatures >= (begun + 1) * signatures // (kills + 1)
        if due and begun < kills and (killing is None or killing.done()):
            killing = asyncio.create_task(kill(begun % 3 + 1))
            begun += 1
        await sign_one(to, line, seen)
        assert killing is None or not killing.done() or killing.exception() is None


async def for_long(rig: signing_rig.Rig, to: Coordinator, seen: Seen, minutes: float) -> None:
    """Sign for so long, with a sample of every signer's memory each second."""
    line, end = signing_rig.Line(), time.monotonic() + minutes * 60
    sampled = 0.0
    while time.monotonic() < end:
        await sign_one(to, line, seen)
        if time.monotonic() > sampled + 1:
            sampled = time.monotonic()
            for party, process in rig.processes.items():
                seen.memory_mb[party].append(memory_mb(process.pid))


async def validate_for_long(rig: RegionRig, seen: Seen, minutes: float, per_s: float) -> None:
    """Have payments signed and settled for so long, with a sample of every signer's memory each second."""
    payer, payee = Person.new("payer"), Person.new("payee")
    await rig.open(stock=200)
    async with Coordinator(rig.home / "coordinator", NETWORK, POLICY) as to:
        await signing_rig.until(lambda: all(status and not status.held for status in to.status().values()))
        await rig.settle(to, [rig.register(person) for person in (payer, payee)])
        await rig.settle(to, [*(rig.identify(person) for person in (payer, payee)), rig.attest(10**9)])
        await rig.settle(to, [rig.issue(payer, 10**8)])
        began = time.monotonic()
        sampled, turns = 0.0, 0
        while (age_s := time.monotonic() - began) < minutes * 60:
            started = time.perf_counter()
            entries = [rig.transfer(payer, payee, 1) for _ in range(BATCH)]
            while True:
                try:
                    await rig.settle(to, entries)
                    break
                except NoPair:  # a machine so busy that two pulses were late: the worker would try again too
                    await asyncio.sleep(0.5)
            seen.took_s.append(time.perf_counter() - started)
            seen.signatures += 1
            if age_s > sampled + 1:
                sampled = age_s
                for party, process in rig.processes.items():
                    seen.memory_mb[party].append(memory_mb(process.pid))
            turns += 1
            await asyncio.sleep(max(0.0, began + turns / per_s - time.monotonic()))
    check_stores(rig)


def growth_mb(samples: list[float]) -> float:
    """Return by how much the last quarter's median is above the first's, once the process settled."""
    settled = samples[int(SETTLING_S) :] or samples
    quarter = max(1, len(settled) // 4)
    return statistics.median(settled[-quarter:]) - statistics.median(settled[:quarter])


def check_stores(rig: signing_rig.Rig | RegionRig) -> None:
    """No r twice in any store, and no share in a row that is spent."""
    for party in (1, 2, 3):
        with sqlite3.connect(rig.folder(party) / "signer.db") as db:
            [twice] = db.execute("SELECT count(*) - count(DISTINCT r) FROM presignature").fetchone()
            [kept] = db.execute(
                "SELECT count(*) FROM presignature WHERE state IN ('released', 'burnt') AND sealed IS NOT NULL"
            ).fetchone()
        assert (twice, kept) == (0, 0), f"location {party}: {twice} r twice, {kept} spent shares kept"


async def run(rig: signing_rig.Rig, signatures: int, kills: int, minutes: float) -> Seen:
    """Run both parts with three signers and return what was seen."""
    seen = Seen()
    for party in (1, 2, 3):
        rig.start(party)
    try:
        async with signing_rig.coordinator(rig, POLICY) as to:
            if signatures:
                await through_kills(rig, to, seen, signatures, kills)
            if minutes:
                await for_long(rig, to, seen, minutes)
        check_stores(rig)
    finally:
        rig.stop()
    return seen


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signatures", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--validators", action="store_true")
    parser.add_argument("--per-s", type=float, default=4, help="batches a second, with --validators")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sdt-endurance-") as name:
        if options.validators:
            seen = with_validators(Path(name), options.minutes, options.per_s)
        else:
            rig = signing_rig.Rig(Path(name), stocked=True)
            seen = uvloop.run(run(rig, options.signatures, options.kills, options.minutes))
    report(seen, time.monotonic() - began)


def with_validators(folder: Path, minutes: float, per_s: float) -> Seen:
    """Run whole signers beside a chain and return what was seen."""
    seen, rig = Seen(), RegionRig(folder)
    try:
        uvloop.run(validate_for_long(rig, seen, minutes, per_s))
    finally:
        rig.stop()
    return seen


def report(seen: Seen, took_s: float) -> None:
    """Print what was seen; fail when a bar is missed."""
    if seen.nonces:
        print(
            f"{seen.signatures} signatures verified by libsecp256k1, {len(seen.nonces)} different r, {seen.kills} kills"
        )
    else:
        print(f"{seen.signatures} batches of {BATCH} payments signed and settled")
    print(f"median {statistics.median(seen.took_s) * 1000:.2f} ms, in all {took_s:.0f} s")
    for party, samples in seen.memory_mb.items():
        if samples:
            grown = growth_mb(samples)
            print(f"location {party}: at most {max(samples):.1f} MB, grew by {grown:+.1f} MB, {len(samples)} samples")
            assert max(samples) <= MEMORY_MB_MAX, "too much memory"
            assert grown <= GROWTH_MB_MAX, "memory grows"


if __name__ == "__main__":
    main()
