"""The worker's pages: /healthz lives, /readyz settles, /metrics for Prometheus."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sdt.observing.figures import TEXT_TYPE
from sdt.observing.health import State, overall, shown
from sdt.worker.checks import checks_of
from sdt.worker.figures import FIGURES
from sdt.worker.looks import Looked, Looks
from sdt.worker.samples import samples_of

__all__ = ["readiness_of", "serve_health"]


async def serve_health(host: str, port: int, looks: Looks) -> web.AppRunner:
    """Serve /healthz (200 while the process lives), /readyz (503 when settlement cannot go on) and /metrics."""

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(request: web.Request) -> web.Response:
        found = readiness_of(await looks.look())
        return web.json_response(found, status=200 if found["ok"] else 503)

    async def metrics(request: web.Request) -> web.Response:
        found = await looks.look()
        page = FIGURES.page(samples_of(found, checks_of(found)))
        return web.Response(body=page, headers={"Content-Type": TEXT_TYPE})

    app = web.Application()
    for path, page in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.router.add_get(path, page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def readiness_of(found: Looked) -> dict[str, Any]:
    """Return what /readyz tells. `ok`: settlement goes on, though something may be degraded."""
    checks = checks_of(found)
    books, depth = found.books, found.queue
    return {
        "ok": overall(checks) is not State.FAILED,
        **shown(checks),
        "lane": found.lane,
        "chain": found.chain.state,
        "chain_nodes": [
            {"block": node.head, "answer_ms": node.answer_ms, **({"detail": node.detail} if node.detail else {})}
            for node in found.chain.nodes
        ],
        "chain_block": found.head_block,
        "chain_block_age_s": found.chain.head_age_s,
        "batch_waiting_s": round(found.batch_waiting_s, 1),
        "chain_seen_s_ago": round(found.head_seen_s, 1),
        "batches_in_flight": found.flights,
        "queue_waiting": depth.waiting if depth else None,
        "queue_dead": depth.dead if depth else None,
        "queue_oldest_s": depth.oldest_age_s if depth else None,
        "instructions_dead": books.instructions_dead if books else None,
        "signers_answering": list(found.answering),
        "signers_usable": list(found.usable),
        "signers_caught": found.caught,
        "signers_alarms": [
            {"code": alarm.code, "detail": alarm.detail, **({} if alarm.left is None else {"left": alarm.left})}
            for alarm in found.alarms
        ],
        "vendors": [
            {"kind": one.kind, "name": one.name, "breaker": one.breaker.value, "calls": one.outcomes}
            for one in found.vendors
        ],
        "signers_refused": found.refused,
        "certificates_ending": list(found.certificates_ending),
        "presignatures": found.stock,
        "sanctions": books.screened if books else {},
        "transactions": books.transactions if books else {},
        "monitoring": found.monitoring,
        "money": books.money if books else {},
        "reserves": {
            one.token: {"supply": one.supply, "backing": one.backing, "left_s": one.left_s} for one in books.reserves
        }
        if books
        else {},
        "ach": found.ach,
    }
