"""Who paid whom, of the payments that the law wants recorded: to the compliance role alone."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path

from sdt.api import models_cases as models
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.claims import format_time
from sdt.domain.errors import NotFound
from sdt.domain.registry import Role
from sdt.store import travel

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["office"])
PaymentId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        examples=["019a8f2e-1c00-7a3b-8c4d-5e6f708192a3"],
    ),
]


@router.get(
    "/v1/office/travel-records/{transaction_id}",
    summary="Who paid whom",
    responses=problems(401, 403, 404),
    operation_id="getTravelRecord",
)
async def _record(runtime: Running, caller: KnownCaller, transaction_id: PaymentId) -> models.TravelRecord:
    """Answer with originator and beneficiary of a payment of 3,000 dollars or more (31 C.F.R. 1010.410)."""
    caller.holds(Role.COMPLIANCE_OFFICER)
    row = await runtime.services.store.read(travel.get, transaction_id)
    if row is None:
        raise NotFound("No record is kept of this payment.", code="no_travel_record")
    return models.TravelRecord(
        transaction_id=row.transaction_id,
        payer=row.payer,
        payee=row.payee,
        token=row.token,
        amount=str(row.units),
        value_cents=str(row.cents),
        at=format_time(row.at_s),
        originator=await _party(runtime.services, row.payer, row.payer_sealed),
        beneficiary=await _party(runtime.services, row.payee, row.payee_sealed),
        keep_until=row.keep_until,
    )


async def _party(services: Services, account: str, sealed: bytes | None) -> models.TravelParty | None:
    note = await services.people.open_note(account, travel.NOTE, bytes(sealed)) if sealed else None
    if note is None:
        return None
    record = json.loads(note)
    return models.TravelParty(name=record["name"], account=record["account"], **record["address"])
