"""What a location tells about itself: figures, whether it lives, whether it can sign. On loopback, to its own operator.

The listener takes nothing in but a path, and shows nothing that the coordinator is not told anyway. Where no port is
named there is none, as in an enclave: there the parent asks over the signing link.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

from sdt.observing.figures import TEXT_TYPE, Figures, Sample, gauge
from sdt.observing.health import Check, State, check, health_figures, overall, shown
from sdt.observing.page import Page, serve_pages
from sdt.observing.process import LOOP_LATE, process_figures, watch_loop
from sdt.signing.operations import OPERATION, PROPOSED, REFUSED
from sdt.signing.wire import PAIRS, StatusAnswer

if TYPE_CHECKING:
    from sdt.signing.signer import Signer

__all__ = ["Observed", "checks_of"]

CHAIN_OLD_S: Final = 60.0
STOCK_LOW: Final = 20
CERTIFICATE_LOW_S: Final = 30 * 86_400.0

_FIGURES: Final = Figures(OPERATION, PROPOSED, REFUSED, LOOP_LATE)


def checks_of(status: StatusAnswer, now_s: float) -> list[Check]:
    """Hold what a location says of itself against what it needs to sign. Units: now_s in unix seconds."""
    mine = [left for pair, left in zip(PAIRS, status.stock, strict=True) if status.party in pair]
    least = min(mine)
    if max(mine) == 0:
        stock = Check("stock", State.FAILED, "no presignature is left", 0)
    else:
        stock = check("stock", least, "presignatures has the emptier pair", degraded=STOCK_LOW, low=True)
    chain = (
        Check("chain", State.FAILED, "this location's node has not answered yet")
        if status.chain_block < 0
        else check("chain", round(now_s - status.chain_time_s), "s is the newest block old", degraded=CHAIN_OLD_S)
    )
    left_s = status.certificate_ends_s - now_s
    ends = check("certificate", round(left_s / 86_400), "days is the certificate good", degraded=30, failed=0, low=True)
    return [
        Check("key", State.OK, f"epoch {status.epoch}") if status.epoch else Check("key", State.FAILED, "no key yet"),
        Check("held", State.FAILED, status.held) if status.held else Check("held", State.OK, "it may sign"),
        Check("burnt", State.DEGRADED, status.burnt) if status.burnt else Check("burnt", State.OK, "stock is whole"),
        stock,
        chain,
        ends,
    ]


class Observed:
    """The pages of one signer."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen, if there is a port to listen on."""
        if port:
            pages = {"/healthz": self._alive, "/readyz": self._ready, "/metrics": self._metrics}
            self._server = await serve_pages(host, port, pages)
            self._watching = asyncio.create_task(watch_loop())

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None and self._watching is not None:
            self._server.close()
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _alive(self) -> Page:
        return 200, "application/json", b'{"status": "alive"}'

    async def _ready(self) -> Page:
        checks = checks_of(await self._signer.status(), time.time())
        ready = overall(checks) is not State.FAILED
        return 200 if ready else 503, "application/json", json.dumps({"ok": ready, **shown(checks)}).encode()

    async def _metrics(self) -> Page:
        status = await self._signer.status()
        checks = checks_of(status, time.time())
        return 200, TEXT_TYPE, _FIGURES.page([*health_figures(checks), *_samples(status), *process_figures()])


def _samples(status: StatusAnswer) -> list[Sample]:
    stock = [({"pair": f"{a}{b}"}, left) for (a, b), left in zip(PAIRS, status.stock, strict=True)]
    return [
        gauge("sdt_signer_presignatures", "Presignatures that this location holds ready, by pair.", stock),
        gauge("sdt_signer_epoch_number", "Epoch of the key share; 0 before key generation.", status.epoch),
        gauge("sdt_signer_chain_number", "Newest block of this location's own node.", status.chain_block),
        gauge("sdt_signer_chain_time_seconds", "Time of that block, in unix seconds.", status.chain_time_s),
        gauge("sdt_signer_clock_seconds", "This location's own clock, in unix seconds.", status.clock_s),
        gauge(
            "sdt_signer_certificate_ends_seconds",
            "When its certificate ends, in unix seconds.",
            status.certificate_ends_s,
        ),
    ]
