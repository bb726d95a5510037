"""The officers' cases: opened by whatever finds something, worked by the role whose case it is.

What is in here is for officers' eyes alone: no other part of the platform shows that there is a case.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from sdt.domain.case import Case, CaseStatus, Decision
from sdt.domain.case_kinds import KINDS, SETTLED, due_on
from sdt.domain.monitoring.of_region import LegalStatus
from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.cases import CaseEvent as CaseEventTable

__all__ = [
    "UNSETTLED",
    "CaseEventRow",
    "CaseRow",
    "EvidenceRow",
    "Filter",
    "Load",
    "about",
    "add_evidence",
    "case",
    "cases",
    "events_of",
    "evidence_of",
    "last_filed_on",
    "load",
    "open_case",
    "record",
    "save",
    "token_of",
    "unsettled",
]


class CaseRow(NamedTuple):
    """One case as stored. `facts` is JSON; times in unix milliseconds, days as 2026-11-26."""

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
    due_on: str | None
    filed_on: str | None
    confirmation: str | None

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
            date.fromisoformat(self.filed_on) if self.filed_on else None,
            self.confirmation,
        )

    @property
    def shows_suspicion(self) -> bool:
        """Whether whoever sees where it stands learns that somebody is suspected: compliance alone may."""
        return self.decision == Decision.REPORT or self.filed_on is not None

    def __repr__(self) -> str:
        return f"CaseRow({self.id}, {self.kind}, {self.status})"


class CaseEventRow(NamedTuple):
    """One thing that happened to a case; a note's text is its detail."""

    event: str
    actor: str
    detail: str | None
    at_ms: int


class EvidenceRow(NamedTuple):
    """What a case stands on, by reference: `kind` says what the reference names."""

    kind: str
    reference: str
    added_by: str
    at_ms: int


class Filter(NamedTuple):
    """Which cases: of these kinds, and further narrowed by what is given. `overdue_on`: due before this day."""

    kinds: Collection[str]
    status: CaseStatus | None = None
    officer: str | None = None
    account: str | None = None
    overdue_on: date | None = None
    suspicions: bool = True
    """Whether those that are to be reported, or were, are among them."""
    tokens: Collection[str] | None = None
    """Those about these tokens alone; "" for what is about none by itself, as a file of the bank's is."""


class Load(NamedTuple):
    """How many cases of one kind wait for officers, how many of them are late, and how many reports to renew."""

    kind: str
    open: int
    overdue: int
    renewals_due: int


_COLUMNS: Final = ", ".join(CaseRow._fields)
_EVENT: Final = ("case_id", "event", "actor", "detail", "at_ms")
UNSETTLED: Final = "status NOT IN ({})".format(", ".join(f"'{status}'" for status in SETTLED))
"""Of a case: it is open."""


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
    legal_status: LegalStatus = "agency",
) -> str:
    """Open a case and return its id; what was found before under the same kind and key answers that one's.

    Two that find the same thing at the same moment open one case: the second waits for the first's commit.
    `facts` is small and names nobody: references, amounts, the rule. `legal_status` is the region's: it matters where
    no suspect is known.
    """
    assert kind in KINDS, f"there is no kind of case called {kind}"
    state = Case(CaseStatus.OPEN, detected_on, suspect_known)
    due = due_on(kind, state, legal_status)
    row = CaseRow(
        id=str(uuid.uuid4()),
        kind=kind,
        key=key,
        account=account,
        transaction_id=transaction_id,
        status=state.status.value,
        detected_on=detected_on.isoformat(),
        suspect_known=suspect_known,
        officer=None,
        decision=None,
        reason="",
        second_officer=None,
        facts=json.dumps(facts, sort_keys=True),
        opened_at_ms=at_ms,
        updated_at_ms=at_ms,
        due_on=due.isoformat() if due else None,
        filed_on=None,
        confirmation=None,
    )
    with store.transaction():
        fresh = store.row(
            f"INSERT INTO cases ({_COLUMNS}) VALUES ({', '.join('?' * len(row))}) "  # noqa: S608
            "ON CONFLICT (kind, key) DO NOTHING RETURNING id",
            row,
        )
        if fresh is None:
            (known,) = store.row("SELECT id FROM cases WHERE kind = ? AND key = ?", (kind, key))
            return str(known)
        record(store, row.id, "opened", actor=actor, at_ms=at_ms)
        if transaction_id is not None:
            add_evidence(store, row.id, "transaction", transaction_id, actor=actor, at_ms=at_ms)
        return row.id


