"""An account's identity check, as its owner sees it: status, reasons, what to do next; attempts and renewals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request

from sdt.api import models_identity as models
from sdt.api.declared import problems
from sdt.api.http import media_type
from sdt.api.parties import party_of
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.api.users import user_of
from sdt.domain.claims import format_time
from sdt.domain.document import check_document
from sdt.domain.errors import Conflict, NotFound, Unavailable
from sdt.domain.identity import IdentityStatus, Reason, next_step, renewable_from, shown
from sdt.domain.ownership import OWNER_PPM_MIN, OWNER_RULES
from sdt.domain.personal import Party
from sdt.store import Store, accounts, documents, examinations, outbox, person_keys
from sdt.store.accounts import IdentityRow, UserRow
from sdt.store.documents import DocumentRow
from sdt.store.examinations import ExaminationRow
from sdt.workflows import identity
from sdt.workflows.documents import Documents
from sdt.workflows.people import People

__all__ = ["established_of", "paper", "papers_of", "router"]

DOCUMENTS_MAX: Final = 20
"""In one round: nobody fills the disk."""
UserId = Annotated[str, Path(examples=["me"])]
router = APIRouter(route_class=StrictRoute, tags=["identity"])
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/pdf", "image/jpeg", "image/png")
        },
    }
}


def _read(store: Store, account: str) -> tuple[bool, ExaminationRow | None, list[IdentityRow]]:
    keys = person_keys.of_account(store, account)
    erased = keys is not None and keys.erased_at_ms is not None
    return erased, examinations.get(store, account), accounts.identities_of(store, account)


def established_of(standing: Iterable[IdentityRow]) -> list[models.Established]:
    """Return what stands on chain, as it is shown."""
    return [
        models.Established(domain=i.domain, tier=i.tier, resident=i.resident, expires_at=format_time(i.expires_at_s))
        for i in standing
        if i.tier
    ]


async def check_of(services: Services, user: UserRow) -> models.IdentityCheck:
    """Return where a user's identity check stands."""
    erased, row, standing = await services.store.read(_read, user.account)
    established = established_of(standing)
    if erased or row is None:
        begun = IdentityStatus.PENDING if user.registered else IdentityStatus.NOT_STARTED
        status = IdentityStatus.ERASED if erased else begun
        return models.IdentityCheck(
            status=status.value,
            reasons=[],
            next="nothing" if erased else "wait",
            attempts_left=0 if erased else identity.ATTEMPTS,
            documents_of=[],
            expires_at=None,
            renewable_from=None,
            residency=None,
            subjects=[],
            established=established,
        )
    return _shown(row, established, services.now_s)


def _shown(row: ExaminationRow, established: list[models.Established], now_s: int) -> models.IdentityCheck:
    status = identity.status_of(row, now_s)
    opens_s = None
    if row.expires_at_s is not None and row.decided_at_s is not None:
        opens_s = renewable_from(row.decided_at_s, row.expires_at_s)
    asked = identity.asked_for(row)
    step = next_step(
        status,
        attempts_left=row.attempts_left,
        documents_asked=bool(asked),
        renewable=opens_s is not None and now_s >= opens_s,
    )
    return models.IdentityCheck(
        status=status.value,
        reasons=_reasons(row.reasons),
        next=step.value,
        attempts_left=row.attempts_left,
        documents_of=list(asked),
        expires_at=format_time(row.expires_at_s) if row.expires_at_s is not None else None,
        renewable_from=format_time(opens_s) if opens_s is not None else None,
        residency=models.Residency(status=IdentityStatus(row.residency).value, reasons=_reasons(row.residency_reasons)),
        subjects=[
            models.Subject(
                subject=s["subject"], status=IdentityStatus(s["outcome"]).value, reasons=_reasons(s["reasons"])
            )
            for s in row.subjects
        ],
        established=established,
    )


def _reasons(codes: Iterable[str]) -> list[models.ReasonOut]:
    return [models.ReasonOut(**_members(reason)) for reason in shown(codes)]


