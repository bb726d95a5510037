"""Sanctions, to the compliance role alone: what waits for a decision, the lists, and what is ignored."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query

from sdt.api import models_sanctions as models
from sdt.api.cases import Before, CaseIdPath
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.case import Decision
from sdt.domain.claims import format_time
from sdt.domain.errors import NotFound
from sdt.domain.registry import Role
from sdt.domain.sanctions.subjects import Found, ownership_note
from sdt.store import Store, cases, reviews, sanctions, sanctions_matches
from sdt.store.sanctions import ListRow
from sdt.store.sanctions_matches import MatchRow, ReviewRow
from sdt.workflows.sanctions import REASON, found_of
from sdt.workflows.sanctions_acts import freeze_claims
from sdt.workflows.screened import Screened, screened_in

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["office"])
OFFICER: Final = Role.COMPLIANCE_OFFICER


def _review(row: ReviewRow) -> models.Review:
    return models.Review(
        case_id=row.case_id,
        account=row.account,
        status=row.status,
        score=row.score,
        matches=row.matches,
        opened_at=format_time(row.opened_at_ms // 1000),
        due_on=row.due_on,
    )


@router.get(
    "/v1/office/reviews", summary="Who may be listed", responses=problems(401, 403), operation_id="getOfficeReviews"
)
async def _reviews(
    runtime: Running,
    caller: KnownCaller,
    decided: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Before = None,
) -> models.Reviews:
    """Answer with the reviews that wait for a decision, the longest waiting first; or with the decided ones."""
    caller.holds(OFFICER)
    at_ms, _, last = (after or "0-").partition("-")
    rows = await runtime.services.store.read(sanctions_matches.queue, decided, (int(at_ms), last), limit + 1)
    more = rows[limit - 1] if len(rows) > limit else None
    return models.Reviews(
        reviews=[_review(row) for row in rows[:limit]],
        next=f"{more.opened_at_ms}-{more.case_id}" if more else None,
    )


@router.get(
    "/v1/office/reviews/{case_id}",
    summary="A review",
    responses=problems(401, 403, 404),
    operation_id="getOfficeReview",
)
async def _one(runtime: Running, caller: KnownCaller, case_id: CaseIdPath) -> models.ReviewDetails:
    """Answer with everything an officer decides on: who, which entries, why, and what waits for the decision."""
    caller.holds(OFFICER)
    services = runtime.services
    row, matches, held = await services.store.read(_details, case_id)
    if row is None:
        raise NotFound("There is no such review.", code="unknown_review")
    case = await services.store.read(cases.case, case_id)
    assert case is not None, "a review is a case"
    screened = await services.store.read(screened_in, services.people, row.account)
    found = [await found_of(services.people, match) or [] for match in matches]
    blocked = case.decision == Decision.REPORT and case.second_officer is not None
    return models.ReviewDetails(
        **_review(row).model_dump(),
        takes_two=row.score > services.region.clear_alone_score_max,
        people=_people(screened) if screened else None,
        found=[_match(match, each) for match, each in zip(matches, found, strict=True)],
        ownership=ownership_note(one for each in found for one in each),
        transactions=held,
        officer=case.officer,
        second_officer=case.second_officer,
        reason=case.reason,
        freeze=freeze_claims(case_id, row.account, services.now_s) if blocked else None,
    )


def _details(store: Store, case_id: str) -> tuple[ReviewRow | None, list[MatchRow], list[str]]:
    row = sanctions_matches.review(store, case_id)
    if row is None:
        return None, [], []
    return row, sanctions_matches.matches_of_case(store, case_id), reviews.held_for(store, REASON, case_id)


def _people(screened: Screened) -> list[models.Subject]:
    return [
        models.Subject(role=one.role, name=one.name, street=one.street, city=one.city, born_on=born_on)
        for one, _, born_on in screened.asked
    ]


def _match(row: MatchRow, found: list[Found]) -> models.Match:
    best = max(found, key=lambda one: one.score, default=None)
    return models.Match(
        match_id=row.id,
        source="own" if row.source == "own" else "vendor",
        status=row.status,
        uid=row.uid,
        listed_name=best.listed_name if best else "",
        kind=best.kind if best else "",
        programs=best.programs if best else "",
        score=row.score,
        sentences=[one.sentence for one in found],
        ignored_until=format_time(row.ignored_until_s) if row.ignored_until_s else None,
    )


@router.get(
    "/v1/office/sanctions",
    summary="The list in force",
    responses=problems(401, 403),
    operation_id="getOfficeSanctions",
)
async def _status(runtime: Running, caller: KnownCaller) -> models.SanctionsStatus:
    """Answer with the edition in force, how far everybody is screened against it, and the editions before."""
    caller.holds(OFFICER | Role.SCREENING_DESK)
    return await status_of(runtime.services)


async def status_of(services: Services) -> models.SanctionsStatus:
    """Return the edition in force, the progress of rescreening, and the editions before."""
    row = await services.store.read(sanctions.in_force)
    rows = await services.store.read(sanctions.editions)
    if row is None:
        return models.SanctionsStatus(in_force=None, progress=None, editions=[_edition(one) for one in rows])
    progress = await services.store.read(sanctions.progress, row.digest)
    left = max(0, progress.people - progress.screened)
    return models.SanctionsStatus(
        in_force=_edition(row),
        progress=models.Progress(**progress._asdict(), left=left),
        editions=[_edition(one) for one in rows],
    )


def _edition(row: ListRow) -> models.Edition:
    return models.Edition(
        digest=row.digest,
        list_date=row.list_date,
        entries=row.entries,
        names=row.names,
        added=row.added,
        removed=row.removed,
        changed=row.changed,
        loaded_at=format_time(row.loaded_at_ms // 1000),
        loaded_by=row.loaded_by,
        in_force_since=format_time(row.in_force_at_ms // 1000) if row.in_force_at_ms else None,
        put_by=row.put_by,
        rescreened_at=format_time(row.rescreened_at_ms // 1000) if row.rescreened_at_ms else None,
    )


@router.get(
    "/v1/office/sanctions/ignored",
    summary="The ignore-list",
    responses=problems(401, 403),
    operation_id="getOfficeIgnored",
)
async def _ignored(
    runtime: Running,
    caller: KnownCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Before = None,
) -> models.Ignored:
    """Answer with what was cleared, by whose act and until when, the newest first."""
    caller.holds(OFFICER)
    at_ms, _, last = (before or "").partition("-")
    rows = await runtime.services.store.read(
        sanctions_matches.ignored, before=(int(at_ms), last) if before else None, limit=limit + 1
    )
    more = rows[limit - 1] if len(rows) > limit else None
    return models.Ignored(
        ignored=[_ignored_match(row) for row in rows[:limit]],
        next=f"{more.decided_at_ms}-{more.id}" if more else None,
    )


def _ignored_match(row: MatchRow) -> models.IgnoredMatch:
    return models.IgnoredMatch(
        match_id=row.id,
        account=row.account,
        case_id=row.case_id,
        source=row.source,
        uid=row.uid,
        score=row.score,
        act_id=row.act_id,
        decided_at=format_time((row.decided_at_ms or 0) // 1000),
        ignored_until=format_time(row.ignored_until_s or 0),
    )
