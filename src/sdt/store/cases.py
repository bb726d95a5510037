"""The officers' cases: opened by whatever finds something, worked by the role whose case it is.

What is in here is for officers' eyes alone: no other part of the platform shows that there is a case.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from sdt.domain.case import Case, CaseStatus, Decision
from sdt.store.bulk import insert_new, insert_rows
from sdt.store.database import Store
from sdt.store.tables.cases import Case as CaseTable
from sdt.store.tables.cases import CaseEvent as CaseEventTable

__all__ = ["CaseRow", "case", "open_case", "record", "save"]


class CaseRow(NamedTuple):
    """One case as stored. `facts` is JSON; times in unix milliseconds, the day as 2026-11-26."""

    id: str
    kind: str
    key: str
    account: str | None
    transaction_id: str | None
    status: str
    detected_on: str
    suspect_known: bool
    officer: str | None
    decision: str | None
    reason: str
    second_officer: str | None
    facts: str
    opened_at_ms: int
    updated_at_ms: int

    @property
    def state(self) -> Case:
        """The case as the domain knows it."""
        return Case(
            CaseStatus(self.status),
            date.fromisoformat(self.detected_on),
            bool(self.suspect_known),
            self.officer,
            Decision(self.decision) if self.decision else None,
            self.reason,
            self.second_officer,
        )


_COLUMNS: Final = ", ".join(CaseRow._fields)
_EVENT: Final = ("case_id", "event", "actor", "detail", "at_ms")


def open_case(
    store: Store,
    *,
    kind: str,
    key: str,
    facts: Mapping[str, Any],
    detected_on: date,
    actor: str,
    at_ms: int,
    account: str | None = None,
    transaction_id: str | None = None,
    suspect_known: bool = True,
) -> str:
    """Open a case and return its id; what was found before under the same kind and key answers that one's."""
    with store.transaction():
        row = CaseRow(
            id=str(uuid.uuid4()),
            kind=kind,
            key=key,
            account=account,
            transaction_id=transaction_id,
            status=CaseStatus.OPEN.value,
            detected_on=detected_on.isoformat(),
            suspect_known=suspect_known,
            officer=None,
            decision=None,
            reason="",
            second_officer=None,
            facts=json.dumps(facts, sort_keys=True),
            opened_at_ms=at_ms,
            updated_at_ms=at_ms,
        )
        known = store.row("SELECT id FROM cases WHERE kind = ? AND key = ?", (kind, key))
        if known is not None:
            return str(known[0])
        insert_new(store, CaseTable, CaseRow._fields, [row], key="id")
        record(store, row.id, "opened", actor=actor, at_ms=at_ms)
        return row.id


def case(store: Store, case_id: str, *, lock: bool = False) -> CaseRow | None:
    """Return a case; with `lock` nobody else changes it until the transaction ends."""
    tail = " FOR UPDATE" if lock and store.postgres else ""
    found = store.row(f"SELECT {_COLUMNS} FROM cases WHERE id = ?{tail}", (case_id,))  # noqa: S608
    return CaseRow(*found) if found else None


def save(store: Store, case_id: str, state: Case, *, event: str, actor: str, detail: str | None, at_ms: int) -> None:
    """Write where a case stands now, and what made it so."""
    with store.transaction():
        changed = store.execute(
            "UPDATE cases SET status = ?, detected_on = ?, officer = ?, decision = ?, reason = ?, second_officer = ?, "
            "updated_at_ms = ? WHERE id = ?",
            (
                state.status.value,
                state.detected_on.isoformat(),
                state.officer,
                state.decision.value if state.decision else None,
                state.reason,
                state.second_officer,
                at_ms,
                case_id,
            ),
        ).rowcount
        assert changed == 1, "there is no such case"
        record(store, case_id, event, actor=actor, detail=detail, at_ms=at_ms)


def record(store: Store, case_id: str, event: str, *, actor: str, at_ms: int, detail: str | None = None) -> None:
    """Append what happened to a case."""
    insert_rows(store, CaseEventTable, _EVENT, [(case_id, event, actor, detail, at_ms)])