def _members(reason: Reason) -> dict[str, str]:
    return {"code": reason.code, "text": reason.text, "remedy": reason.remedy}


@router.get(
    "/v1/users/{user_id}/identity",
    summary="An identity check",
    responses=problems(401, 403, 404),
    operation_id="getIdentity",
)
async def _get(runtime: Running, caller: KnownCaller, user_id: UserId) -> models.IdentityCheck:
    """Answer where the caller's identity check stands, why, and what to do next. Nobody else sees it."""
    user = await user_of(runtime.services, caller, user_id)
    return await check_of(runtime.services, user)


def _try_again(store: Store, people: People, user: UserRow, party: Party, at_ms: int) -> None:
    _same_kind(store, people, user, party)
    people.key(store, user.account, at_ms)
    identity.try_again(store, user.account, at_ms)
    accounts.set_person(store, user.account, people.seal(store, user.account, party, at_ms))


def _renew(store: Store, people: People, user: UserRow, party: Party | None, at_ms: int) -> None:
    if party is not None:
        _same_kind(store, people, user, party)
    people.key(store, user.account, at_ms)
    identity.renew(store, user.account, at_ms)
    if party is not None:
        accounts.set_person(store, user.account, people.seal(store, user.account, party, at_ms))


def _same_kind(store: Store, people: People, user: UserRow, party: Party) -> None:
    known = people.party_in(store, user.account)
    if known is None:
        raise NotFound("What was known of this person has been erased.", code="erased")
    if type(known) is not type(party):
        raise Conflict("A person's account does not become a business's, nor the other way.", code="another_party")


@router.post(
    "/v1/users/{user_id}/identity/attempts",
    status_code=202,
    summary="Try an identity check again",
    responses=problems(401, 403, 404, 409, 415, 422),
    operation_id="tryIdentityAgain",
)
async def _attempt(
    runtime: Running, caller: KnownCaller, user_id: UserId, request: Annotated[models.Attempt, Body()]
) -> models.IdentityCheck:
    """Hand in corrected data after a check failed or asked for documents. There are two attempts; then it is a case."""
    caller.manages()
    services = runtime.services
    user = await user_of(services, caller, user_id)
    party = party_of(services, request.person, request.business)
    await services.store.run(_try_again, services.people, user, party, services.now_ms())
    return await check_of(services, user)


@router.post(
    "/v1/users/{user_id}/identity/renewals",
    status_code=202,
    summary="Renew an identity",
    responses=problems(401, 403, 404, 409, 415, 422),
    operation_id="renewIdentity",
)
async def _renewal(
    runtime: Running, caller: KnownCaller, user_id: UserId, request: Annotated[models.Renewal, Body()]
) -> models.IdentityCheck:
    """Have an identity checked anew before it ends, or after. What is established stands until it ends."""
    caller.manages()
    services = runtime.services
    user = await user_of(services, caller, user_id)
    given = request.person is not None or request.business is not None
    party = party_of(services, request.person, request.business) if given else None
    await services.store.run(_renew, services.people, user, party, services.now_ms())
    return await check_of(services, user)


def papers_of(services: Services) -> Documents:
    """Return where documents are kept. Errors: Unavailable where this part takes none."""
    if services.documents_folder is None:
        raise Unavailable("This part takes no documents.", code="unavailable")
    return Documents(services.store, services.people, services.documents_folder)


def _asked(store: Store, account: str, kind: str, subject: str) -> ExaminationRow:
    row = examinations.get(store, account, lock=True)
    wanted = [] if row is None else identity.asked_for(row)
    only_residency = row is not None and identity.residency_asked(row) and row.status != "documents_required"
    if row is None or subject not in wanted or (subject == "holder" and only_residency and kind != "address"):
        raise Conflict("No such document is asked for now.", code="document_not_asked")
    if sum(d.round == row.round for d in documents.of_account(store, account)) >= DOCUMENTS_MAX:
        raise Conflict("Enough documents were handed in: an officer looks at them.", code="document_not_asked")
    return row


