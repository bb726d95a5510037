"""Users: registration, what is established of them, their handle and their keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path

from sdt.api import models, models_identity
from sdt.api.admission import authenticate, check_act, check_id, row_of
from sdt.api.callers import Caller
from sdt.api.declared import problems
from sdt.api.intake import other_bytes
from sdt.api.parties import business_of, person_of
from sdt.api.runtime import KnownCaller, Running, Runtime
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.envelope import b64url, open_envelope
from sdt.domain.errors import Conflict, Invalid, NotFound
from sdt.domain.handle import is_handle, normalised
from sdt.domain.identity import shown
from sdt.domain.key_scope import scope_of
from sdt.domain.message import NEVER_S, Register, Signed, format_time
from sdt.domain.personal import Business, Party
from sdt.domain.transaction import Status
from sdt.store import Store, accounts, person_keys, transactions
from sdt.store.accounts import KeyRow, UserRow
from sdt.store.intake import AcceptedRow, insert_accepted
from sdt.workflows.handles import check_handle
from sdt.workflows.people import People

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["users"])


async def register(runtime: Runtime, text: str, party: Party) -> models.Registration:
    """Store a registration and the sealed party in one commit, and queue the message.

    Errors: as for every message; Conflict when the user_id, account, handle or key is taken; Forbidden for a handle
    that passes for an office.
    """
    services = runtime.services
    envelope = open_envelope(text.encode())
    if envelope.type != "register":
        raise Invalid("The message is of another type than register.", code="request")
    signed, key = authenticate(envelope, None)
    check_id(signed, services.ids, None)
    status = await services.store.read(_sent_before, signed)
    if status is None:
        check_act(signed, key, services.region, services.network, services.now_s)
        runtime.backlog.check()
        row = row_of(signed, 0, services.now_ms())
        await services.store.run(_create, services.people, row, signed.message, party)
        runtime.dispatch.send([(row.id, row.account or row.kid)])
        status = Status.ACCEPTED
    message: Register = signed.message
    return models.Registration(
        user_id=message.user_id,
        account=message.account,
        handle=message.handle,
        transaction_id=message.transaction_id,
        status=status.value,
    )


def _sent_before(store: Store, signed: Signed) -> Status | None:
    """Return the status of this very message when it was stored before. Errors: Conflict for another one."""
    row = transactions.get(store, signed.message.transaction_id)
    if row is None:
        return None
    if bytes(row.digest) != signed.digest:
        raise other_bytes()
    return row.status


def _create(store: Store, people: People, row: AcceptedRow, message: Register, party: Party) -> None:
    check_handle(store, message.handle, message.account)
    if accounts.key(store, row.kid) is not None:
        raise Conflict("This key is registered already.", code="user_taken")
    try:
        accounts.create_user(
            store,
            UserRow(
                user_id=message.user_id,
                account=message.account,
                handle=message.handle,
                residency=message.residency,
                created_at_ms=row.accepted_at_ms,
            ),
        )
    except Conflict as error:
        raise Conflict(error.detail, code="user_taken") from error
    accounts.set_person(store, message.account, people.seal(store, message.account, party, row.accepted_at_ms))
    (stored,) = insert_accepted(store, [row])
    if stored.outcome == "conflict":
        raise other_bytes()


async def user_of(services: Services, caller: Caller, user_id: str) -> UserRow:
    """Return the caller's own user; `me` names it too. Errors: Forbidden, NotFound."""
    own = None
    if caller.account:
        own = await services.store.read(accounts.user_by_account, caller.account)
    if user_id not in ("me", own.user_id if own else ""):
        # Whether another user_id exists is nobody's business.
        caller.owns("another")
    if own is None:
        raise NotFound("This key belongs to no user.", code="unknown_user")
    return own


