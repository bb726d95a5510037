"""Who may register which handle: what passes for an office of the State takes two officers' leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdt.domain.errors import Conflict, Forbidden
from sdt.domain.handle import is_reserved
from sdt.domain.identity_acts import GrantHandle
from sdt.domain.registry import Role
from sdt.store import Store, accounts, handle_grants
from sdt.workflows.office import Acting, Entry

__all__ = ["ENTRIES", "check_handle"]


def check_handle(store: Store, handle: str, account: str) -> None:
    """Refuse a handle that passes for an office, unless officers allowed it. Errors: Forbidden (handle_reserved)."""
    if is_reserved(handle) and not handle_grants.allowed(store, handle, account):
        raise Forbidden("This handle passes for an office of the State.", code="handle_reserved")


def _may_grant(acting: Acting, act: GrantHandle) -> bool:
    if accounts.user_by_handle(acting.store, act.handle) is not None:
        raise Conflict("This handle is somebody's.", code="user_taken")
    return True


def _grant(acting: Acting, act: GrantHandle) -> Mapping[str, Any]:
    _may_grant(acting, act)
    handle_grants.grant(acting.store, act.handle, act.account, acting.act_id, acting.now_ms)
    return {"handle": act.handle, "account": act.account}


ENTRIES: Final = (Entry(GrantHandle, Role.ADMINISTRATOR | Role.COMPLIANCE_OFFICER, _grant, _may_grant),)
