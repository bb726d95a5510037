"""The officers' acts: signed, carried out in one commit, and there to be looked up by the roles they concern."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request

from sdt.api import models_office as models
from sdt.api.declared import problems
from sdt.api.http import media_type
from sdt.api.runtime import KnownCaller, Running, Runtime
from sdt.api.strict_route import StrictRoute
from sdt.domain.authority import KeyFacts
from sdt.domain.claims import format_time
from sdt.domain.envelope import open_envelope
from sdt.domain.errors import Invalid, NotFound, Unauthenticated
from sdt.domain.office import ActStatus
from sdt.store import Store, office
from sdt.store.office import ActRow
from sdt.workflows.acts import office_of
from sdt.workflows.office import EVERY_OFFICER, Office

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["office"])
ActIdPath = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        examples=["3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"],
    ),
]
STEP: Final = 200
LOOKED_AT_MAX: Final = 1_000
"""Acts that are read for one page of a key limited to one token."""
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/jose": {
                "schema": {"type": "string", "description": "A compact JWS of at most 8192 bytes."},
                "example": "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…In0.eyJ0eXBlIjoiYWdyZWUi….MEUCIQ…",
            }
        },
    }
}


def _office(runtime: Runtime) -> Office:
    return office_of(runtime.services.region, runtime.services.network)


async def act(runtime: Runtime, act_id: str, body: bytes) -> ActRow:
    """Verify an act and carry it out.

    Errors: as for every message, and as `Office.perform`.
    """
    services = runtime.services
    envelope = open_envelope(body)
    key = await runtime.keys.find(envelope.kid)
    if key is None:
        raise Unauthenticated("No key with this kid is registered.", code="unknown_key")
    # The transmitted bytes first: nothing of an unsigned act is parsed.
    envelope.verify(key.public_key)
    return await services.store.run(_office(runtime).perform, envelope, act_id, services.now_ms())


def _shown(row: ActRow) -> dict[str, Any]:
    return {
        "act_id": row.id,
        "type": row.type,
        "status": row.status,
        "digest": bytes(row.digest).hex(),
        "officer": row.kid,
        "subject": row.subject,
        "issued_at": format_time(row.issued_at_s),
        "updated_at": format_time(row.updated_at_ms // 1000),
        "second_officer": row.second_kid,
        "second_act": row.second_act,
        "result": row.found,
    }


@router.put(
    "/v1/office/acts/{act_id}",
    summary="Send an officer's act",
    responses=problems(401, 403, 404, 409, 415, 422),
    operation_id="putOfficeAct",
    openapi_extra=_BODY,
)
async def _put(runtime: Running, request: Request, act_id: ActIdPath) -> models.Act:
    """Carry out a signed act, or let it wait for a second officer. The same bytes again get the same answer.

    An act that is refused leaves nothing behind; other bytes under an id that was used are refused with 409.
    """
    if media_type(request.scope) != "application/jose":
        raise Invalid("The body is application/jose.", code="unsupported_media_type")
    return models.Act(**_shown(await act(runtime, act_id, await request.body())))


@router.get(
    "/v1/office/acts",
    summary="Officers' acts",
    responses=problems(401, 403),
    operation_id="getOfficeActs",
)
async def _list(
    runtime: Running,
    caller: KnownCaller,
    status: models.ActStatusName | None = None,
    type: Annotated[str | None, Query(pattern=r"^[a-z_]{2,32}$", examples=["clear_match"])] = None,
    subject: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
) -> models.Acts:
    """Answer with the acts that the caller's role may sign or agree to, the newest first.

    A key limited to one token is shown that token's. A page may then hold fewer than `limit`, or none: `next` tells
    whether another follows.
    """
    caller.holds(EVERY_OFFICER)
    services, of = runtime.services, _office(runtime)
    kinds = [kind for kind in of.visible_to(caller.key.roles) if type in (None, kind)]
    read = partial(office.page, types=kinds, status=ActStatus(status) if status else None, subject=subject)
    rows, after = await services.store.read(_page, of, caller.key, services.now_ms(), read, before, limit)
    return models.Acts(acts=[models.Act(**_shown(row)) for row in rows], next=after)


def _page(
    store: Store,
    of: Office,
    key: KeyFacts,
    now_ms: int,
    read: Callable[..., list[ActRow]],
    before: int | None,
    limit: int,
) -> tuple[list[ActRow], int | None]:
    """Return the acts of a page that a key may see, and where the next page goes on; None after the last one.

    Whose token an act is about stands in its bytes, so those of others are left out here: at most LOOKED_AT_MAX.
    """
    shown: list[ActRow] = []
    step = STEP if key.scope else limit + 1
    for _ in range(LOOKED_AT_MAX // STEP):
        rows = read(store, before=before, limit=step)
        for row in rows:
            if not of.shows(store, row, key, now_ms):
                continue
            if len(shown) == limit:
                return shown, shown[-1].seq
            shown.append(row)
        if len(rows) < step:
            return shown, None
        before = rows[-1].seq
    return shown, before


def _seen(store: Store, of: Office, key: KeyFacts, now_ms: int, act_id: str) -> ActRow | None:
    row = office.get(store, act_id)
    return row if row is not None and of.shows(store, row, key, now_ms) else None


@router.get(
    "/v1/office/acts/{act_id}",
    summary="An officer's act",
    responses=problems(401, 403, 404),
    operation_id="getOfficeAct",
)
async def _one(runtime: Running, caller: KnownCaller, act_id: ActIdPath) -> models.ActDetails:
    """Answer with an act and its exact bytes, to whoever signed it or may agree to it."""
    caller.holds(EVERY_OFFICER)
    services = runtime.services
    row = await services.store.read(_seen, _office(runtime), caller.key, services.now_ms(), act_id)
    if row is None:
        raise NotFound("There is no such act.", code="unknown_act")
    return models.ActDetails(**_shown(row), message=bytes(row.raw).decode("ascii"))
