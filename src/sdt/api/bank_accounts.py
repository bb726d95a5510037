"""Bank accounts of users: kept sealed; messages name them by an opaque reference."""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path

from sdt.api import models
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.api.users import user_of
from sdt.domain.envelope import b64url
from sdt.domain.errors import Conflict, Unprocessable
from sdt.domain.personal import BankDetails, check_routing
from sdt.store import Store, banking, registry
from sdt.store.accounts import UserRow
from sdt.store.banking import BankAccountRow
from sdt.workflows.people import People

__all__ = ["BANK_ACCOUNTS_MAX", "link", "router", "shown"]

BANK_ACCOUNTS_MAX: Final = 10
"""Whoever holds one of them is screened each time that the account is."""

router = APIRouter(route_class=StrictRoute, tags=["bank accounts"])


async def link(services: Services, user: UserRow, given: models.BankAccountIn) -> models.BankAccount:
    """Link a bank account. The same one again gives the same reference: a repeated request does nothing.

    Errors: Unprocessable (routing_number); Conflict (too_many_bank_accounts).
    """
    if not check_routing(given.routing_number):
        raise Unprocessable("The routing number's check digit does not fit.", code="routing_number")
    details = BankDetails(**given.model_dump())
    return shown(await services.store.run(_link, services.people, user, details, services.now_ms()))


def _link(store: Store, people: People, user: UserRow, details: BankDetails, at_ms: int) -> BankAccountRow:
    registry.lock_account(store, user.account)
    key = people.key(store, user.account, at_ms)
    ref = _reference(key, details)
    linked = banking.accounts_of(store, user.user_id)
    for known in linked:
        # Those from before people had keys of their own have references of another making.
        if known.ref == ref or _reference(key, people.details(store, user.account, known.details_sealed)) == ref:
            return known
    if len(linked) >= BANK_ACCOUNTS_MAX:
        raise Conflict(f"{BANK_ACCOUNTS_MAX} bank accounts are linked already.", code="too_many_bank_accounts")
    row = BankAccountRow(
        ref=ref,
        user_id=user.user_id,
        account=user.account,
        details_sealed=people.seal(store, user.account, details, at_ms),
        mask=f"…{details.account_number[-4:]}",
        status="linked",
        created_at_ms=at_ms,
    )
    banking.link_account(store, row)
    return row


def _reference(key: bytes, details: BankDetails) -> str:
    """Return a name that tells nothing and is the same for the same account: keyed, so that nobody can try numbers."""
    identity = f"{details.routing_number}\n{details.account_number}\n{details.kind}"
    digest = hmac.digest(key, b"bank account\n" + identity.encode(), hashlib.sha256)
    return b64url(digest[:18]).decode()


def shown(row: BankAccountRow) -> models.BankAccount:
    """Return a bank account as its holder sees it."""
    return models.BankAccount(ref=f"bank:{row.ref}", mask=row.mask, status=row.status)


@router.post(
    "/v1/users/{user_id}/bank-accounts",
    status_code=201,
    summary="Link a bank account",
    responses=problems(401, 403, 404, 409, 415, 422),
    operation_id="linkBankAccount",
)
async def _post(
    runtime: Running,
    caller: KnownCaller,
    user_id: Annotated[str, Path(examples=["me"])],
    request: Annotated[models.BankAccountIn, Body()],
) -> models.BankAccount:
    """Link a bank account and answer with the reference that a deposit or redemption names."""
    caller.manages()
    user = await user_of(runtime.services, caller, user_id)
    return await link(runtime.services, user, request)


@router.get(
    "/v1/users/{user_id}/bank-accounts",
    summary="Linked bank accounts",
    responses=problems(401, 403, 404),
    operation_id="getBankAccounts",
)
async def _get(
    runtime: Running, caller: KnownCaller, user_id: Annotated[str, Path(examples=["me"])]
) -> models.BankAccounts:
    """Answer with the caller's linked bank accounts."""
    user = await user_of(runtime.services, caller, user_id)
    rows = await runtime.services.store.read(banking.accounts_of, user.user_id)
    return models.BankAccounts(bank_accounts=[shown(row) for row in rows])
