"""What an account has, and what happened to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from sdt.api import models
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.message import format_time
from sdt.domain.transaction import Status
from sdt.store import ledger, transactions
from sdt.store.transactions import TransactionRow

__all__ = ["balances_of", "router"]

router = APIRouter(route_class=StrictRoute, tags=["accounts"])
AddressPath = Annotated[str, Path(pattern=r"^0x[0-9a-f]{40}$", examples=["0x" + "a1" * 20])]


async def balances_of(services: Services, account: str) -> models.Balances:
    """Return an account's balance of every token of the region, zeros included."""
    rows = {row.token: row for row in await services.store.read(ledger.balances, account)}
    balances = []
    for token in services.region.tokens:
        row = rows.get(token.symbol)
        balances.append(
            models.Balance(
                token=token.symbol,
                settled=str(row.posted if row else 0),
                held=str(row.held if row else 0),
                available=str(row.available if row else 0),
            )
        )
    return models.Balances(account=account, balances=balances)


def _entry(row: TransactionRow) -> models.HistoryEntry:
    return models.HistoryEntry(
        transaction_id=row.id,
        type=row.type,
        status=row.status.value,
        account=row.account,
        counterparty=row.counterparty,
        token=row.token,
        amount=str(row.units),
        fee=str(row.fee_units),
        accepted_at=format_time(row.accepted_at_ms // 1000),
        updated_at=format_time(row.updated_at_ms // 1000),
        code=row.code,
        rule=row.rule,
        batch_number=row.batch_number,
        linked_id=row.linked_id,
    )


@router.get(
    "/v1/accounts/{address}/balances",
    summary="Balances of an account",
    responses=problems(401, 403),
    operation_id="getBalances",
)
async def _balances(runtime: Running, caller: KnownCaller, address: AddressPath) -> models.Balances:
    """Answer with what is settled, what is held for payments on their way, and what is available."""
    caller.owns(address)
    return await balances_of(runtime.services, address)


@router.get(
    "/v1/accounts/{address}/transactions",
    summary="Transactions of an account",
    responses=problems(401, 403),
    operation_id="getAccountTransactions",
)
async def _history(
    runtime: Running,
    caller: KnownCaller,
    address: AddressPath,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
    token: Annotated[str | None, Query(pattern=r"^[A-Z][A-Z0-9]{1,11}$")] = None,
    type: Annotated[str | None, Query(pattern=r"^[a-z_]{2,32}$", examples=["transfer"])] = None,
    status: models.StatusName | None = None,
) -> models.History:
    """Answer with the account's transactions, given and received, the newest first."""
    caller.owns(address)
    rows = await runtime.services.store.read(
        transactions.history,
        address,
        token=token,
        type=type,
        status=Status(status) if status else None,
        before_seq=before,
        limit=limit + 1,
    )
    more = len(rows) > limit
    return models.History(
        transactions=[_entry(row) for row in rows[:limit]], next=rows[limit - 1].seq if more else None
    )
