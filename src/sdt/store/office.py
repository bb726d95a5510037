"""The officers' acts as stored: exact bytes, where each stands, and what came of it.

Every act is also an event of the sealed log (under its act_id, with its digest), so that none can vanish or be
slipped in unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sdt.domain.office import ACT_LIFE_S, ActStatus
from sdt.store import events
from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.office import OfficeAct

__all__ = ["ActRow", "any_result", "by_digest", "expire", "finish", "get", "insert", "page"]


class ActRow(NamedTuple):
    """One act. `seq` orders them; `result` is JSON."""

    seq: int
    id: str
    type: str
    status: str
    kid: str
    subject: str
    digest: bytes
    raw: bytes
    issued_at_s: int
    received_at_ms: int
    updated_at_ms: int
    second_kid: str | None
    second_act: str | None
    result: str

    @property
    def found(self) -> dict[str, Any]:
        """What came of it."""
        return dict(json.loads(self.result))


_COLUMNS: Final = ", ".join(ActRow._fields)
_LOCK: Final = 0x5D7_0004
"""PostgreSQL advisory lock: one act is carried out at a time, so that none is taken twice by two at once."""


def _where(store: Store, condition: str, parameters: tuple[object, ...]) -> list[ActRow]:
    return [ActRow(*row) for row in store.rows(f"SELECT {_COLUMNS} FROM office_acts WHERE {condition}", parameters)]  # noqa: S608


def begin(store: Store) -> None:
    """Let nobody else carry out an act until this database transaction ends."""
    if store.postgres:
        store.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))


def get(store: Store, act_id: str) -> ActRow | None:
    """Return an act by its id."""
    return next(iter(_where(store, "id = ?", (act_id,))), None)


def by_digest(store: Store, digest: bytes) -> ActRow | None:
    """Return an act by the SHA-256 of its bytes."""
    return next(iter(_where(store, "digest = ?", (digest,))), None)


def any_result(store: Store, types: Collection[str], fragment: str) -> bool:
    """Return whether what came of any act of these types has this in its JSON, which names an officer's evidence."""
    found = store.row(
        f"SELECT 1 FROM office_acts WHERE {store.among('type')} AND result LIKE ?",  # noqa: S608
        (store.listed(types), f"%{fragment}%"),
    )
    return found is not None


def page(
    store: Store,
    types: Collection[str],
    *,
    status: ActStatus | None = None,
    subject: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[ActRow]:
    """Return acts of these types, the newest first."""
    condition, parameters = store.among("type"), [store.listed(types)]
    for column, value in (("status", status and status.value), ("subject", subject)):
        if value is not None:
            condition, parameters = f"{condition} AND {column} = ?", [*parameters, value]
    if before is not None:
        condition, parameters = f"{condition} AND seq < ?", [*parameters, before]
    return _where(store, f"{condition} ORDER BY seq DESC LIMIT ?", (*parameters, limit))


def insert(store: Store, row: ActRow) -> None:
    """Store an act that nobody has sent before, and log it. The row's `seq` is not used."""
    with store.transaction():
        insert_rows(store, OfficeAct, ActRow._fields[1:], [row[1:]])
        _log(store, row.id, row.status, row.kid, row.received_at_ms, bytes(row.digest).hex())


def finish(
    store: Store,
    act_id: str,
    status: ActStatus,
    *,
    kid: str | None,
    act: str | None,
    result: Mapping[str, Any],
    at_ms: int,
) -> None:
    """Write what became of a waiting act, and by whose act."""
    with store.transaction():
        changed = store.execute(
            "UPDATE office_acts SET status = ?, second_kid = ?, second_act = ?, result = ?, updated_at_ms = ? "
            "WHERE id = ? AND status = 'waiting'",
            (status.value, kid, act, json.dumps(result, sort_keys=True), at_ms, act_id),
        ).rowcount
        assert changed == 1, "only an act that waits is finished"
        _log(store, act_id, status.value, kid or "clock", at_ms, act)


def expire(store: Store, now_ms: int) -> int:
    """End what waited too long for a second officer; returns how many."""
    before_ms = now_ms - ACT_LIFE_S * 1000
    late = _where(store, "status = 'waiting' AND received_at_ms <= ? ORDER BY seq LIMIT ?", (before_ms, 500))
    for row in late:
        finish(store, row.id, ActStatus.EXPIRED, kid=None, act=None, result={}, at_ms=now_ms)
    return len(late)


def _log(store: Store, act_id: str, status: str, kid: str, at_ms: int, detail: str | None) -> None:
    events.append_rows(store, [(act_id, "act", status, at_ms, f"office:{kid}", detail)])
