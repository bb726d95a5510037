"""How long two of three locations take to sign, presignature in stock: beside two bare round trips with an fsync each.

The three signers are real processes with their stores, links and TLS; what they sign is one bare message, since
judging messages is a figure of its own.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import uvloop

import signing_rig

__all__ = ["measure"]

SIGNATURES = 60
REQUEST_BYTES = 700

_SERVER = """
import os, socket, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while asked := peer.recv(65536):
    os.write(file, asked)
    os.fsync(file)
    peer.sendall(asked)
"""


def _bare(folder: Path) -> float:
    """Return the median of two round trips, each answered after an fsync. Units: milliseconds."""
    command = [sys.executable, "-c", _SERVER, str(folder / "bare.log")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    took: list[float] = []
    try:
        assert server.stdout is not None
        with socket.create_connection(("127.0.0.1", int(server.stdout.readline()))) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(SIGNATURES):
                began = time.perf_counter()
                for _ in range(2):
                    peer.sendall(os.urandom(REQUEST_BYTES))
                    peer.recv(65536)
                took.append(time.perf_counter() - began)
    finally:
        server.kill()
        server.wait()
    return statistics.median(took) * 1000


async def _signed(rig: signing_rig.Rig) -> float:
    line, took = signing_rig.Line(), []
    async with signing_rig.coordinator(rig) as to:
        for _ in range(SIGNATURES):
            batch = line.batch()
            tx_hash = signing_rig.tx_hash(batch)
            began = time.perf_counter()
            outcome = await to.sign(batch, tx_hash)
            took.append(time.perf_counter() - began)
            assert outcome.signature is not None, "no signature"
            line.settled(batch)
    return statistics.median(took) * 1000


def measure() -> tuple[float, float]:
    """Return a signature's time and the bare one's. Units: milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rig = signing_rig.Rig(folder / "rig", stocked=True)
        try:
            for party in (1, 2, 3):
                rig.start(party)
            before = _bare(folder)
            signed = uvloop.run(_signed(rig))  # as the worker runs it
            return signed, statistics.median([before, _bare(folder)])
        finally:
            rig.stop()
