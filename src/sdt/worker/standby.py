"""A worker that waits for another to end: its health, so that whoever watches sees that somebody waits."""

from __future__ import annotations

import asyncio

from aiohttp import web

from sdt.domain.errors import SdtError
from sdt.worker.tenancy import Tenancy

__all__ = ["lane_lines", "serve_standby", "until_taken"]


async def serve_standby(host: str, port: int, tenancy: Tenancy) -> web.AppRunner:
    """Serve /healthz and /metrics of a process that settles nothing yet; 503 when it could not take over either."""

    async def state() -> dict[str, object]:
        try:
            lane = await tenancy.status()
        except SdtError as error:
            return {"ok": False, "problems": [error.detail], "lane": {"role": "standby", "process": tenancy.holder}}
        return {"ok": True, "problems": [], "lane": lane}

    async def healthz(request: web.Request) -> web.Response:
        found = await state()
        return web.json_response(found, status=200 if found["ok"] else 503)

    async def metrics(request: web.Request) -> web.Response:
        found = await state()
        assert isinstance(found["lane"], dict)
        lines = [f"sdt_worker_ok {int(bool(found['ok']))}", *lane_lines(found["lane"])]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


async def until_taken(tenancy: Tenancy, stop: asyncio.Event) -> bool:
    """Wait for the lease; return False if a signal came first."""
    waiting = [asyncio.ensure_future(tenancy.wait()), asyncio.ensure_future(stop.wait())]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return not stop.is_set()


def lane_lines(lane: dict[str, object]) -> list[str]:
    """Return the metrics of the lease, from its status."""
    return [
        f"sdt_lane_settling {int(lane['role'] == 'settling')}",
        *(
            f"sdt_lane_{name} {lane[key]}"
            for name, key in (("epoch", "epoch"), ("lease_left_s", "left_s"))
            if key in lane
        ),
    ]
