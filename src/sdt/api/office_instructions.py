"""The instructions to vendors that repetition cannot help, for the officers who may revive them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from sdt.api import models_instructions as models
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.strict_route import StrictRoute
from sdt.domain.claims import format_time
from sdt.store import outbox
from sdt.workflows.instructions import REVIVERS

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["office"])


@router.get(
    "/v1/office/instructions",
    summary="Dead instructions to vendors",
    responses=problems(401, 403),
    operation_id="getDeadInstructions",
)
async def _dead(
    runtime: Running, caller: KnownCaller, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> models.DeadInstructions:
    """Answer with the instructions that wait for an officer's `retry_instruction`, the longest dead first.

    A key that is limited to one token reads those of its token's transactions.
    """
    caller.holds(REVIVERS)
    services = runtime.services
    rows = await services.store.read(outbox.dead, limit + 1, caller.limit(services.region))
    shown = [
        models.DeadInstruction(
            instruction=row.id,
            key=row.key,
            error=row.last_error,
            tries=row.attempts,
            failing_since=format_time(row.failed_since_ms // 1000),
            dead_since=format_time(row.dead_at_ms // 1000),
        )
        for row in rows[:limit]
    ]
    return models.DeadInstructions(instructions=shown, more=len(rows) > limit)
