"""What waits for a role's desk. A desk checks the evidence at its source itself, and acts by a signed message.

Nothing here is to be believed for its own sake: it says where to look, and what there is to sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query

from sdt.api import models
from sdt.api.declared import problems
from sdt.api.region import token_report
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.message import format_time, read_message
from sdt.domain.registry import Role
from sdt.domain.transaction import Status
from sdt.store import Store, transactions
from sdt.store.models import LIVE
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


def _applications(store: Store) -> list[Task]:
    """Users whose application at the KYC vendor was handed in, and who are not attested for both domains."""
    rows = store.rows(
        "SELECT user_id, account, residency, kyc_application, kyc_status FROM users u "  # noqa: S608
        "WHERE kyc_application IS NOT NULL AND registered "
        "AND (SELECT COUNT(*) FROM identities i WHERE i.account = u.account) < 2 "
        "AND NOT EXISTS (SELECT 1 FROM transactions t WHERE t.counterparty = u.account "
        f"AND t.type = 'attest_identity' AND t.{LIVE}) "
        "ORDER BY created_at_ms LIMIT ?",
        (TASKS_MAX,),
    )
    names = ("user_id", "account", "residency", "application_id", "kyc_status")
    attested: dict[str, list[str]] = {}
    for account, domain in store.rows(
        f"SELECT account, domain FROM identities WHERE {store.among('account')}",  # noqa: S608
        (store.listed(row[1] for row in rows),),
    ):
        attested.setdefault(account, []).append(domain)
    return [
        {"kind": "application", **dict(zip(names, row, strict=True)), "attested": attested.get(row[1], [])}
        for row in rows
    ]


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


def _entries(store: Store, ids: Sequence[str]) -> dict[str, Task]:
    """Where the value of a deposit shows: the debit's entry at the bank, or the bar in the vault."""
    return {
        id_: {"entry": external_id, "status": status, "code": code}
        for id_, external_id, status, code in store.rows(
            "SELECT transaction_id, external_id, status, code FROM bank_entries "  # noqa: S608
            f"WHERE direction IN ('debit', 'in') AND {store.among('transaction_id')}",
            (store.listed(ids),),
        )
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
    rows = transactions.in_status(store, Status.HELD, TASKS_MAX)
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
        if row.code == "approval_required"
    ]


async def _reserve(services: Services, symbol: str) -> Task:
    report = await token_report(services, symbol)
    reserve = report.reserve.model_dump()
    return {"kind": "reserve", "token": symbol, "supply": report.supply, "reserve": reserve}


_QUERIES: Final[dict[str, Callable[[Store], list[Task]]]] = {
    "kyc_desk": _applications,
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
