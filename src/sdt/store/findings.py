"""What monitoring noticed: each finding once, in a case of the compliance role."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sdt.domain.case_kinds import SETTLED
from sdt.domain.monitoring.movements import Finding, Pattern
from sdt.store import cases
from sdt.store.database import Store

__all__ = ["note", "of_case"]

ACTOR: Final = "worker:monitor"
EVIDENCE_MAX: Final = 100
_UNSETTLED: Final = "c.status NOT IN ({})".format(", ".join(f"'{status}'" for status in SETTLED))


def note(store: Store, finding: Finding, accounts: Sequence[str], *, statute: str, today: date, at_ms: int) -> str:
    """Write a finding, once, and return its case: one that is open on the same rule and person, else a new one.

    A day that was noticed before and has grown is written with what it has grown to. `accounts` are those that the
    person stands behind, the one that moved first.
    """
    with store.transaction():
        known = store.row("SELECT case_id, cents FROM findings WHERE key = ?", (finding.key,))
        if known is not None:
            case_id, cents = known
            if cents != finding.cents:
                store.execute(
                    "UPDATE findings SET cents = ?, count = ? WHERE key = ?",
                    (finding.cents, finding.count, finding.key),
                )
            return str(case_id)
        case_id = _case(store, finding, accounts, statute=statute, today=today, at_ms=at_ms)
        store.execute(
            "INSERT INTO findings (key, rule, pattern, person, day, cents, count, case_id, found_at_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                finding.key,
                finding.rule,
                finding.pattern.value,
                finding.person,
                finding.day.isoformat(),
                finding.cents,
                finding.count,
                case_id,
                at_ms,
            ),
        )
        for transaction_id in (finding.movements or _of_day(store, finding, accounts))[-EVIDENCE_MAX:]:
            cases.add_evidence(store, case_id, "transaction", transaction_id, actor=ACTOR, at_ms=at_ms)
        return case_id


def of_case(store: Store, case_id: str) -> list[Finding]:
    """Return what was noticed in a case, in the order of its days; single movements are named by their anchors."""
    found = store.rows(
        "SELECT key, rule, pattern, person, cents, count, day FROM findings WHERE case_id = ? ORDER BY day, key",
        (case_id,),
    )
    return [
        Finding(
            rule,
            Pattern(pattern),
            person,
            key.removeprefix(f"{rule}:{person}:"),
            int(cents),
            int(count),
            date.fromisoformat(day),
        )
        for key, rule, pattern, person, cents, count, day in found
    ]


def _case(store: Store, finding: Finding, accounts: Sequence[str], *, statute: str, today: date, at_ms: int) -> str:
    opened: dict[str, Any] = {
        "facts": {
            "rule": finding.rule,
            "pattern": finding.pattern.value,
            "statute": statute,
            "day": finding.day.isoformat(),
            "cents": finding.cents,
            "count": finding.count,
            "person": finding.person,
            "accounts": list(accounts[:20]),
        },
        "account": accounts[0] if accounts else None,
        "actor": ACTOR,
        "at_ms": at_ms,
    }
    if finding.pattern is Pattern.CURRENCY_REPORT:
        # In and out of one person's one day are one report.
        key = f"{finding.person}:{finding.day}"
        return cases.open_case(store, kind="currency", key=key, detected_on=finding.day, **opened)
    standing = store.row(
        "SELECT c.id FROM findings f JOIN cases c ON c.id = f.case_id "  # noqa: S608
        f"WHERE f.person = ? AND f.rule = ? AND {_UNSETTLED} ORDER BY c.opened_at_ms DESC LIMIT 1",
        (finding.person, finding.rule),
    )
    if standing is None:
        return cases.open_case(store, kind="monitoring", key=finding.key, detected_on=today, **opened)
    detail = f"{finding.rule} {finding.anchor}: {finding.count} movements, {finding.cents} cents"
    cases.record(store, str(standing[0]), "found_again", actor=ACTOR, at_ms=at_ms, detail=detail)
    return str(standing[0])


def _of_day(store: Store, finding: Finding, accounts: Sequence[str]) -> tuple[str, ...]:
    """Return the newest kept movements of the accounts: a start for whoever works the case."""
    found = store.rows(
        f"SELECT transaction_id FROM movements WHERE {store.among('account')} ORDER BY at_s DESC LIMIT ?",  # noqa: S608
        (store.listed([*accounts, finding.person]), EVIDENCE_MAX),
    )
    return tuple(reversed([transaction_id for (transaction_id,) in found]))
