"""Who holds which official's key: maker and checker are two people and not two keys, as far as two officers said so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta

from sdt.domain.claims import Reason
from sdt.domain.errors import NotFound, Unprocessable
from sdt.domain.office import Act
from sdt.domain.registry import Role
from sdt.store import key_holders, registry
from sdt.workflows.office import EVERY_OFFICER, Acting, Entry

__all__ = ["ENTRIES", "NameHolder"]


class NameHolder(Act, frozen=True, tag="name_holder"):
    """A person holds an official's key: `holder` is their number with the State's personnel office, never a name."""

    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
    holder: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")]
    reason: Reason

    @property
    def subject(self) -> str:
        """The key."""
        return self.key


def _nameable(acting: Acting, act: NameHolder) -> bool:
    """Errors: NotFound for a key nobody registered; Unprocessable for a client's."""
    row = registry.key(acting.store, act.key)
    if row is None:
        raise NotFound("No key with this kid is registered.", code="not_found")
    if not registry.key_facts(row).roles & EVERY_OFFICER:
        raise Unprocessable("This is no official's key.", code="wrong_role")
    return True


def _name(acting: Acting, act: NameHolder) -> Mapping[str, Any]:
    _nameable(acting, act)
    key_holders.put(acting.store, act.key, act.holder, acting.act_id, acting.now_ms)
    return {"key": act.key, "holder": act.holder}


ENTRIES: Final = (
    Entry(NameHolder, Role.ADMINISTRATOR, _name, _nameable, seconds=Role.ADMINISTRATOR | Role.COMPLIANCE_OFFICER),
)
