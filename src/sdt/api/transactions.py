"""Ids for transactions, quotes, and where a transaction stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from sdt.api import models
from sdt.api.callers import Caller
from sdt.api.declared import problems
from sdt.api.runtime import AnyCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.api.waiting import DONE, Waiting
from sdt.domain.message import NEVER_S, Transfer, format_time
from sdt.domain.rules import UNKNOWN, check_rules
from sdt.domain.transaction import FINAL, Status
from sdt.domain.transaction_id import RANDOM_BYTES, id_time_ms, parse_id
from sdt.store import Store, accounts, batches, transactions
from sdt.store.batches import BatchRow
from sdt.store.transactions import TransactionRow

__all__ = ["give_ids", "router", "status_of"]

router = APIRouter(route_class=StrictRoute, tags=["transactions"])


async def give_ids(services: Services, request: models.IdRequest, caller: Caller | None) -> models.Ids:
    """Give ids without writing anything: an id is recognised by itself when it comes back."""
    now_ms = services.now_ms()
    ids = [services.ids.issue(now_ms, services.random(RANDOM_BYTES)) for _ in range(request.count)]
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


async def status_of(
    services: Services, waiting: Waiting, transaction_id: str, wait_s: float, caller: Caller | None
) -> models.Transaction:
    """Return where a transaction stands, after waiting at most `wait_s` for its result.

    Errors: Invalid, NotFound for an id that was never given.
    """
    services.ids.check(parse_id(transaction_id))
    row = await services.store.read(transactions.get, transaction_id)
    if wait_s > 0 and (row is None or row.status not in DONE):
        await waiting.until_done(transaction_id, min(wait_s, services.limits.wait_s_max))
        row = await services.store.read(transactions.get, transaction_id)
    if row is None:
        return _unused(services, transaction_id)
    batch = None
    if row.batch_number is not None:
        batch = await services.store.read(_batch, row.batch_number)
    return _shown(row, batch, caller)


def _batch(store: Store, number: int) -> BatchRow | None:
    return batches.get(store, number)


def _unused(services: Services, transaction_id: str) -> models.Transaction:
    expires_at_s = id_time_ms(transaction_id) // 1000 + services.region.acceptance_window_s
    expired = services.now_s > expires_at_s
    status = Status.EXPIRED if expired else Status.REQUESTED
    return models.Transaction(
        transaction_id=transaction_id,
        status=status.value,
        final=expired,
        expires_at=format_time(expires_at_s),
    )


def _shown(row: TransactionRow, batch: BatchRow | None, caller: Caller | None) -> models.Transaction:
    party = caller is not None and caller.is_party(row.kid, (row.account, row.counterparty))
    sent = batch.chain_tx_hash if batch else None
    return models.Transaction(
        transaction_id=row.id,
        status=row.status.value,
        type=row.type,
        final=row.status in FINAL,
        accepted_at=format_time(row.accepted_at_ms // 1000),
        updated_at=format_time(row.updated_at_ms // 1000),
        code=row.code,
        detail=row.detail,
        rule=row.rule,
        statute=row.statute,
        effective=row.effective,
        batch_number=row.batch_number,
        position=row.position,
        chain_transaction="0x" + bytes(sent).hex() if sent else None,
        block=batch.block_number if batch else None,
        details=_details(row) if party else None,
    )


def _details(row: TransactionRow) -> models.TransactionDetails:
    return models.TransactionDetails(
        kid=row.kid,
        account=row.account,
        counterparty=row.counterparty,
        token=row.token,
        amount=str(row.units),
        fee=str(row.fee_units),
        issued_at=format_time(row.issued_at_s),
        expires_at=format_time(row.expires_at_s) if row.expires_at_s < NEVER_S else None,
        digest=bytes(row.digest).hex(),
        message=bytes(row.raw).decode("ascii"),
        linked_id=row.linked_id,
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
    return await status_of(runtime.services, runtime.waiting, transaction_id, wait, caller)
