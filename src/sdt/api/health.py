"""Whether the API lives, whether it can work, and its counters. What is not known is said to be unknown."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from sdt.api.declared import problems
from sdt.api.metrics import METRICS_TYPE
from sdt.api.runtime import Running, Runtime
from sdt.domain.errors import SdtError
from sdt.observing.health import Check, State, check, health_figures, overall, shown
from sdt.ports.queue import QueueDepth
from sdt.store import Store, transactions

__all__ = ["router"]

STALE_S: Final = 120
"""A transaction that waited so long for the platform alone means that settlement stands still."""

QUEUE_AGE_S: Final = 60
QUEUE_ANSWERS_S: Final = 3
BACKLOG_FULL: Final = 0.8
"""Part of the limit from which intake is about to answer 429."""

router = APIRouter(tags=["operations"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class One(BaseModel):
    """One thing that was looked at: how it is, in a word and a sentence, and what was measured."""

    state: Literal["ok", "degraded", "failed"]
    detail: str
    value: float | None = None


class Ready(BaseModel):
    """What the API needs, and how settlement does as the database shows it.

    `settling` is false when something waited too long for the platform alone; the API still accepts then: its state is
    `degraded`, and `failed` only when it cannot accept.
    """

    ready: bool
    state: Literal["ok", "degraded", "failed"]
    problems: list[str]
    checks: dict[str, One]
    database: bool
    queue: bool
    queue_depth: int | None
    queue_oldest_age_s: float | None
    backlog: int
    oldest_waiting_age_s: float | None
    settling: bool | None
    last_final_batch: int | None
    last_final_age_s: float | None


async def readiness(runtime: Runtime) -> Ready:
    """Look at the database and the queue now."""
    services = runtime.services
    books: dict[str, Any] | None = None
    # Whatever the driver says, the answer is that the database does not answer.
    with suppress(Exception):
        books = await services.store.read(_books, services.now_ms())
    depth = None
    # Whoever asks does not wait as long as a client of Amazon's tries.
    with suppress(SdtError, TimeoutError):
        async with asyncio.timeout(QUEUE_ANSWERS_S):
            depth = await services.queue.depth()
    age_s = books["oldest_s"] if books else None
    checks = _checks(runtime, books, depth)
    told: dict[str, Any] = shown(checks)
    return Ready(
        ready=overall(checks) is not State.FAILED,
        **told,
        database=books is not None,
        queue=depth is not None,
        queue_depth=depth.waiting + depth.in_flight if depth else None,
        queue_oldest_age_s=depth.oldest_age_s if depth else None,
        backlog=runtime.backlog.size,
        oldest_waiting_age_s=age_s,
        settling=None if age_s is None else age_s < STALE_S,
        last_final_batch=books["final"] if books else None,
        last_final_age_s=books["final_s"] if books else None,
    )


def _checks(runtime: Runtime, books: dict[str, Any] | None, depth: QueueDepth | None) -> list[Check]:
    limit = runtime.services.limits.backlog_max
    found = [
        Check("database", State.OK if books else State.FAILED, f"{'it answers' if books else 'it does not answer'}"),
        Check("queue", State.FAILED, "the queue does not answer")
        if depth is None
        else check("queue", depth.oldest_age_s or 0, "s is the oldest message", degraded=QUEUE_AGE_S),
        check("backlog", runtime.backlog.size, f"of {limit} transactions wait", degraded=BACKLOG_FULL * limit),
    ]
    if books is not None:
        found.append(check("settling", books["oldest_s"], "s waits the oldest transaction", degraded=STALE_S))
    return found


def _books(store: Store, now_ms: int) -> dict[str, Any]:
    final = store.row("SELECT number, final_at_ms FROM batches WHERE status = 'final' ORDER BY number DESC LIMIT 1")
    return {
        "oldest_s": transactions.oldest_live_age_ms(store, now_ms) / 1000,
        "final": final[0] if final else None,
        "final_s": (now_ms - final[1]) / 1000 if final and final[1] else None,
    }


@router.get("/healthz", summary="Alive", responses=problems(), operation_id="getHealth")
async def _alive() -> Alive:
    """Answer that the process lives."""
    return Alive()


@router.get(
    "/readyz",
    summary="Ready",
    operation_id="getReadiness",
    responses=problems() | {503: {"model": Ready, "description": "It cannot work now; the members say why."}},
)
async def _ready(runtime: Running, response: Response) -> Ready:
    """Answer 200 when messages can be stored and queued, else 503."""
    ready = await readiness(runtime)
    response.status_code = 200 if ready.ready else 503
    return ready


@router.get(
    "/metrics",
    summary="Metrics",
    operation_id="getMetrics",
    responses=problems() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
async def _metrics(runtime: Running) -> Response:
    """Answer with the counters in Prometheus' text format."""
    checks = (await readiness(runtime)).checks
    found = [Check(name, State(one.state), one.detail, one.value) for name, one in checks.items()]
    return Response(runtime.metrics.page(health_figures(found)), media_type=METRICS_TYPE)
