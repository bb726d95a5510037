"""An office act carried out: checked, judged by its area's handler, and stored, all in one database transaction.

A handler that raises leaves nothing behind, the act included: the officer is told why and may sign another. What must
happen outside the database goes through the outbox.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sdt.domain.authority import KeyFacts, covered_tokens
from sdt.domain.envelope import Envelope, open_envelope
from sdt.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sdt.domain.office import (
    ACT_LIFE_S,
    Act,
    ActStatus,
    Agree,
    Decline,
    SignedAct,
    check_act,
    check_officer,
    read_act,
)
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.store import Store, key_holders, office, registry
from sdt.store.office import ActRow

__all__ = ["Acting", "Entry", "Office", "act_types", "of_token"]

EVERY_OFFICER: Final = ~Role.CLIENT


@dataclass(frozen=True, slots=True)
class Acting:
    """What a handler works with, inside the database transaction of the act.

    `second` is the officer who agreed; None while an act is judged that needs none, or whether it needs one.
    """

    store: Store
    region: Region
    now_ms: int
    act_id: str
    digest: bytes
    officer: KeyFacts
    second: KeyFacts | None = None

    @property
    def actor(self) -> str:
        """How logs of cases and books name the officer."""
        return f"office:{self.officer.kid}"

    def covers(self, token: str | None) -> bool:
        """Return whether no officer's role is limited to another token; what is about none is about every one."""
        keys = [key for key in (self.officer, self.second) if key is not None and key.scope]
        return all(token in covered_tokens(key, self.region) for key in keys)

    def check_token(self, token: str) -> None:
        """Refuse officers whose role is limited to another token. Errors: Forbidden (wrong_scope)."""
        if not self.covers(token):
            raise Forbidden(f"This key's role does not cover {token or 'every token'}.", code="wrong_scope")


Handler = Callable[[Acting, Any], Mapping[str, Any]]
Question = Callable[[Acting, Any], bool]
Undo = Callable[[Acting, Any], None]


def _nothing(acting: Acting, act: Any) -> None:
    """A declined act of most types has nothing to undo."""


def _never(acting: Acting, act: Any) -> bool:
    return False


def _of_every_token(acting: Acting, act: Any) -> bool:
    return acting.covers(None)


def of_token(acting: Acting, act: Any) -> bool:
    """Return whether the officers' scope covers the token that an act names."""
    return acting.covers(act.token)


def always(acting: Acting, act: Any) -> bool:
    """Every act of this type needs a second officer."""
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """One type of act: who may sign it, whether a second officer must agree, and what it does.

    `handler` returns what came of it, as JSON; it may raise any SdtError. `needs_second` is asked when the act comes
    in, and is where an act that could never be carried out is refused before it waits. `seconds` are the roles that
    may agree: the same as `roles` unless said otherwise. `declined` takes back what the question wrote, if it did.
    `concerns` tells whether the officers' scope covers what the act is about, as the handler judges it.
    """

    act: type[Act]
    roles: Role
    handler: Handler
    needs_second: Question = _never
    seconds: Role | None = None
    declined: Undo = _nothing
    concerns: Question = _of_every_token

    @property
    def agreeing(self) -> Role:
        """The roles of the second officer."""
        return self.seconds if self.seconds is not None else self.roles


