"""The money at the bank explained from the books, for custodians and whoever answers for it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from sdt.api import models_money as models
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.strict_route import StrictRoute
from sdt.domain.claims import day_of
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.store import Store, ledger
from sdt.workflows.clearing import Item, explain_clearing
from sdt.workflows.cover import cover_of

__all__ = ["router"]

_KEPT: Final = frozenset({"blocked", "blocked_interest", "set_apart", "suspense", "unclaimed"})
"""Why these are kept apart is the compliance role's to know; to others they are one sum."""
router = APIRouter(route_class=StrictRoute, tags=["office"])


@router.get(
    "/v1/office/money", summary="The money explained", responses=problems(401, 403), operation_id="getOfficeMoney"
)
async def _money(runtime: Running, caller: KnownCaller) -> models.MoneyReport:
    """Answer with every open item of each clearing account, the reserve, and what covers returns by ACH.

    For custodians, administrators and compliance officers. What is blocked is named to the last alone; the others
    see one sum of what is kept apart. A key that is limited to one token reads no other.
    """
    caller.holds(Role.CUSTODIAN | Role.COMPLIANCE_OFFICER | Role.ADMINISTRATOR)
    all_of_it = bool(caller.key.roles & Role.COMPLIANCE_OFFICER)
    services = runtime.services
    dollars = caller.dollars(services.region)
    found = [
        await services.store.read(_of_token, services.region, one, services.now_ms(), all_of_it) for one in dollars
    ]
    return models.MoneyReport(tokens=found)


def _of_token(store: Store, region: Region, symbol: str, now_ms: int, all_of_it: bool) -> models.TokenMoney:
    items = explain_clearing(store, symbol)
    if not all_of_it:
        kept = [item for item in items if item.kind in _KEPT]
        items = [item for item in items if item.kind not in _KEPT]
        if kept:
            items.append(Item("kept_apart", "", sum(item.units for item in kept)))
    cover = cover_of(store, region, symbol, day_of(now_ms))
    reserve = ledger.account_balance(store, f"Reserve:{symbol}")
    return models.TokenMoney(
        token=symbol,
        clearing=str(sum(item.units for item in items)),
        items=[
            models.ClearingItem(kind=item.kind, transaction_id=item.reference or None, amount=str(item.units))
            for item in items
        ],
        reserve=str(reserve.debits - reserve.credits),
        supply=str(ledger.supply(store, symbol)),
        cover=models.CoverReport(
            exposure=str(cover.exposure),
            required=str(cover.required),
            prefund=str(cover.prefund),
            loss_fund=str(cover.loss_fund),
            short=str(cover.short),
        ),
    )
