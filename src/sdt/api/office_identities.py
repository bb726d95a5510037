"""The officers' side of identity checks: what waits for them, and who somebody is, with every look on record."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response

from sdt.api import models_office_identity as models
from sdt.api.declared import problems
from sdt.api.identity import established_of, paper, papers_of
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.claims import format_time
from sdt.domain.errors import Conflict, NotFound
from sdt.domain.personal import Business
from sdt.domain.registry import Role
from sdt.domain.retention import kept
from sdt.store import Store, accounts, documents, examinations, legal_holds, person_keys, personal_reads
from sdt.store.examinations import ExaminationRow
from sdt.store.personal_reads import PersonalReadRow
from sdt.workflows import identity
from sdt.workflows.erasure import relationship_of

__all__ = ["router"]

OFFICERS: Final = Role.KYC_DESK | Role.COMPLIANCE_OFFICER
OpenName = Literal["pending", "passed", "failed", "review", "documents_required"]
Account = Annotated[str, Path(pattern=r"^0x[0-9a-f]{40}$", examples=["0x" + "a1" * 20])]
router = APIRouter(route_class=StrictRoute, tags=["office"])


def _members(row: ExaminationRow, now_s: int) -> dict[str, object]:
    return {
        "account": row.account,
        "application": row.application,
        "status": identity.status_of(row, now_s).value,
        "reasons": list(row.reasons),
        "round": row.round,
        "attempts_left": row.attempts_left,
        "tier": row.tier,
        "residency": row.residency,
        "subjects": list(row.subjects),
        "expires_at": None if row.expires_at_s is None else format_time(row.expires_at_s),
        "decision_act": row.decision_act,
        "updated_at": format_time(row.updated_at_ms // 1000),
    }


@router.get(
    "/v1/office/identities",
    summary="Identity checks",
    responses=problems(401, 403),
    operation_id="getOfficeIdentities",
)
async def _list(
    runtime: Running,
    caller: KnownCaller,
    status: Annotated[OpenName, Query(examples=["review"])] = "review",
    after: Annotated[str | None, Query(pattern=r"^0x[0-9a-f]{40}$", description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> models.OfficeIdentities:
    """Answer with the checks that stand so, by account; `review` waits for officers."""
    caller.holds(OFFICERS)
    services = runtime.services
    rows = await services.store.read(examinations.page, status, after or "", limit + 1)
    shown = [models.OfficeIdentity.model_validate(_members(row, services.now_s)) for row in rows[:limit]]
    return models.OfficeIdentities(identities=shown, next=rows[limit - 1].account if len(rows) > limit else None)


def _details(store: Store, account: str, now_s: int, compliance: bool) -> models.OfficeIdentityDetails:
    row, user = examinations.get(store, account), accounts.user_by_account(store, account)
    keys = person_keys.of_account(store, account)
    if row is None or user is None or keys is None:
        raise NotFound("This account has no identity check.", code="unknown_application")
    retention = models.Retention(erasable_from=None, statute=None)
    try:
        day, duty, _ = kept(relationship_of(store, user, reports=compliance))
    except Conflict:
        pass  # it is not over: nothing is due yet
    else:
        retention = models.Retention(erasable_from=day.isoformat(), statute=duty.statute)
    return models.OfficeIdentityDetails.model_validate(
        _members(row, now_s)
        | {
            "seen": identity.seen_of(store, row),
            "erased": keys.erased_at_ms is not None,
            "documents": [paper(document) for document in documents.of_account(store, account)],
            "established": established_of(accounts.identities_of(store, account)),
            "holds": [
                models.Hold(
                    hold=hold.id,
                    order=hold.order_number,
                    authority=hold.authority,
                    placed_at=format_time(hold.placed_at_ms // 1000),
                    lifted_at=None if hold.lifted_at_ms is None else format_time(hold.lifted_at_ms // 1000),
                )
                for hold in legal_holds.of_account(store, account)
            ],
            "retention": retention,
            "looks": [
                models.Look(officer=look.kid, what=look.what, at=format_time(look.at_ms // 1000))
                for look in personal_reads.of_account(store, account)
            ],
        }
    )


@router.get(
    "/v1/office/identities/{account}",
    summary="An identity check, for officers",
    responses=problems(401, 403, 404),
    operation_id="getOfficeIdentity",
)
async def _one(runtime: Running, caller: KnownCaller, account: Account) -> models.OfficeIdentityDetails:
    """Answer with a check and what belongs to it: documents by digest, orders to keep, retention, who looked."""
    caller.holds(OFFICERS)
    compliance = bool(caller.key.roles & Role.COMPLIANCE_OFFICER)
    return await runtime.services.store.read(_details, account, runtime.services.now_s, compliance)


async def _look(services: Services, caller: KnownCaller, account: str, what: str) -> None:
    await services.store.run(personal_reads.note, PersonalReadRow(account, caller.key.kid, what, services.now_ms()))


@router.get(
    "/v1/office/identities/{account}/party",
    summary="Who stands behind an account",
    responses=problems(401, 403, 404),
    operation_id="getOfficeParty",
)
async def _party(runtime: Running, caller: KnownCaller, account: Account) -> models.OfficeParty:
    """Answer with personal data, for a decision. That it was looked at, and by whom, is on record first."""
    caller.holds(OFFICERS)
    services = runtime.services
    party, identified = await services.people.party(account), await services.people.identified(account)
    if party is None:
        raise NotFound("Nobody is known behind this account.", code="erased")
    await _look(services, caller, account, "party")
    return models.OfficeParty(
        account=account,
        kind="business" if isinstance(party, Business) else "person",
        party=msgspec.to_builtins(party),
        identified=None if identified in (None, party) else msgspec.to_builtins(identified),
    )


@router.get(
    "/v1/office/identities/{account}/documents/{document_id}",
    summary="A document",
    responses=problems(401, 403, 404) | {200: {"description": "Its bytes.", "content": {"application/pdf": {}}}},
    operation_id="getOfficeDocument",
    response_class=Response,
)
async def _document(
    runtime: Running,
    caller: KnownCaller,
    account: Account,
    document_id: Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$", examples=["3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"])],
) -> Response:
    """Answer with a document's bytes, for a decision. That it was looked at, and by whom, is on record first."""
    caller.holds(OFFICERS)
    services = runtime.services
    row = await services.store.read(documents.get, document_id)
    if row is None or row.account != account:
        raise NotFound("The account has no such document.", code="unknown_document")
    content = await papers_of(services).content(row)
    await _look(services, caller, account, f"document {row.id[:36]}")
    return Response(
        content, media_type=row.media_type, headers={"Content-Disposition": f'attachment; filename="{row.id}"'}
    )
