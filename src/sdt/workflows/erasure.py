"""Erasing a person: their key is deleted when the law allows and two officers say so; and the orders that forbid it.

Ledger, messages, acts and digests stand, for they name nobody. What else holds sealed bytes is cleared by the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from sdt.domain.errors import Conflict, NotFound
from sdt.domain.identity_acts import ErasePerson, LegalHold, LiftLegalHold
from sdt.domain.registry import Role
from sdt.domain.retention import Relationship, kept
from sdt.domain.transaction import FINAL, Status
from sdt.store import (
    Store,
    accounts,
    banking,
    blocked,
    cases,
    documents,
    former_parties,
    ledger,
    legal_holds,
    outbox,
    person_keys,
    sanctions,
)
from sdt.store.accounts import UserRow
from sdt.store.legal_holds import LegalHoldRow
from sdt.store.standing import STATUS, UPDATED_AT_MS
from sdt.workflows.office import Acting, Entry
from sdt.workflows.sanctions import BLOCKED

__all__ = ["ENTRIES", "TOPIC", "relationship_of"]

TOPIC: Final = "erasure"
"""The outbox's topic: what the worker clears after a person was erased."""


def relationship_of(store: Store, user: UserRow, *, reports: bool) -> Relationship:
    """Return what there was with a person; `reports` that were filed about them for the compliance role alone.

    Errors: Conflict (relationship_open) while it is not over.
    """
    account = user.account
    if any(balance.posted or balance.held for balance in ledger.balances(store, account)):
        raise Conflict("The account still holds tokens.", code="relationship_open")
    last_ms, count, open_ = _transactions(store, account)
    if open_:
        raise Conflict("A transaction of the account is under way.", code="relationship_open")
    if ledger.is_uneven(store, account) or blocked.of_account(store, account):
        raise Conflict("Something is still owed to the account, or by it.", code="relationship_open")
    if sanctions.standing_of(store, account) == BLOCKED:
        raise Conflict("The account is in review.", code="relationship_open")
    attested_s = max((i.expires_at_s for i in accounts.identities_of(store, account) if i.tier), default=0)
    # Records of what was blocked are kept from the day on which it no longer is.
    ended_s = max(max(last_ms, user.created_at_ms, blocked.last_ended_ms(store, account)) // 1000, attested_s)
    return Relationship(
        datetime.fromtimestamp(ended_s, UTC).date(),
        bool(banking.accounts_of(store, user.user_id)),
        count > 0,
        cases.last_filed_on(store, account) if reports else None,
    )


def _transactions(store: Store, account: str) -> tuple[int, int, bool]:
    """Return when the last transaction of an account moved, how many moved value, and whether one is under way."""
    found = store.rows(
        f"SELECT type, standing, max(at_ms), count(*) FROM (SELECT type, {STATUS} AS standing, "  # noqa: S608
        f"{UPDATED_AT_MS} AS at_ms FROM transactions WHERE account = ? OR counterparty = ?) AS theirs "
        "GROUP BY type, standing",
        (account, account),
    )
    value = ("transfer", "deposit", "redeem", "exchange", "issue")
    ended = {status.value for status in FINAL}
    last_ms = max((int(at) for _, _, at, _ in found), default=0)
    count = sum(int(n) for type, _, _, n in found if type in value)
    under_way = any(s not in ended and not (t == "transfer" and s == Status.SETTLED) for t, s, _, _ in found)
    return last_ms, count, under_way


def _user(acting: Acting, account: str) -> UserRow:
    user = accounts.user_by_account(acting.store, account)
    if user is None:
        raise NotFound("Nobody has this account.", code="unknown_user")
    return user


def _may_erase(acting: Acting, act: ErasePerson) -> bool:
    _check(acting, act)
    return True


def _check(acting: Acting, act: ErasePerson) -> UserRow:
    user = _user(acting, act.account)
    keys = person_keys.of_account(acting.store, act.account)
    if keys is not None and keys.erased_at_ms is not None:
        raise Conflict("This person was erased already.", code="erased_already")
    if legal_holds.of_account(acting.store, act.account, standing=True):
        raise Conflict("An order forbids it: lift the legal hold first.", code="legal_hold")
    if cases.unsettled(acting.store, act.account):
        raise Conflict("A case about this account is open.", code="relationship_open")
    day, duty, since = kept(relationship_of(acting.store, user, reports=True))
    if _today(acting) < day:
        raise Conflict(
            f"What is known of this person is kept until {day}.",
            code="retention",
            rule=f"retention-{duty.name}",
            statute=duty.statute,
            effective=since.isoformat(),
        )
    return user


def _today(acting: Acting) -> date:
    return datetime.fromtimestamp(acting.now_ms / 1000, UTC).date()


def _erase(acting: Acting, act: ErasePerson) -> Mapping[str, Any]:
    user, store = _check(acting, act), acting.store
    if not person_keys.erase(store, user.user_id, acting.now_ms):
        person_keys.add_erased(store, user.user_id, acting.now_ms)
    accounts.set_person(store, user.account, None)
    former_parties.forget(store, user.account)
    banking.forget_details(store, user.user_id)
    files = documents.forget_all(store, user.account)
    outbox.put(store, TOPIC, user.user_id, {"files": files}, acting.now_ms)
    return {"account": user.account, "erased": True, "documents": len(files)}


def _hold(acting: Acting, act: LegalHold) -> Mapping[str, Any]:
    _user(acting, act.account)
    legal_holds.place(
        acting.store,
        LegalHoldRow(acting.act_id, act.account, act.order, act.authority, acting.officer.kid, acting.now_ms),
    )
    return {"account": act.account, "hold": acting.act_id}


def _may_lift(acting: Acting, act: LiftLegalHold) -> bool:
    hold = legal_holds.get(acting.store, act.hold)
    if hold is None or hold.account != act.account or hold.lifted_act is not None:
        raise NotFound("No such hold stands on this account.", code="unknown_hold")
    return True


def _lift(acting: Acting, act: LiftLegalHold) -> Mapping[str, Any]:
    _may_lift(acting, act)
    legal_holds.lift(acting.store, act.hold, acting.act_id, acting.now_ms)
    return {"account": act.account, "hold": act.hold, "lifted": True}


_OFFICER: Final = Role.COMPLIANCE_OFFICER
_SECOND: Final = Role.COMPLIANCE_OFFICER | Role.APPROVER | Role.ADMINISTRATOR
ENTRIES: Final = (
    Entry(ErasePerson, _OFFICER, _erase, _may_erase, seconds=_SECOND),
    # One officer suffices to keep; it takes two to let go.
    Entry(LegalHold, _OFFICER, _hold),
    Entry(LiftLegalHold, _OFFICER, _lift, _may_lift, seconds=_SECOND),
)
