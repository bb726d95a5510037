"""What waits for a role's desk. A desk checks the evidence at its source itself, and acts by a signed message.

Nothing here is to be believed for its own sake: it says where to look, and what there is to sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query

from sdt.api import models
from sdt.api.declared import problems
from sdt.api.desk_identities import identity_tasks, papers
from sdt.api.region import token_report
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.claims import day_of
from sdt.domain.message import format_time, read_message
from sdt.domain.office import ActStatus
from sdt.domain.registry import Role
from sdt.domain.transaction import Status
from sdt.store import Store, banking, office, reserve_moves, transactions
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import TransactionRow
from sdt.workflows.ach_reversal import taken_back
from sdt.workflows.adjusting import adjustments_due
from sdt.workflows.cover import cover_of

__all__ = ["custodian_tasks", "router", "tasks_of"]

TASKS_MAX: Final = 500
_SETTLED: Final = (EntryStatus.SETTLED, EntryStatus.WINDOW_PASSED)
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


async def tasks_of(services: Services, desk: DeskName, limit: str | None = None) -> list[Task]:
    """Return what waits for a desk, the oldest first; of custodian and issuer, of the one token they are limited to."""
    if desk not in ("custodian", "issuer"):
        return await services.store.read(identity_tasks if desk == "kyc_desk" else _to_approve)
    tasks = await (services.store.read(custodian_tasks, limit) if desk == "custodian" else _to_issue(services, limit))
    tokens = [token.symbol for token in services.region.tokens if limit in (None, token.symbol)]
    return tasks + [await _reserve(services, symbol) for symbol in tokens]


def custodian_tasks(store: Store, token: str | None = None) -> list[Task]:
    """Deposits that wait for their value, and the book transfers that the books ask for: of one token or all."""
    return _deposits(store, token) + _moves(store, token)


_NEUTRAL: Final = {"blocked": "apart", "freed": "back", "unblocked": "deposit"}
"""What a custodian reads of it: where dollars go, and never that it is for a suspicion."""


def _moves(store: Store, token: str | None) -> list[Task]:
    """Book transfers between our own accounts: what each is for, and the bank's entry that is the evidence of it."""
    moves = reserve_moves.open_moves(store, TASKS_MAX, token)
    ids = [move.transaction_id for move in moves]
    rows, entries = transactions.get_many(store, ids), _entries(store, ids)
    return [
        {
            "kind": "reserve_move",
            "transaction_id": move.transaction_id,
            "type": rows[move.transaction_id].type,
            "account": rows[move.transaction_id].account,
            "direction": _NEUTRAL.get(move.direction, move.direction),
            "nth": move.nth,
            "token": move.token,
            "amount": str(move.units),
            "reason": _neutral(move.reason),
            "bank_entry": entries.get(move.transaction_id),
            "wanted_at": format_time(move.wanted_at_ms // 1000),
        }
        for move in moves
    ]


def _neutral(reason: str) -> str:
    word, dash, nth = reason.partition("-")
    return _NEUTRAL.get(word, word) + dash + nth


def _deposits(store: Store, token: str | None) -> list[Task]:
    """Deposits that wait: with what the bank says of the debit, and whether an issue is on its way."""
    waiting = transactions.mintable(store, TASKS_MAX, token)
    given_up = _reversed(store, [row.id for row in waiting])
    waiting = [row for row in waiting if row.id not in given_up]
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


def _reversed(store: Store, deposits: Sequence[str]) -> set[str]:
    """Return the deposits whose settled debit we are taking back: nothing is minted for them."""
    debits = [
        entry
        for entry in banking.entries_of(store, deposits)
        if entry.direction == "debit" and entry.status in _SETTLED
    ]
    taken = taken_back(store, [entry.id for entry in debits])
    return {entry.transaction_id for entry in debits if entry.id in taken}


def _entries(store: Store, deposits: Sequence[str]) -> dict[str, Task]:
    """Return what is known to have come in for deposits: the bank's entry, or the bar in the vault."""
    return {
        entry.transaction_id: {
            "entry": entry.external_id,
            "status": entry.status,
            "code": entry.code,
            "amount": str(entry.units),
            "given": _given(store, entry),
        }
        for entry in banking.entries_of(store, deposits)
    }


def _given(store: Store, entry: BankEntryRow) -> Task | None:
    """Return the papers of the act by which officers gave currency to a deposit; None where its own slip names it."""
    if not entry.id.startswith("currency:") or not entry.external_id:
        return None
    acts = office.page(store, ["settle_surplus"], status=ActStatus.AGREED, subject=entry.external_id)
    of_this = [act for act in acts if act.found.get("deposit") == entry.transaction_id]
    return papers(store, of_this[0].id) if of_this else None


async def _to_issue(services: Services, limit: str | None) -> list[Task]:
    """Deposits to mint, as far as what may come back is covered, and what a bank undid and waits to be set right.

    A shortfall of cover stops minting by ACH and nothing else.
    """
    region, now_ms = services.region, services.now_ms()
    dollars = [token.symbol for token in region.tokens if token.domain == "dollar" and limit in (None, token.symbol)]
    tasks = [task for task in await services.store.read(_deposits, limit) if task["issue"] is None]
    for symbol in dollars:
        cover = await services.store.read(cover_of, region, symbol, day_of(now_ms))
        if cover.short:
            tasks = [task for task in tasks if task["token"] != symbol]
        due = await services.store.read(adjustments_due, region, symbol, now_ms // 1000)
        entries = await services.store.read(_entries, [one.original for one in due])
        tasks += [
            {"kind": "adjust", **one._asdict(), "amount": str(one.amount), "bank_entry": entries.get(one.original)}
            for one in due
        ]
    return tasks


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
    rows = transactions.held_as(store, "approval_required", TASKS_MAX)
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


@router.get("/v1/desk/tasks", summary="A desk's work", responses=problems(401, 403), operation_id="getDeskTasks")
async def _tasks(
    runtime: Running, caller: KnownCaller, role: Annotated[DeskName, Query(examples=["kyc_desk"])]
) -> models.Tasks:
    """Answer with what waits for the role; the proof is by a key that holds it.

    A custodian's or issuer's key that is limited to one token reads that token's.
    """
    caller.holds(_ROLES[role])
    services = runtime.services
    return models.Tasks(role=role, tasks=await tasks_of(services, role, caller.limit(services.region)))