def _received(store: Store, row: DocumentRow, at_ms: int) -> DocumentRow:
    """Note a document and ask the worker to forward it; the same bytes again are the same document."""
    # Whoever hands in the same at the same time waits for this lock, and finds it then.
    examinations.get(store, row.account, lock=True)
    known = _known(store, row)
    if known is not None:
        return known
    examination = _asked(store, row.account, row.kind, row.subject)
    row = row._replace(round=examination.round)
    documents.add(store, row)
    order = {"act": "document", "account": row.account, "document": row.id, "key": row.id}
    outbox.put(store, identity.TOPIC, f"{row.account}:document:{row.id}", order, at_ms)
    return row


def _known(store: Store, row: DocumentRow) -> DocumentRow | None:
    """Return the same document, handed in for the same end: in a renewal, or as another kind, it is another one."""
    examination = examinations.get(store, row.account)
    wanted = (row.digest, row.subject, row.kind, examination.round if examination else 0)
    handed_in = documents.of_account(store, row.account)
    return next((d for d in handed_in if (d.digest, d.subject, d.kind, d.round) == wanted), None)


@router.post(
    "/v1/users/{user_id}/identity/documents",
    status_code=201,
    summary="Hand in a document",
    responses=problems(401, 403, 404, 409, 415),
    operation_id="putDocument",
    openapi_extra=_BODY,
)
async def _document(
    runtime: Running,
    caller: KnownCaller,
    request: Request,
    user_id: UserId,
    kind: Annotated[models.DocumentKindName, Query()],
    subject: Annotated[models.SubjectName, Query()] = "holder",
) -> models.Document:
    """Take a document that was asked for: its bytes are the body, at most 5 MiB. The same again counts once."""
    caller.manages()
    services = runtime.services
    user = await user_of(services, caller, user_id)
    content = await request.body()
    media = check_document(content, media_type(request.scope))
    papers, at_ms = papers_of(services), services.now_ms()
    row = DocumentRow("", user.account, kind, subject, media, len(content), papers.digest(content), 0, False, at_ms)
    known = await services.store.read(_known, row)
    if known is not None:
        return paper(known)
    await services.store.run(_asked, user.account, kind, subject)
    row = row._replace(id=await papers.write(user.account, content, at_ms))
    received = await services.store.run(_received, row, at_ms)
    if received.id != row.id:
        papers.remove(row.id)
    return paper(received)


def paper(row: DocumentRow) -> models.Document:
    """Return a document as it is shown: by its digest."""
    members: dict[str, Any] = {
        name: getattr(row, name) for name in ("id", "kind", "subject", "media_type", "size_bytes", "digest")
    }
    return models.Document(
        **members, forwarded=bool(row.forwarded), received_at=format_time(row.received_at_ms // 1000)
    )


@router.get(
    "/v1/users/{user_id}/identity/documents",
    summary="Documents handed in",
    responses=problems(401, 403, 404),
    operation_id="getDocuments",
)
async def _documents(runtime: Running, caller: KnownCaller, user_id: UserId) -> models.Documents:
    """Answer with what the caller handed in, by digest: the contents are not given out again."""
    user = await user_of(runtime.services, caller, user_id)
    rows = await runtime.services.store.read(documents.of_account, user.account)
    return models.Documents(documents=[paper(row) for row in rows])


@router.get(
    "/v1/owner-rules",
    summary="Whose owners are named",
    responses=problems(),
    operation_id="getOwnerRules",
)
async def _rules() -> models.OwnerRules:
    """Answer which kinds of business name their beneficial owners, and under which law."""
    return models.OwnerRules(
        share_ppm_min=OWNER_PPM_MIN,
        rules=[
            models.OwnerRule(kind=kind, owners=rule.owners, text=rule.text, statute=rule.statute)
            for kind, rule in OWNER_RULES.items()
        ],
    )
