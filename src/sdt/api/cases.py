"""The officers' cases, to the roles that work them. Whoever may not see a case is told that there is none."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from sdt.api import models_cases as models
from sdt.api.callers import Caller
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.strict_route import StrictRoute
from sdt.domain.case import CaseStatus
from sdt.domain.case_kinds import SETTLED, kinds_of
from sdt.domain.claims import format_time
from sdt.domain.errors import NotFound, Unavailable
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.store import Store, cases
from sdt.store.cases import CaseRow, Filter
from sdt.workflows.case_work import PRIVATE_EVENTS, case_tokens
from sdt.workflows.reports import make_report

__all__ = ["Before", "CaseIdPath", "router", "seen_case"]

router = APIRouter(route_class=StrictRoute, tags=["office"])
WORKERS: Final = Role.COMPLIANCE_OFFICER | Role.CUSTODIAN
CaseIdPath = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        examples=["3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"],
    ),
]
Before = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,15}-[0-9a-f-]{36}$", description="`next` of the page before."),
]


def _filter(region: Region, caller: Caller, kind: str | None, **narrowed: Any) -> Filter:
    caller.holds(WORKERS)
    kinds = [name for name in kinds_of(caller.key.roles) if kind in (None, name)]
    suspicions = bool(caller.key.roles & Role.COMPLIANCE_OFFICER)
    return Filter(kinds, suspicions=suspicions, tokens=case_tokens(caller.key, region), **narrowed)


def _shown(row: CaseRow, today: str) -> dict[str, Any]:
    return {
        "case_id": row.id,
        "kind": row.kind,
        "status": row.status,
        "account": row.account,
        "transaction_id": row.transaction_id,
        "detected_on": row.detected_on,
        "suspect_known": bool(row.suspect_known),
        "due_on": row.due_on,
        "overdue": row.due_on is not None and row.due_on < today and row.status not in SETTLED,
        "officer": row.officer,
        "decision": row.decision,
        "second_officer": row.second_officer,
        "filed_on": row.filed_on,
        "confirmation": row.confirmation,
        "facts": json.loads(row.facts),
        "opened_at": format_time(row.opened_at_ms // 1000),
        "updated_at": format_time(row.updated_at_ms // 1000),
    }


@router.get("/v1/office/cases", summary="Officers' cases", responses=problems(401, 403), operation_id="getOfficeCases")
async def _list(
    runtime: Running,
    caller: KnownCaller,
    status: models.CaseStatusName | None = None,
    kind: Annotated[str | None, Query(pattern=r"^[a-z_]{2,32}$", examples=["monitoring"])] = None,
    officer: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{43}$")] = None,
    account: Annotated[str | None, Query(pattern=r"^0x[0-9a-f]{40}$")] = None,
    overdue: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Before = None,
) -> models.Cases:
    """Answer with the cases that the caller's role works, the newest first.

    Compliance officers see every kind; the treasury's custodian sees those about the bank's entries, of its token
    where its key is limited to one.
    """
    services = runtime.services
    today = services.region.business_day.date_of(services.now_s)
    wanted = _filter(
        services.region,
        caller,
        kind,
        status=CaseStatus(status) if status else None,
        officer=officer,
        account=account,
        overdue_on=today if overdue else None,
    )
    at_ms, _, last = (before or "").partition("-")
    rows = await services.store.read(
        cases.cases, wanted, before=(int(at_ms), last) if before else None, limit=limit + 1
    )
    shown = [models.Case(**_shown(row, today.isoformat())) for row in rows[:limit]]
    more = rows[limit - 1] if len(rows) > limit else None
    return models.Cases(cases=shown, next=f"{more.opened_at_ms}-{more.id}" if more else None)


def seen_case(store: Store, case_id: str, wanted: Filter) -> CaseRow:
    """Return a case of these kinds and tokens that the role may see. Errors: NotFound (unknown_case)."""
    row = cases.case(store, case_id)
    if row is None or row.kind not in wanted.kinds or (row.shows_suspicion and not wanted.suspicions):
        raise NotFound("There is no such case.", code="unknown_case")
    if wanted.tokens is not None and cases.token_of(store, case_id) not in wanted.tokens:
        raise NotFound("There is no such case.", code="unknown_case")
    return row


@router.get(
    "/v1/office/cases/{case_id}",
    summary="An officers' case with its file",
    responses=problems(401, 403, 404),
    operation_id="getOfficeCase",
)
async def _one(runtime: Running, caller: KnownCaller, case_id: CaseIdPath) -> models.CaseDetails:
    """Answer with a case, its history and its evidence."""
    services = runtime.services
    wanted = _filter(services.region, caller, None)
    today = services.region.business_day.date_of(services.now_s).isoformat()
    return await services.store.read(_details, case_id, wanted, today)


def _details(store: Store, case_id: str, wanted: Filter, today: str) -> models.CaseDetails:
    row = seen_case(store, case_id, wanted)
    events = [
        models.CaseEvent(event=one.event, actor=one.actor, detail=one.detail, at=format_time(one.at_ms // 1000))
        for one in cases.events_of(store, case_id)
        if wanted.suspicions or one.event not in PRIVATE_EVENTS
    ]
    evidence = [
        models.CaseEvidence(kind=e.kind, reference=e.reference, added_by=e.added_by, at=format_time(e.at_ms // 1000))
        for e in cases.evidence_of(store, case_id)
        if wanted.suspicions or e.kind == "transaction"
    ]
    return models.CaseDetails(**_shown(row, today), reason=row.reason, events=events, evidence=evidence)


@router.get(
    "/v1/office/cases/{case_id}/report",
    summary="A case's report as FinCEN takes it",
    responses={200: {"content": {"application/xml": {}}}, **problems(401, 403, 404, 409)},
    operation_id="getOfficeCaseReport",
    response_class=Response,
)
async def _report(runtime: Running, caller: KnownCaller, case_id: CaseIdPath) -> Response:
    """Answer, to a compliance officer alone, with the BSA XML of a case: FinCEN Form 112 or 111, dated today.

    It is sent nowhere. It is full of personal data: keep it as private as the case.
    """
    caller.holds(Role.COMPLIANCE_OFFICER)
    services = runtime.services
    row = await services.store.read(seen_case, case_id, _filter(services.region, caller, None))
    if services.filer is None:
        raise Unavailable("Who files reports is not set.", code="no_filer")
    today = services.region.business_day.date_of(services.now_s)
    made = await make_report(services.store, services.people, services.region, services.filer, row, today)
    name = f"{made.form}-{case_id}.xml"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(made.document, media_type="application/xml", headers=headers)
