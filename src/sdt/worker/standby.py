"""A worker that waits for another to end: its health, so that whoever watches sees that somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from sdt.domain.errors import SdtError
from sdt.observing.figures import TEXT_TYPE, Figures, Sample, gauge
from sdt.observing.health import Check, State, health_figures, shown
from sdt.observing.process import process_figures
from sdt.worker.tenancy import Tenancy

__all__ = ["lane_samples", "serve_standby", "until_taken"]


async def serve_standby(host: str, port: int, tenancy: Tenancy) -> web.AppRunner:
    """Serve /healthz, /readyz and /metrics of a process that settles nothing yet.

    /readyz is 503 when it could not take over either.
    """

    async def state() -> tuple[Check, dict[str, object]]:
        try:
            lane = await tenancy.status()
        except SdtError as error:
            return Check("lease", State.FAILED, error.detail), {"role": "standby", "process": tenancy.holder}
        return Check("lease", State.OK, "this process waits for another to end"), lane

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(request: web.Request) -> web.Response:
        found, lane = await state()
        ready = found.state is State.OK
        return web.json_response({"ok": ready, **shown([found]), "lane": lane}, status=200 if ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        found, lane = await state()
        page = Figures().page([*health_figures([found]), *lane_samples(lane), *process_figures()])
        return web.Response(body=page, headers={"Content-Type": TEXT_TYPE})

    app = web.Application()
    for path, page in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.router.add_get(path, page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


async def until_taken(tenancy: Tenancy, stop: asyncio.Event) -> bool:
    """Wait for the lease; return False if a signal came first. Errors: what ended the wait without the lease."""
    waiting = [asyncio.ensure_future(tenancy.wait()), asyncio.ensure_future(stop.wait())]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    ended, _ = await asyncio.gather(*waiting, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
    return not stop.is_set()


def lane_samples(lane: Mapping[str, object]) -> list[Sample]:
    """Return the metrics of the lease, from its status."""
    found = [
        gauge(
            "sdt_lane_settling",
            "1 for the process that settles, 0 for one that waits.",
            int(lane.get("role") == "settling"),
        )
    ]
    for name, key, about in (
        ("sdt_lane_epoch_number", "epoch", "Epoch of the lease: how often settling has changed hands."),
        ("sdt_lane_lease_left_seconds", "left_s", "How long the lease is still good without another renewal."),
    ):
        if isinstance(value := lane.get(key), int | float):
            found.append(gauge(name, about, value))
    return found