def case(store: Store, case_id: str, *, lock: bool = False) -> CaseRow | None:
    """Return a case; with `lock` nobody else changes it until the transaction ends."""
    tail = " FOR UPDATE" if lock and store.postgres else ""
    found = store.row(f"SELECT {_COLUMNS} FROM cases WHERE id = ?{tail}", (case_id,))  # noqa: S608
    return CaseRow(*found) if found else None


def cases(store: Store, wanted: Filter, *, before: tuple[int, str] | None = None, limit: int = 50) -> list[CaseRow]:
    """Return the newest cases first; go on with the last one's (opened_at_ms, id) as `before`."""
    conditions = [store.among("kind")]
    values: list[object] = [store.listed(wanted.kinds)]
    for condition, value in (
        ("status = ?", wanted.status.value if wanted.status else None),
        ("officer = ?", wanted.officer),
        ("account = ?", wanted.account),
        (f"due_on < ? AND {UNSETTLED}", wanted.overdue_on.isoformat() if wanted.overdue_on else None),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if not wanted.suspicions:
        conditions.append("(decision IS NULL OR decision <> 'report') AND filed_on IS NULL")
    if wanted.tokens is not None:
        conditions.append(store.among(_token(store)))
        values.append(store.listed(wanted.tokens))
    if before is not None:
        conditions.append("(opened_at_ms, id) < (?, ?)")
        values += before
    found = store.rows(
        f"SELECT {_COLUMNS} FROM cases WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY opened_at_ms DESC, id DESC LIMIT ?",
        (*values, limit),
    )
    return [CaseRow(*row) for row in found]


def token_of(store: Store, case_id: str) -> str:
    """Return the token that a case is about, by its facts or its transaction; empty for none."""
    (found,) = store.row(f"SELECT {_token(store)} FROM cases WHERE id = ?", (case_id,))  # noqa: S608
    return str(found)


def _token(store: Store) -> str:
    named = store.member("facts", "token")
    return f"coalesce({named}, (SELECT t.token FROM transactions t WHERE t.id = cases.transaction_id), '')"  # noqa: S608


def load(store: Store, today: date) -> list[Load]:
    """Return, by kind, how many cases wait and how many of them are late: numbers, for health and metrics."""
    day = today.isoformat()
    found = store.rows(
        f"SELECT kind, sum(CASE WHEN {UNSETTLED} THEN 1 ELSE 0 END), "  # noqa: S608
        f"sum(CASE WHEN {UNSETTLED} AND due_on < ? THEN 1 ELSE 0 END), "
        "sum(CASE WHEN status = 'reported' AND due_on < ? THEN 1 ELSE 0 END) "
        f"FROM cases WHERE {UNSETTLED} OR due_on IS NOT NULL GROUP BY kind ORDER BY kind",
        (day, day),
    )
    return [Load(kind, int(open), int(overdue), int(renewals)) for kind, open, overdue, renewals in found]


def unsettled(store: Store, account: str) -> bool:
    """Return whether any case about an account is still open, of whatever kind."""
    found = store.row(f"SELECT 1 FROM ({about(store, UNSETTLED)}) a WHERE a.account = ? LIMIT 1", (account,))  # noqa: S608
    return found is not None


def last_filed_on(store: Store, account: str) -> date | None:
    """Return the day of the newest report that is about an account. For the compliance role alone."""
    filed = about(store, "filed_on IS NOT NULL")
    (day,) = store.row(f"SELECT max(a.filed_on) FROM ({filed}) a WHERE a.account = ?", (account,))  # noqa: S608
    return date.fromisoformat(day) if day else None


def about(store: Store, which: str) -> str:
    """Return the query for (account, filed_on) of every account that cases are about, of those cases for which `which`.

    Each account by itself, by the case's facts, wherever they name it, or by who stands behind it. `which` comes in it
    three times, and with it what it takes.
    """
    # PostgreSQL: whatever stands between quotes, as an account does; matching a pattern took twenty times as long.
    words = "unnest(string_to_array(c.facts, '\"'))" if store.postgres else "json_tree(c.facts)"
    chosen = f"(SELECT account, facts, filed_on FROM cases WHERE {which}) c"  # noqa: S608
    return (
        f"SELECT c.account, c.filed_on FROM {chosen} UNION ALL "  # noqa: S608
        f"SELECT p.account, c.filed_on FROM {chosen} JOIN person_accounts p ON p.person = "
        f"{store.member('c.facts', 'person')} UNION ALL "
        f"SELECT w.atom, c.filed_on FROM {chosen}, {words} AS w{'(atom)' if store.postgres else ''}"
    )


def save(
    store: Store,
    case_id: str,
    state: Case,
    *,
    event: str,
    actor: str,
    detail: str | None,
    at_ms: int,
    legal_status: LegalStatus = "agency",
) -> None:
    """Write where a case stands now, when its report is due, and what made it so."""
    with store.transaction():
        (kind,) = store.row("SELECT kind FROM cases WHERE id = ?", (case_id,))
        due = due_on(kind, state, legal_status)
        store.execute(
            "UPDATE cases SET status = ?, detected_on = ?, officer = ?, decision = ?, reason = ?, second_officer = ?, "
            "filed_on = ?, confirmation = ?, due_on = ?, updated_at_ms = ? WHERE id = ?",
            (
                state.status.value,
                state.detected_on.isoformat(),
                state.officer,
                state.decision.value if state.decision else None,
                state.reason,
                state.second_officer,
                state.filed_on.isoformat() if state.filed_on else None,
                state.confirmation,
                due.isoformat() if due else None,
                at_ms,
                case_id,
            ),
        )
        record(store, case_id, event, actor=actor, detail=detail, at_ms=at_ms)


def record(store: Store, case_id: str, event: str, *, actor: str, at_ms: int, detail: str | None = None) -> None:
    """Append what happened to a case: a note's text is its detail."""
    insert_rows(store, CaseEventTable, _EVENT, [(case_id, event, actor, detail, at_ms)])


def events_of(store: Store, case_id: str) -> list[CaseEventRow]:
    """Return what happened to a case, in order."""
    found = store.rows("SELECT event, actor, detail, at_ms FROM case_events WHERE case_id = ? ORDER BY seq", (case_id,))
    return [CaseEventRow(*row) for row in found]


def add_evidence(store: Store, case_id: str, kind: str, reference: str, *, actor: str, at_ms: int) -> bool:
    """Link what a case stands on, once; return whether it is new."""
    with store.transaction():
        written: int = store.execute(
            "INSERT INTO case_evidence (case_id, kind, reference, added_by, at_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (case_id, kind, reference) DO NOTHING",
            (case_id, kind, reference, actor, at_ms),
        ).rowcount
    return written == 1


def evidence_of(store: Store, case_id: str, limit: int = 1_000) -> list[EvidenceRow]:
    """Return what a case stands on, in the order in which it was linked."""
    found = store.rows(
        "SELECT kind, reference, added_by, at_ms FROM case_evidence WHERE case_id = ? ORDER BY seq LIMIT ?",
        (case_id, limit),
    )
    return [EvidenceRow(*row) for row in found]
