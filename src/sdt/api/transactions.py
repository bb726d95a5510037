"""Ids for transactions, quotes, and where a transaction stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from sdt.api import models
from sdt.api.callers import Caller
from sdt.api.declared import problems
from sdt.api.runtime import AnyCaller, Running
from sdt.api.services import Services
from sdt.api.standing import standing_of
from sdt.api.strict_route import StrictRoute
from sdt.domain.message import Transfer, format_time
from sdt.domain.rules import UNKNOWN, check_rules
from sdt.domain.transaction_id import RANDOM_BYTES
from sdt.store import accounts

__all__ = ["give_ids", "router"]

router = APIRouter(route_class=StrictRoute, tags=["transactions"])


async def give_ids(services: Services, request: models.IdRequest, caller: Caller | None) -> models.Ids:
    """Give ids without writing anything: an id is recognised by itself when it comes back."""
    now_ms = services.now_ms()
    issuer = services.ids.issuer()
    # Of one millisecond: 38 bits of chance alone would give two of 500 the same once in two million answers.
    unique: set[str] = set()
    while len(unique) < request.count:
        unique.add(issuer.issue(now_ms, services.random(RANDOM_BYTES)))
    ids = sorted(unique)
    expires_at_s = now_ms // 1000 + services.region.acceptance_window_s
    quote = await _quote(services, request.quote, caller) if request.quote else None
    return models.Ids(transaction_id=ids[0], transaction_ids=ids, expires_at=format_time(expires_at_s), quote=quote)


async def _quote(services: Services, asked: models.QuoteRequest, caller: Caller | None) -> models.Quote:
    token = services.region.token(asked.token)
    units = token.amount(int(asked.amount)).units
    fee = token.fee(units)
    quote = models.Quote(token=asked.token, amount=asked.amount, fee=str(fee), total=str(units + fee))
    if caller is None or caller.account != asked.payer:
        return quote
    facts = await services.store.read(accounts.facts, [asked.payer, asked.payee])
    now_s = services.now_s
    refusal = check_rules(
        "transfer", _meant(services, asked, now_s), services.region, lambda a: facts.get(a, UNKNOWN), now_s
    )
    if refusal is None:
        return quote.model_copy(update={"verdict": "allowed"})
    shown = models.Refusal(
        code=refusal.code,
        detail=refusal.text,
        rule=refusal.rule,
        statute=refusal.statute,
        effective=refusal.effective,
    )
    return quote.model_copy(update={"verdict": "refused", "refusal": shown})


def _meant(services: Services, asked: models.QuoteRequest, now_s: int) -> Transfer:
    """Return the message that the quote is about, as the rules read it."""
    return Transfer(
        version=1,
        network=services.network,
        transaction_id="",
        region=services.region.id,
        issued_at=format_time(now_s),
        token=asked.token,
        payer=asked.payer,
        payee=asked.payee,
        payee_handle="",
        amount=asked.amount,
        fee_max="0",
        memo="",
        expires_at=format_time(now_s),
    )


@router.post(
    "/v1/transactions",
    summary="Give transaction ids",
    responses=problems(401, 415),
    operation_id="giveTransactionIds",
)
async def _give(
    runtime: Running,
    caller: AnyCaller,
    request: Annotated[models.IdRequest, Body()] = models.IdRequest(),
) -> models.Ids:
    """Give one id, or `count` of them, and optionally a quote. Nothing is stored until a message is sent."""
    return await give_ids(runtime.services, request, caller)


@router.get(
    "/v1/transactions/{transaction_id}",
    summary="Where a transaction stands",
    responses=problems(401, 404),
    operation_id="getTransaction",
)
async def _get(
    runtime: Running,
    caller: AnyCaller,
    transaction_id: Annotated[str, Path(examples=["019a8f2e-1c00-7a3b-8c4d-5e6f708192a3"])],
    wait: Annotated[float, Query(ge=0, le=30, description="Wait so many seconds for it to be settled or final.")] = 0,
) -> models.Transaction:
    """Answer with the status and the result. With the proof of a party, `details` has amounts and the message."""
    return models.Transaction(**await standing_of(runtime.services, runtime.waiting, transaction_id, wait, caller))
