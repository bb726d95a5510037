"""Three real signer processes in a temporary folder, and batches for them to sign."""

from __future__ import annotations

import asyncio
import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import bare_signer
import ports
from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.transaction_id import id_bytes, uuid7
from sdt.signing.coordinator import Coordinator, Outcome, StockPolicy
from sdt.signing.ecdsa import verify
from sdt.signing.provision import Address, provision
from sdt.signing.wire import PAIRS, BatchProposal, Entry

NETWORK = "test"
BARE = Path(bare_signer.__file__)


class Rig:
    """Three locations: start, kill, pause each; keys and stock on demand."""

    nitro: Path | None = None

    def __init__(self, home: Path, *, stocked: bool = False) -> None:
        if stocked:
            shutil.copytree(_stocked(), home, dirs_exist_ok=True)
        self.home = home
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        provision(
            home,
            [Address("127.0.0.1", ports.free_port(), ports.free_port()) for _ in range(3)],
            network=NETWORK,
            chain_urls=["http://127.0.0.1:1"],
            region_file=home / "region.toml",
            deployment_file=home / "deployment.json",
            now=datetime.now(UTC),
        )

    def folder(self, party: int) -> Path:
        return self.home / f"signer-{party}"

    def settings(self, party: int, lines: str) -> None:
        """Put lines at the head of a location's signer.toml."""
        file = self.folder(party) / "signer.toml"
        file.write_text(lines + file.read_text())

    def start(self, party: int, *, lie: str = "", image: str = "") -> None:
        """Start a location; with `image`, beside a stand-in for the security module that says so."""
        log = (self.folder(party) / "log").open("ab")
        more = [*(["--lie", lie] if lie else []), *(["--nitro", str(self.nitro), "--image", image] if image else [])]
        self.processes[party] = subprocess.Popen(
            [sys.executable, str(BARE), "--home", str(self.folder(party)), *more],
            stdout=log,
            stderr=log,
        )

    def signal(self, party: int, number: int) -> None:
        self.processes[party].send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.processes[party].wait(10)

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(10)


@asynccontextmanager
async def coordinator(rig: Rig, policy: StockPolicy | None = None, *, wait: bool = True) -> AsyncIterator[Coordinator]:
    """Open a coordinator; with `wait`, once every started location answers and may sign."""
    opened = Coordinator(rig.home / "coordinator", NETWORK, policy)
    await opened.start()
    try:
        if wait:
            await until(lambda: all(_ready(opened, party) for party, p in rig.processes.items() if p.poll() is None))
        yield opened
    finally:
        await opened.close()


def _ready(opened: Coordinator, party: int) -> bool:
    status = opened.status()[party]
    return status is not None and not status.held


async def until(holds, timeout_s: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        await asyncio.sleep(0.02)


STOCK = 160


@cache
def _stocked() -> Path:
    """Make a key and STOCK presignatures a pair once a run, and return the folder to copy."""
    home = Path(tempfile.mkdtemp(prefix="sdt-signing-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    rig = Rig(home)
    for party in (1, 2, 3):
        rig.start(party)

    async def prepare() -> None:
        async with coordinator(rig) as to:
            await with_stock(to, STOCK)

    try:
        asyncio.run(prepare())
        for party in (1, 2, 3):
            rig.signal(party, signal.SIGTERM)
    finally:
        rig.stop()
    return home


class Line:
    """The chain's order as the worker keeps it: number, parent and nonce of the next batch."""

    def __init__(self) -> None:
        self.number = 1
        self.parent = GENESIS_HEAD

    def batch(self, count: int = 1, *, entries: tuple[Entry, ...] = (), gas: int = 100_000) -> BatchProposal:
        entries = entries or tuple(message() for _ in range(count))
        return BatchProposal(
            number=self.number,
            parent=self.parent,
            kind="value",
            deadline_s=int(time.time()) + 300,
            nonce=self.number - 1,
            gas=gas,
            entries=entries,
        )

    def settled(self, batch: BatchProposal) -> None:
        self.number += 1
        self.parent = bare_signer.rebuild(batch).line.head


def message(rest: bytes = b"") -> Entry:
    """Return a bare message with a fresh id."""
    return Entry(id_bytes(uuid7(int(time.time() * 1000), secrets.token_bytes(10))) + rest + os.urandom(4))


def tx_hash(batch: BatchProposal) -> bytes:
    return bare_signer.rebuild(batch).tx_hash


async def sign(to: Coordinator, batch: BatchProposal) -> Outcome:
    """Have a batch signed and check whatever signature comes back."""
    outcome = await to.sign(batch, tx_hash(batch))
    if outcome.signature is not None:
        assert verify(to.public_key(), tx_hash(batch), outcome.signature.compact())
    return outcome


async def with_stock(to: Coordinator, count: int, pairs=PAIRS) -> None:
    """Make the key and some presignatures."""
    await to.keygen()
    for pair in pairs:
        await to.presign(pair, count)
