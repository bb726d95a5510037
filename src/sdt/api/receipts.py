"""Receipts: who may have one, of what there is none, and the file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from sdt.api import models
from sdt.api.callers import Caller
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running, Runtime
from sdt.api.strict_route import StrictRoute
from sdt.domain.errors import Conflict, Forbidden, NotFound
from sdt.domain.receipt import file_name
from sdt.domain.registry import Role
from sdt.domain.transaction import FINAL, Status
from sdt.domain.transaction_id import parse_id
from sdt.store import Store, batches, transactions
from sdt.store.batches import BatchRow
from sdt.store.transactions import TransactionRow

__all__ = ["receipt_of", "router"]

router = APIRouter(route_class=StrictRoute, tags=["transactions"])


async def receipt_of(runtime: Runtime, transaction_id: str, caller: Caller) -> bytes:
    """Return the file that proves what became of a transaction on chain.

    Errors: Invalid, NotFound; Forbidden for who is neither party nor compliance officer; Conflict while there is no
    receipt, or none to come; Unavailable when the chain node does not answer, or what it answers proves nothing.
    """
    services = runtime.services
    found = await services.store.read(_found, parse_id(transaction_id))
    if found is None:
        # Only now: a receipt outlives the keys that mark ids.
        services.ids.check(transaction_id)
        raise NotFound("Nothing was sent under this id.", code="no_message")
    row, batch = found
    if not (caller.is_party(row.kid, (row.account, row.counterparty)) or caller.key.roles & Role.COMPLIANCE_OFFICER):
        raise Forbidden("You are no party to this transaction.", code="not_yours")
    if row.type in ("deposit", "approve"):
        proven_by = await services.store.read(_proven_by, row)
        raise Conflict(
            f"A message of type {row.type} is no item of a batch; what it led to has a receipt.",
            code="receipt_elsewhere",
            receipt_of=proven_by,
        )
    if batch is None or batch.status != "final" or row.position is None:
        if row.status in FINAL and row.status is not Status.COMPLETED:
            raise Conflict(f"It was {row.status.value} before it reached the chain.", code="receipt_none")
        raise Conflict(f"It is {row.status.value}, and not final on chain yet.", code="receipt_not_yet")
    return await runtime.receipts.make(row, batch)


def _found(store: Store, id: str) -> tuple[TransactionRow, BatchRow | None] | None:
    row = transactions.get(store, id)
    if row is None:
        return None
    return row, None if row.batch_number is None else batches.get(store, row.batch_number)


def _proven_by(store: Store, row: TransactionRow) -> str | None:
    """Return the id of the item that a deposit or an approval led to, None while there is none."""
    if row.type == "approve":
        return row.linked_id
    issues = [one for one in transactions.linked_to(store, row.id) if one.type == "issue"]
    return next((one.id for one in issues if one.status in (Status.SETTLED, Status.COMPLETED)), None)


@router.get(
    "/v1/transactions/{transaction_id}/receipt",
    summary="The receipt of a transaction",
    responses={
        200: {
            "description": "The file. Keep it byte for byte.",
            "headers": {"Content-Disposition": {"schema": {"type": "string"}, "description": "How to call the file."}},
        },
        **problems(401, 403, 404, 409),
    },
    response_model=models.ReceiptFile,
    operation_id="getReceipt",
)
async def _receipt(
    runtime: Running,
    caller: KnownCaller,
    transaction_id: Annotated[str, Path(examples=["019a8f2e-1c00-7a3b-8c4d-5e6f708192a3"])],
) -> Response:
    """Answer with one file that proves, offline, that this message was settled (or skipped) in that block.

    Check it with `sdt receipt verify`; docs/receipts.md says what it proves. For parties and compliance officers.
    """
    file = await receipt_of(runtime, transaction_id, caller)
    disposition = f'attachment; filename="{file_name(transaction_id)}"'
    return Response(file, 200, {"Content-Disposition": disposition}, "application/json")
