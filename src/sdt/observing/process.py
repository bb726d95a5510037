"""What a process itself uses: CPU, memory, file descriptors, and how late its event loop runs."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from typing import Final

from sdt.observing.figures import Gauge, Sample, gauge

__all__ = ["LOOP_LATE", "process_figures", "watch_loop"]

LOOP_LATE: Final = Gauge(
    "sdt_loop_late_seconds", "How late the event loop last came to a timer: above 0.1 it is too busy."
)
_BEGUN_S: Final = time.time()
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_LOOK_S: Final = 5.0


def process_figures() -> list[Sample]:
    """Return what this process uses now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return [
        (
            "sdt_process_cpu_seconds_total",
            [({}, used.ru_utime + used.ru_stime)],
            "counter",
            "CPU time of this process since its start.",
        ),
        gauge("sdt_process_resident_bytes", "Memory of this process.", pages * _PAGE_BYTES),
        gauge("sdt_process_open_files", "Open file descriptors of this process.", len(os.listdir("/proc/self/fd"))),
        gauge("sdt_process_start_time_seconds", "When this process started, in unix seconds.", _BEGUN_S),
    ]


async def watch_loop() -> None:
    """Measure until cancelled how late the event loop runs."""
    while True:
        due_s = time.monotonic() + _LOOK_S
        await asyncio.sleep(_LOOK_S)
        LOOP_LATE.set(max(0.0, time.monotonic() - due_s))