@router.post(
    "/v1/users",
    status_code=202,
    summary="Register a user",
    responses=problems(401, 403, 404, 409, 415, 422, 429),
    operation_id="registerUser",
)
async def _register(runtime: Running, request: Annotated[models.NewUser, Body()]) -> models.Registration:
    """Take a `register` message, signed by the key it registers, with the data that the identity check needs."""
    return await register(runtime, request.message, person_of(runtime.services, request.person))


@router.post(
    "/v1/businesses",
    status_code=202,
    summary="Register a business",
    responses=problems(401, 403, 404, 409, 415, 422, 429),
    operation_id="registerBusiness",
)
async def _register_business(
    runtime: Running, request: Annotated[models_identity.NewBusiness, Body()]
) -> models.Registration:
    """Take a `register` message with the business it is for, who controls it, and its beneficial owners."""
    return await register(runtime, request.message, business_of(runtime.services, request.business))


@router.get(
    "/v1/users/{user_id}",
    summary="A user",
    responses=problems(401, 403, 404),
    operation_id="getUser",
)
async def _get(runtime: Running, caller: KnownCaller, user_id: Annotated[str, Path(examples=["me"])]) -> models.User:
    """Answer what is established of the caller. `me` is whoever signs the proof."""
    services = runtime.services
    user = await user_of(services, caller, user_id)
    now_s = services.now_s
    identities = await services.store.read(accounts.identities_of, user.account)
    freezes = await services.store.read(accounts.freezes_of, user.account)
    keys = await services.store.read(person_keys.of_account, user.account)
    party = await services.people.party(user.account)
    return models.User(
        user_id=user.user_id,
        account=user.account,
        handle=user.handle,
        residency=user.residency,
        registered=user.registered,
        kyc_status=user.kyc_status,
        kyc_reasons=[reason.code for reason in shown(user.kyc_reasons)],
        identities=[
            models.Identity(domain=i.domain, tier=i.tier, resident=i.resident, expires_at=format_time(i.expires_at_s))
            for i in identities
        ],
        frozen=[freeze.token for freeze in freezes if now_s < freeze.expires_at_s],
        party=None if party is None else "business" if isinstance(party, Business) else "person",
        erased=keys is not None and keys.erased_at_ms is not None,
    )


@router.get(
    "/v1/users/{user_id}/keys",
    summary="A user's keys",
    responses=problems(401, 403, 404),
    operation_id="getUserKeys",
)
async def _keys(runtime: Running, caller: KnownCaller, user_id: Annotated[str, Path(examples=["me"])]) -> models.Keys:
    """Answer with all keys of the caller's account that are settled."""
    user = await user_of(runtime.services, caller, user_id)
    rows = await runtime.services.store.read(accounts.keys_of, user.account)
    return models.Keys(keys=[_key(runtime.services, row) for row in rows])


def _key(services: Services, row: KeyRow) -> models.Key:
    scope = scope_of(row.scope)
    return models.Key(
        kid=row.kid,
        public_key=b64url(bytes(row.public_key)).decode(),
        status=row.status,
        role=scope.role,
        token=None if scope.token is None else services.region.tokens[scope.token].symbol,
        expires_at=format_time(row.expires_at_s) if row.expires_at_s < NEVER_S else None,
        registered_by=row.registered_by,
    )


@router.get(
    "/v1/handles/{handle}",
    summary="The account of a handle",
    responses=problems(404, 422),
    operation_id="getHandle",
)
async def _handle(
    runtime: Running, handle: Annotated[str, Path(max_length=64, examples=["bob.tx"])]
) -> models.HandleBinding:
    """Answer with the account that a handle is bound to on chain. A payer signs both: neither can be swapped.

    What is asked is normalised first (PRECIS: width and case); `handle` is the spelling that counts. A handle that
    only looks like somebody's is nobody's.
    """
    spelt = normalised(handle)
    user = await runtime.services.store.read(accounts.user_by_handle, spelt) if is_handle(spelt) else None
    if user is None or not user.registered:
        raise NotFound("Nobody has this handle.", code="unknown_handle", handle=spelt)
    return models.HandleBinding(asked=handle, handle=user.handle, account=user.account)
