"""Checked presignatures a second: beside a bare MPyC job of the same operations.

Both run three processes over mutual TLS on this machine, in turns. The bare job makes the same random sharings,
multiplications and openings, and as many point multiplications, sums and exchanges of points of the same size; it
makes nothing that could be used, agrees on nothing, keeps nothing. Process start counts for neither.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import ports
import signing_rig
from sdt.signing.pki import Authority
from sdt.signing.wire import PAIRS

__all__ = ["measure"]

COUNT = 1000
RUNS = 5
_DEADLINE_S = 60


def _bare_seat() -> None:
    """Be one of the three of a bare job; the terms come by standard input. Prints the seconds it took."""
    from sdt.signing.curve import GENERATOR, ORDER, is_line_through, multiply_base, multiply_secret, on_line_at_zero
    from sdt.signing.mpyc_runtime import Seat, exchange, make_runtime, with_peers

    async def work() -> float:
        runtime = make_runtime(Seat(*terms))
        await runtime.start()
        field = runtime.SecFld(modulus=ORDER)
        scalars = [secrets.randbelow(ORDER - 1) + 1 for _ in range(COUNT)]
        # three points of a line, whose checks cost what those of real ones do
        line = tuple(multiply_base(n) for n in (5, 8, 11))
        began = time.perf_counter()
        drawn = runtime._np_randoms(field, 2 * COUNT)
        product = drawn * drawn  # [k·a] and [x·a]
        await with_peers(runtime, runtime.output(product[:COUNT], raw=True))
        await with_peers(runtime, runtime.gather(product[COUNT:]))
        await exchange(runtime, b"".join(map(multiply_base, scalars)))
        points = [on_line_at_zero(*line) or GENERATOR for _ in scalars]
        pairs = zip(points, scalars, strict=True)
        await exchange(runtime, b"".join(multiply_secret(r, n) + multiply_secret(r, n) for r, n in pairs))
        for _ in scalars:
            assert is_line_through(points[0], *line) and is_line_through(points[0], *line)
        took = time.perf_counter() - began
        await runtime.leave()
        return took

    terms = json.loads(sys.stdin.read())
    terms[1] = tuple((host, port) for host, port in terms[1])
    print(asyncio.run(work()))


def _bare(files: list[list[str]]) -> float:
    """Run one bare job. Units: seconds, of the slowest of the three."""
    addresses = [("127.0.0.1", ports.free_port()) for _ in range(3)]
    command = [sys.executable, "-m", "bench.presign"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    seats = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(3)
    ]
    try:
        for party, seat in enumerate(seats, 1):
            assert seat.stdin is not None
            seat.stdin.write(json.dumps([party, addresses, *files[party - 1]]))
            seat.stdin.close()
            seat.stdin = None
        return max(float(seat.communicate(timeout=_DEADLINE_S)[0]) for seat in seats)
    finally:
        for seat in seats:
            seat.kill()
            seat.wait()


def measure() -> tuple[float, float]:
    """Return presignatures a second, checked and bare: medians of runs that take turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority.open(folder / "authority", datetime.now(UTC))
        issued = [authority.issue(party, folder / str(party), datetime.now(UTC)) for party in (1, 2, 3)]
        files = [[each.certificate, each.key, each.authority] for each in issued]
        rig = signing_rig.Rig(folder / "rig", stocked=True)
        try:
            for party in (1, 2, 3):
                rig.start(party)
            return asyncio.run(_in_turns(rig, files))
        finally:
            rig.stop()


async def _in_turns(rig: signing_rig.Rig, files: list[list[str]]) -> tuple[float, float]:
    made_s, bare_s = [], []
    async with signing_rig.coordinator(rig) as to:
        for run in range(RUNS):
            made_s.append(await to.presign(PAIRS[run % 3], COUNT))
            bare_s.append(await asyncio.to_thread(_bare, files))
    return COUNT / statistics.median(made_s), COUNT / statistics.median(bare_s)


if __name__ == "__main__":
    _bare_seat()
