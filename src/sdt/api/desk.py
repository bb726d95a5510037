"""What waits for a role's desk. A desk checks the evidence at its source itself, and acts by a signed message.

Nothing here is to be believed for its own sake: it says where to look, and what there is to sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query

from sdt.api import models
from sdt.api.declared import problems
from sdt.api.desk_identities import identity_tasks
from sdt.api.region import token_report
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.message import format_time, read_message
from sdt.domain.registry import Role
from sdt.domain.transaction import Status
from sdt.store import Store, banking, transactions
from sdt.store.transactions import TransactionRow

__all__ = ["router", "tasks_of"]

TASKS_MAX: Final = 500
DeskName = Literal["kyc_desk", "custodian", "issuer", "approver"]
Task = dict[str, Any]
router = APIRouter(route_class=StrictRoute, tags=["desks"])

_ROLES: Final = {
    "kyc_desk": Role.KYC_DESK,
    "custodian": Role.CUSTODIAN,
    "issuer": Role.ISSUER,
    # Whoever may approve sees what waits for an approval of theirs.
    "approver": Role.APPROVER | Role.ADMINISTRATOR,
}


async def tasks_of(services: Services, desk: DeskName) -> list[Task]:
    """Return what waits for a desk, the oldest first."""
    tasks = await services.store.read(_QUERIES[desk])
    if desk in ("custodian", "issuer"):
        tasks += [await _reserve(services, token.symbol) for token in services.region.tokens]
    return tasks


def _for_custodian(store: Store) -> list[Task]:
    """Deposits that wait for their value, and redemptions that are burnt and not yet paid out or handed over."""
    return _deposits(store) + [_value_task("redemption", row) for row in _settled_redemptions(store)]


def _settled_redemptions(store: Store) -> list[TransactionRow]:
    return [row for row in transactions.in_status(store, Status.SETTLED, TASKS_MAX) if row.type == "redeem"]


def _deposits(store: Store) -> list[Task]:
    """Deposits that wait: with what the bank says of the debit, and whether an issue is on its way."""
    waiting = transactions.in_status(store, Status.AWAITING_FUNDS, TASKS_MAX)
    entries = _entries(store, [row.id for row in waiting])
    tasks = []
    for row in waiting:
        issues = [
            linked.id
            for linked in transactions.linked_to(store, row.id)
            if linked.type == "issue" and linked.status not in (Status.REJECTED, Status.EXPIRED)
        ]
        tasks.append(
            _value_task("deposit", row) | {"bank_entry": entries.get(row.id), "issue": issues[0] if issues else None}
        )
    return tasks


def _entries(store: Store, deposits: Sequence[str]) -> dict[str, Task]:
    """Return what is known to have come in for deposits: the bank's entry, or the bar in the vault."""
    return {
        entry.transaction_id: {"entry": entry.external_id, "status": entry.status, "code": entry.code}
        for entry in banking.entries_of(store, deposits)
    }


def _to_issue(store: Store) -> list[Task]:
    return [task for task in _deposits(store) if task["issue"] is None]


def _value_task(kind: str, row: TransactionRow) -> Task:
    message = read_message(bytes(row.raw)).message
    return {
        "kind": kind,
        "transaction_id": row.id,
        "account": row.account,
        "token": row.token,
        "amount": str(row.units),
        "reference": message.source if kind == "deposit" else message.destination,
        "accepted_at": format_time(row.accepted_at_ms // 1000),
        "updated_at": format_time(row.updated_at_ms // 1000),
        "digest": bytes(row.digest).hex(),
        "message": bytes(row.raw).decode("ascii"),
    }


def _to_approve(store: Store) -> list[Task]:
    """Messages held for a second officer: the very bytes, so that the officer reads what is approved."""
    rows = [r for r in transactions.in_status(store, Status.HELD, TASKS_MAX) if r.code == "approval_required"]
    entries = _entries(store, [row.linked_id for row in rows if row.linked_id])
    return [
        {
            "kind": "approval",
            "transaction_id": row.id,
            "type": row.type,
            "digest": bytes(row.digest).hex(),
            "message": bytes(row.raw).decode("ascii"),
            "linked_id": row.linked_id,
            "bank_entry": entries.get(row.linked_id or ""),
            "accepted_at": format_time(row.accepted_at_ms // 1000),
        }
        for row in rows
    ]


async def _reserve(services: Services, symbol: str) -> Task:
    report = await token_report(services, symbol)
    reserve = report.reserve.model_dump() if report.reserve else None
    return {"kind": "reserve", "token": symbol, "supply": report.supply, "reserve": reserve}


_QUERIES: Final[dict[str, Callable[[Store], list[Task]]]] = {
    "kyc_desk": identity_tasks,
    "custodian": _for_custodian,
    "issuer": _to_issue,
    "approver": _to_approve,
}


@router.get("/v1/desk/tasks", summary="A desk's work", responses=problems(401, 403), operation_id="getDeskTasks")
async def _tasks(
    runtime: Running, caller: KnownCaller, role: Annotated[DeskName, Query(examples=["kyc_desk"])]
) -> models.Tasks:
    """Answer with what waits for the role; the proof is by a key that holds it."""
    caller.holds(_ROLES[role])
    return models.Tasks(role=role, tasks=await tasks_of(runtime.services, role))
