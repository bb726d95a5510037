"""Proof of a linked bank account: begun and confirmed by its holder."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path

from sdt.api import models, models_ach
from sdt.api.bank_accounts import shown
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.api.users import user_of
from sdt.domain.errors import NotFound
from sdt.domain.personal import Business
from sdt.store import Store, banking
from sdt.store.accounts import UserRow
from sdt.store.banking import BankAccountRow
from sdt.workflows import bank_proof

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["bank accounts"])
Ref = Annotated[str, Path(pattern=r"^(bank:)?[A-Za-z0-9_-]{1,64}$", examples=["bank:0dXk3vQe5v0yq0mY2l8r9w"])]


def _linked(store: Store, user: UserRow, ref: str) -> BankAccountRow:
    linked = banking.bank_account(store, ref.removeprefix("bank:"), lock=True)
    if linked is None or linked.account != user.account:
        raise NotFound("No such bank account is linked.", code="not_found")
    return linked


def _start(store: Store, user: UserRow, ref: str, method: bank_proof.Method, token: str, facts: Any) -> BankAccountRow:
    people, business, at_ms = facts
    return bank_proof.start(store, people, _linked(store, user, ref), method, token, business=business, at_ms=at_ms)


def _confirm(store: Store, user: UserRow, ref: str, cents: tuple[int, int], at_ms: int) -> BankAccountRow:
    return bank_proof.confirm(store, _linked(store, user, ref), cents, at_ms=at_ms)


def _dollar(services: Services) -> str:
    """The token whose clearing account sends and takes back the small amounts."""
    return next(token.symbol for token in services.region.tokens if token.domain == "dollar")


@router.post(
    "/v1/users/{user_id}/bank-accounts/{ref}/verification",
    status_code=202,
    summary="Begin to prove a bank account",
    responses=problems(401, 403, 404, 415, 422),
    operation_id="verifyBankAccount",
)
async def _begin(
    runtime: Running,
    caller: KnownCaller,
    user_id: Annotated[str, Path(examples=["me"])],
    ref: Ref,
    request: Annotated[models_ach.ProofIn, Body()],
) -> models.BankAccount:
    """Send two small credits to the account and take them back, or a prenote. One that is under way is left alone."""
    caller.manages()
    services = runtime.services
    user = await user_of(services, caller, user_id)
    business = isinstance(await services.people.party(user.account), Business)
    facts = (services.people, business, services.now_ms())
    return shown(await services.store.run(_start, user, ref, request.method, _dollar(services), facts))


@router.post(
    "/v1/users/{user_id}/bank-accounts/{ref}/verification/confirm",
    summary="Tell the two amounts",
    responses=problems(401, 403, 404, 409, 415, 422),
    operation_id="confirmBankAccount",
)
async def _tell(
    runtime: Running,
    caller: KnownCaller,
    user_id: Annotated[str, Path(examples=["me"])],
    ref: Ref,
    request: Annotated[models_ach.ConfirmIn, Body()],
) -> models.BankAccount:
    """Compare the two amounts: the account is `verified`, still `pending` when wrong, `failed` after three."""
    caller.manages()
    services = runtime.services
    user = await user_of(services, caller, user_id)
    cents = (request.first_cents, request.second_cents)
    return shown(await services.store.run(_confirm, user, ref, cents, services.now_ms()))