def act_types(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    """Return the table of acts by their type's name."""
    return {str(entry.act.__struct_config__.tag): entry for entry in entries}


@dataclass(frozen=True)
class Office:
    """The acts of one region: `acts` by the name of their type."""

    acts: Mapping[str, Entry]
    region: Region
    network: str

    @cached_property
    def types(self) -> dict[str, type[Act]]:
        """Every type of act that can be read."""
        return {kind: entry.act for kind, entry in self.acts.items()} | {"agree": Agree, "decline": Decline}

    def visible_to(self, roles: Role) -> list[str]:
        """Return the types of acts that whoever holds one of `roles` may see: those it may sign or agree to."""
        return [kind for kind, entry in self.acts.items() if (entry.roles | entry.agreeing) & roles]

    def shows(self, store: Store, row: ActRow, key: KeyFacts, now_ms: int) -> bool:
        """Return whether a key may see an act: whoever signed it, and whoever may sign or agree to such a one."""
        if row.kid == key.kid:
            return True
        if row.type not in self.visible_to(key.roles):
            return False
        if not key.scope:
            return True
        # As `check_officer`: of the roles that are limited to one token, a custodian's alone signs acts.
        return bool(key.roles & Role.CUSTODIAN) and self._concerns(store, row, key, now_ms)

    def perform(self, store: Store, envelope: Envelope, act_id: str, now_ms: int) -> ActRow:
        """Carry out an act whose signature was verified, in the open database transaction; return its row.

        The same bytes again answer the same row, for ever.
        Errors: as `read_act`, `check_act`, `check_officer` and the act's handler; Invalid (act_id_mismatch);
        Conflict (act_id_used, act_not_waiting); NotFound (unknown_act); Forbidden (same_officer).
        """
        signed = read_act(envelope, self.types)
        if signed.act.act_id != act_id:
            raise Invalid(f"The address names {act_id}, the act {signed.act.act_id}.", code="act_id_mismatch")
        office.begin(store)
        known = office.get(store, signed.act.act_id)
        if known is not None:
            if bytes(known.digest) != signed.digest:
                raise Conflict("Another act was sent under this id.", code="act_id_used")
            return known
        check_act(signed, self.region, self.network, now_ms // 1000)
        key = _key(store, signed.kid)
        if isinstance(signed.act, Agree | Decline):
            return self._second(store, signed, signed.act, key, now_ms)
        entry = self.acts[signed.type]
        check_officer(key, entry.roles, signed.type, now_ms // 1000)
        acting = Acting(store, self.region, now_ms, signed.act.act_id, signed.digest, key)
        if entry.needs_second(acting, signed.act):
            return _stored(store, signed, ActStatus.WAITING, {}, now_ms)
        return _stored(store, signed, ActStatus.DONE, entry.handler(acting, signed.act), now_ms)

    def _second(self, store: Store, signed: SignedAct, act: Agree | Decline, key: KeyFacts, now_ms: int) -> ActRow:
        """Agree to a waiting act, and so carry it out; or decline it."""
        check_officer(key, EVERY_OFFICER, signed.type, now_ms // 1000)
        first = office.by_digest(store, bytes.fromhex(act.digest))
        if first is None or first.type not in self.acts:
            raise NotFound("No act has this digest.", code="unknown_act")
        entry = self.acts[first.type]
        withdrawn = isinstance(act, Decline) and first.kid == key.kid
        if not withdrawn:
            check_officer(key, entry.agreeing, f"{signed.type} to {first.type}", now_ms // 1000)
        if isinstance(act, Decline) and not withdrawn and not self._concerns(store, first, key, now_ms):
            raise Forbidden("This key's role does not cover what this act is about.", code="wrong_scope")
        if first.status != ActStatus.WAITING or now_ms >= first.received_at_ms + ACT_LIFE_S * 1000:
            raise Conflict("This act does not wait for a second officer.", code="act_not_waiting")
        if isinstance(act, Decline):
            entry.declined(self._acting(store, first, key, now_ms), self.read(first).act)
            status, result = ActStatus.DECLINED, {}
        else:
            status, result = ActStatus.AGREED, dict(self._agreed(store, entry, first, key, now_ms))
        office.finish(store, first.id, status, kid=key.kid, act=act.act_id, result=result, at_ms=now_ms)
        return _stored(store, signed, ActStatus.DONE, {"act_id": first.id, "result": result}, now_ms)

    def _agreed(self, store: Store, entry: Entry, first: ActRow, second: KeyFacts, now_ms: int) -> Mapping[str, Any]:
        maker = _key(store, first.kid)
        if maker.public_key == second.public_key or key_holders.same_person(store, maker.kid, second.kid):
            raise Forbidden("Maker and checker are the same person.", code="same_officer")
        # Whoever lost the key or the role since is no maker any more.
        check_officer(maker, entry.roles, first.type, now_ms // 1000)
        return entry.handler(self._acting(store, first, second, now_ms), self.read(first).act)

    def _concerns(self, store: Store, row: ActRow, key: KeyFacts, now_ms: int) -> bool:
        acting = Acting(store, self.region, now_ms, row.id, bytes(row.digest), key)
        return self.acts[row.type].concerns(acting, self.read(row).act)

    def _acting(self, store: Store, first: ActRow, second: KeyFacts, now_ms: int) -> Acting:
        maker = _key(store, first.kid)
        return Acting(store, self.region, now_ms, first.id, bytes(first.digest), maker, second)

    def read(self, row: ActRow) -> SignedAct:
        """Return a stored act; its signature was verified before it was stored."""
        return read_act(open_envelope(bytes(row.raw)), self.types)


def _key(store: Store, kid: str) -> KeyFacts:
    """Return a key as it stands in the database of this very transaction: no cache has the last word here."""
    row = registry.key(store, kid)
    if row is None:
        raise Unauthenticated("No key with this kid is registered.", code="unknown_key")
    return registry.key_facts(row)


def _stored(store: Store, signed: SignedAct, status: ActStatus, result: Mapping[str, Any], now_ms: int) -> ActRow:
    act = signed.act
    row = ActRow(
        seq=0,
        id=act.act_id,
        type=signed.type,
        status=status.value,
        kid=signed.kid,
        subject=act.subject,
        digest=signed.digest,
        raw=signed.raw,
        issued_at_s=signed.issued_at_s,
        received_at_ms=now_ms,
        updated_at_ms=now_ms,
        second_kid=None,
        second_act=None,
        result=json.dumps(result, sort_keys=True),
    )
    office.insert(store, row)
    return row
