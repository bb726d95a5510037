"""Users, and (re-exported) what the chain says of their accounts and keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sdt.domain.errors import Conflict
from sdt.domain.handle import skeleton
from sdt.store import sanctions
from sdt.store.database import Store
from sdt.store.registry import (
    FreezeRow,
    IdentityRow,
    KeyRow,
    clear_freeze,
    facts,
    freezes_of,
    identities_of,
    key,
    keys_of,
    keys_since,
    revoke_key,
    set_freeze,
    set_identity,
    upsert_key,
)

__all__ = [
    "FreezeRow",
    "IdentityRow",
    "KeyRow",
    "UserRow",
    "clear_freeze",
    "create_user",
    "facts",
    "forget_unregistered",
    "freezes_of",
    "identities_of",
    "key",
    "keys_of",
    "keys_since",
    "mark_registered",
    "revoke_key",
    "set_freeze",
    "set_identity",
    "set_kyc",
    "set_person",
    "upsert_key",
    "user_by_account",
    "user_by_application",
    "user_by_handle",
    "user_by_id",
]


class UserRow(NamedTuple):
    """One user. `registered` once the registration is final on chain; what identifies the person is sealed."""

    user_id: str
    account: str
    handle: str
    residency: str
    created_at_ms: int
    registered: bool = False
    person_sealed: bytes | None = None
    kyc_application: str | None = None
    kyc_status: str | None = None
    kyc_reasons: Sequence[str] = ()


_COLUMNS: Final = ", ".join(UserRow._fields)


def create_user(store: Store, row: UserRow) -> None:
    """Add a user.

    Errors: Conflict naming what is taken (user_id_taken, account_taken, handle_taken); handle_alike when somebody's
    handle looks the same.
    """
    looks = skeleton(row.handle)
    values = (*row[:-1], json.dumps(list(row.kyc_reasons)), looks)
    with store.transaction():
        written = store.execute(
            f"INSERT INTO users ({_COLUMNS}, skeleton) VALUES ({', '.join('?' * len(values))}) "  # noqa: S608
            "ON CONFLICT DO NOTHING",
            values,
        ).rowcount
        if written:
            return
        for column in ("handle", "account", "user_id"):
            if _user(store, column, getattr(row, column)):
                raise Conflict(f"This {column} belongs to somebody else.", code=f"{column}_taken")
        if _user(store, "skeleton", looks):
            raise Conflict("Somebody's handle looks the same.", code="handle_alike")
        raise AssertionError("an insert conflicted with nothing")


def user_by_id(store: Store, user_id: str) -> UserRow | None:
    """Return a user by the id the user gave."""
    return _user(store, "user_id", user_id)


def user_by_account(store: Store, account: str) -> UserRow | None:
    """Return the user of an address."""
    return _user(store, "account", account)


def user_by_handle(store: Store, handle: str) -> UserRow | None:
    """Return the user of a handle."""
    return _user(store, "handle", handle)


def user_by_application(store: Store, application: str) -> UserRow | None:
    """Return the user whose identity a KYC vendor examines under this number."""
    return _user(store, "kyc_application", application)


def open_applications(store: Store, status: str, limit: int = 500) -> list[str]:
    """Return the applications at the KYC vendor that stand so, the oldest first."""
    found = store.rows(
        "SELECT kyc_application FROM users WHERE kyc_application IS NOT NULL AND kyc_status = ? "
        "ORDER BY created_at_ms LIMIT ?",
        (status, limit),
    )
    return [application for (application,) in found]


def _user(store: Store, column: str, value: str) -> UserRow | None:
    found: Any = store.row(f"SELECT {_COLUMNS} FROM users WHERE {column} = ?", (value,))  # noqa: S608
    if not found:
        return None
    row = UserRow._make(found)
    return row._replace(registered=bool(row.registered), kyc_reasons=tuple(json.loads(found[-1])))


def set_kyc(store: Store, account: str, application: str | None, status: str, reasons: Sequence[str]) -> None:
    """Write where the examination of a user's identity stands."""
    _update(
        store,
        account,
        "kyc_application = ?, kyc_status = ?, kyc_reasons = ?",
        (application, status, json.dumps(list(reasons))),
    )


def set_person(store: Store, account: str, person_sealed: bytes | None) -> None:
    """Replace what identifies a user, sealed by the caller. Whoever they say to be now is screened anew."""
    with store.transaction():
        _update(store, account, "person_sealed = ?", (person_sealed,))
        sanctions.outdate(store, account)


def mark_registered(store: Store, account: str) -> None:
    """Note that the registration is final on chain."""
    _update(store, account, "registered = ?", (True,))


def _update(store: Store, account: str, sets: str, values: Sequence[object]) -> None:
    with store.transaction():
        changed = store.execute(f"UPDATE users SET {sets} WHERE account = ?", (*values, account)).rowcount  # noqa: S608
        assert changed == 1, f"there is no user with the account {account}"


def forget_unregistered(store: Store, account: str) -> bool:
    """Remove a user whose registration was refused, so that the handle is free again; return whether there was one."""
    with store.transaction():
        removed: int = store.execute(
            "DELETE FROM users WHERE account = ? AND registered = ?", (account, False)
        ).rowcount
        store.execute(
            "DELETE FROM person_keys WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = person_keys.user_id)"
        )
    return removed == 1
