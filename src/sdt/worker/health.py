"""The worker's own health and figures, told truthfully: what waits, what is on its way, what stock is left."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from sdt.adapters.chain.client import ChainClient
from sdt.adapters.vendor.breaker import BreakerState
from sdt.adapters.vendor.mapped import VendorHealth
from sdt.domain.region import Region
from sdt.ports import Queue
from sdt.signing.coordinator import Coordinator
from sdt.store import Store, outbox, sanctions, transactions
from sdt.vendors import Vendors
from sdt.worker.ach.service import AchDesk, ach_lines
from sdt.worker.follower import Follower
from sdt.worker.money_figures import money_figures, money_lines
from sdt.worker.monitor import Monitor
from sdt.worker.standby import lane_lines
from sdt.worker.tenancy import Tenancy

__all__ = ["serve_health"]

CHAIN_STATES = ("ok", "slow", "stalled", "unreachable")
CHAIN_SILENT_S = 15.0
BATCH_WAITS_S = 60.0
STOCK_LOW = 20
CERTIFICATE_LOW_S = 30 * 86_400.0


async def serve_health(
    host: str,
    port: int,
    store: Store,
    queue: Queue,
    follower: Follower,
    coordinator: Coordinator,
    client: ChainClient,
    monitor: Monitor,
    vendors: Vendors,
    region: Region,
    tenancy: Tenancy,
    desk: AchDesk | None = None,
) -> web.AppRunner:
    """Serve /healthz (the state as JSON; 503 when settlement cannot go on) and /metrics (Prometheus text)."""

    async def state() -> dict[str, object]:
        depth = await queue.depth()
        locations = coordinator.status()
        age_s = asyncio.get_running_loop().time() - follower.head_seen_s
        stock = {f"{a}{b}": left for (a, b), left in coordinator.stock().items()}
        answering = [party for party, status in locations.items() if status is not None]
        chain = await client.health()
        waiting_s = follower.oldest_wait_s()
        screened = await store.read(_screened)
        problems = [] if screened else ["no sanctions list is in force: nobody passes"]
        if not tenancy.left_s():
            problems.append("the lease of the lane could not be renewed")
        if age_s > CHAIN_SILENT_S:
            problems.append("the chain does not answer")
        elif chain.state == "stalled":
            problems.append(f"the chain has stopped: its newest block is {chain.head_age_s} s old")
        elif waiting_s > BATCH_WAITS_S:
            problems.append(f"a batch has waited {waiting_s:.0f} s for a block")
        if len(answering) < 2:
            problems.append("fewer than two signers answer")
        if max(stock.values(), default=0) < STOCK_LOW:
            problems.append("presignatures run out")
        return {
            "ok": not problems,
            "problems": problems,
            "lane": await tenancy.status(),
            "chain": chain.state,
            "chain_nodes": [
                {"block": node.head, "answer_ms": node.answer_ms, **({"detail": node.detail} if node.detail else {})}
                for node in chain.nodes
            ],
            "chain_block": follower.head_block,
            "chain_block_age_s": chain.head_age_s,
            "batch_waiting_s": round(waiting_s, 1),
            "chain_seen_s_ago": round(age_s, 1),
            "batches_in_flight": len(follower.flights),
            "queue_waiting": depth.waiting,
            "queue_dead": depth.dead,
            "queue_oldest_s": depth.oldest_age_s,
            "instructions_dead": await store.read(outbox.dead_count),
            "signers_answering": answering,
            "signers_caught": coordinator.culprits(),
            "signers_alarms": [
                {"code": alarm.code, "detail": alarm.detail, **({} if alarm.left is None else {"left": alarm.left})}
                for alarm in coordinator.alarms()
            ],
            "vendors": [
                {"kind": one.kind, "name": one.name, "breaker": one.breaker.value, "calls": one.outcomes}
                for one in vendors.health()
            ],
            "signers_refused": coordinator.refused(),
            "certificates_ending": coordinator.certificates_ending(CERTIFICATE_LOW_S),
            "presignatures": stock,
            "sanctions": screened,
            "transactions": await store.read(transactions.counts_by_status),
            "monitoring": await monitor.health(),
            "money": await store.read(money_figures, region, int(time.time() * 1000)),
            "ach": await desk.health() if desk else {},
        }

    async def healthz(request: web.Request) -> web.Response:
        found = await state()
        return web.json_response(found, status=200 if found["ok"] else 503)

    async def metrics(request: web.Request) -> web.Response:
        found = await state()
        stock, statuses = found["presignatures"], found["transactions"]
        assert isinstance(found["sanctions"], dict)
        assert isinstance(stock, dict) and isinstance(statuses, dict)
        monitoring, lane = found["monitoring"], found["lane"]
        assert isinstance(lane, dict) and isinstance(monitoring, dict) and isinstance(found["money"], dict)
        alarms = Counter(alarm.code for alarm in coordinator.alarms())
        lines = [
            f"sdt_worker_ok {int(bool(found['ok']))}",
            *lane_lines(lane),
            f"sdt_chain_block {found['chain_block']}",
            *(f'sdt_chain_state{{state="{one}"}} {int(found["chain"] == one)}' for one in CHAIN_STATES),
            f"sdt_batch_waiting_s {found['batch_waiting_s']}",
            f"sdt_batches_in_flight {found['batches_in_flight']}",
            f"sdt_queue_waiting {found['queue_waiting']}",
            f"sdt_queue_dead {found['queue_dead']}",
            f"sdt_instructions_dead {found['instructions_dead']}",
            *vendor_lines(vendors.health()),
            *(f'sdt_presignatures{{pair="{pair}"}} {left}' for pair, left in stock.items()),
            *(f'sdt_signer_refusals_total{{code="{code}"}} {n}' for code, n in coordinator.refused().items()),
            *(f'sdt_signer_alarms{{code="{code}"}} {n}' for code, n in alarms.items()),
            f"sdt_monitoring_postings_behind {monitoring['postings_behind']}",
            f"sdt_monitoring_prices_missing {len(monitoring['prices_missing'])}",
            *(f'sdt_cases_open{{kind="{kind}"}} {n}' for kind, n in monitoring["cases_open"].items()),
            *(f'sdt_cases_overdue{{kind="{kind}"}} {n}' for kind, n in monitoring["cases_overdue"].items()),
            *ach_lines(found["ach"]),
            *money_lines(found["money"]),
            f"sdt_reports_to_renew {monitoring['reports_to_renew']}",
            *(f"sdt_sanctions_{name} {value}" for name, value in found["sanctions"].items() if name != "list_date"),
            *(f'sdt_transactions{{status="{status}"}} {count}' for status, count in statuses.items()),
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def vendor_lines(vendors: Sequence[VendorHealth]) -> list[str]:
    """Return the metrics of the vendors: which breaker stands how, and how many calls ended in what."""
    return [
        *(
            f'sdt_vendor_breaker{{kind="{one.kind}",vendor="{one.name}",state="{state.value}"}} '
            f"{int(one.breaker is state)}"
            for one in vendors
            for state in BreakerState
        ),
        *(
            f'sdt_vendor_calls_total{{kind="{one.kind}",vendor="{one.name}",outcome="{outcome}"}} {count}'
            for one in vendors
            for outcome, count in sorted(one.outcomes.items())
        ),
    ]


def _screened(store: Store) -> dict[str, str | int]:
    """Return the day of the list in force and how many people are not yet screened against it; nobody's standing."""
    row = sanctions.in_force(store)
    if row is None:
        return {}
    progress = sanctions.progress(store, row.digest)
    return {
        "list_date": row.list_date,
        "list_entries": row.entries,
        "people": progress.people,
        "people_left": max(0, progress.people - progress.screened),
    }
