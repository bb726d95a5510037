"""Where a transaction stands, as the API shows it: `models.Transaction`, member by member, without the framework."""

from __future__ import annotations

import asyncio
from typing import Any

from sdt.api.callers import Caller
from sdt.api.services import Services
from sdt.api.waiting import DONE, Waiting
from sdt.domain.message import NEVER_S, format_time
from sdt.domain.transaction import FINAL, Status
from sdt.domain.transaction_id import id_time_ms, parse_id
from sdt.store import Store, batches, transactions
from sdt.store.batches import BatchRow
from sdt.store.transactions import TransactionRow

__all__ = ["Shown", "standing_of"]

Shown = dict[str, Any]


async def standing_of(
    services: Services, waiting: Waiting, transaction_id: str, wait_s: float, caller: Caller | None
) -> Shown:
    """Return where a transaction stands, after waiting at most `wait_s` for its result.

    Errors: Invalid, NotFound for an id that was never given.
    """
    row = await services.store.read(transactions.get, parse_id(transaction_id))
    if row is None:
        # Only now: what was sent outlives the keys that mark ids. Beside the loop: a strange id has the vault asked.
        await asyncio.to_thread(services.ids.check, transaction_id)
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


def _unused(services: Services, transaction_id: str) -> Shown:
    expires_at_s = id_time_ms(transaction_id) // 1000 + services.region.acceptance_window_s
    expired = services.now_s > expires_at_s
    status = Status.EXPIRED if expired else Status.REQUESTED
    return _members(transaction_id, status, final=expired, expires_at=format_time(expires_at_s))


def _shown(row: TransactionRow, batch: BatchRow | None, caller: Caller | None) -> Shown:
    party = caller is not None and caller.is_party(row.kid, (row.account, row.counterparty))
    sent = batch.chain_tx_hash if batch else None
    return _members(
        row.id,
        row.status,
        final=row.status in FINAL,
        type=row.type,
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


def _members(transaction_id: str, status: Status, *, final: bool, **known: Any) -> Shown:
    """Return every member in the order of the model; what is not known is null."""
    shown: Shown = dict.fromkeys(_MEMBERS)
    shown |= {"transaction_id": transaction_id, "status": status.value, "final": final} | known
    return shown


_MEMBERS = (
    "transaction_id", "status", "type", "final", "accepted_at", "updated_at", "expires_at", "code", "detail", "rule",
    "statute", "effective", "batch_number", "position", "chain_transaction", "block", "details",
)  # fmt: skip


def _details(row: TransactionRow) -> Shown:
    return {
        "kid": row.kid,
        "account": row.account,
        "counterparty": row.counterparty,
        "token": row.token,
        "amount": str(row.units),
        "fee": str(row.fee_units),
        "issued_at": format_time(row.issued_at_s),
        "expires_at": format_time(row.expires_at_s) if row.expires_at_s < NEVER_S else None,
        "digest": bytes(row.digest).hex(),
        "message": bytes(row.raw).decode("ascii"),
        "linked_id": row.linked_id,
    }
