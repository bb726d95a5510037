"""What monitoring noticed: each finding once, in a case of the compliance role."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from sdt.domain.ach.calendar import counts_from
from sdt.domain.case_kinds import SETTLED, open_anew
from sdt.domain.monitoring.movements import Channel, Finding, Pattern
from sdt.domain.monitoring.rules import Rule
from sdt.domain.region import Region
from sdt.store import cases
from sdt.store.database import Store

__all__ = ["FOUND_AGAIN", "note", "of_case"]

ACTOR: Final = "worker:monitor"
FOUND_AGAIN: Final = "found_again"
EVIDENCE_MAX: Final = 100
_UNSETTLED: Final = "c.status NOT IN ({})".format(", ".join(f"'{status}'" for status in SETTLED))


def note(store: Store, region: Region, finding: Finding, accounts: Sequence[str], *, today: date, at_ms: int) -> str:
    """Write a finding, once, and return its case: one that is open on the same rule and person, else a new one.

    A day that was noticed before and has grown is written with what it has grown to, and its case is told: whatever
    was decided was decided about less. `accounts` are those that the person stands behind, the one that moved first.
    """
    with store.transaction():
        known = store.row("SELECT case_id, cents FROM findings WHERE key = ?", (finding.key,))
        if known is not None:
            case_id, cents = str(known[0]), int(known[1])
            if cents != finding.cents:
                store.execute(
                    "UPDATE findings SET cents = ?, count = ? WHERE key = ?",
                    (finding.cents, finding.count, finding.key),
                )
            if cents >= finding.cents or not _again(store, region, case_id, finding, cents, today=today, at_ms=at_ms):
                return case_id
        else:
            case_id = _case(store, region, finding, accounts, today=today, at_ms=at_ms)
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
        for transaction_id in (finding.movements or _of_days(store, region, finding, accounts))[-EVIDENCE_MAX:]:
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


def _case(store: Store, region: Region, finding: Finding, accounts: Sequence[str], *, today: date, at_ms: int) -> str:
    if finding.pattern is Pattern.CURRENCY_REPORT:
        # In and out of one person's one day are one report.
        kind, key, detected_on = "currency", f"{finding.person}:{finding.day}", finding.day
        standing = store.row("SELECT id FROM cases WHERE kind = ? AND key = ?", (kind, key))
    else:
        kind, key, detected_on = "monitoring", finding.key, today
        standing = store.row(
            "SELECT c.id FROM findings f JOIN cases c ON c.id = f.case_id "  # noqa: S608
            f"WHERE f.person = ? AND f.rule = ? AND {_UNSETTLED} ORDER BY c.opened_at_ms DESC LIMIT 1",
            (finding.person, finding.rule),
        )
    if standing is not None:
        _again(store, region, str(standing[0]), finding, 0, today=today, at_ms=at_ms)
        return str(standing[0])
    facts: dict[str, Any] = {
        "rule": finding.rule,
        "pattern": finding.pattern.value,
        "statute": _rule(region, finding).statute,
        "day": finding.day.isoformat(),
        "cents": finding.cents,
        "count": finding.count,
        "person": finding.person,
        "accounts": list(accounts[:20]),
    }
    account = accounts[0] if accounts else None
    return cases.open_case(
        store, kind=kind, key=key, facts=facts, detected_on=detected_on, actor=ACTOR, at_ms=at_ms, account=account
    )


def _again(
    store: Store, region: Region, case_id: str, finding: Finding, before: int, *, today: date, at_ms: int
) -> bool:
    """Tell a case what was found again, `before` cents of which it knew, and open it anew where it was settled.

    Return whether there was something to tell. A day of many movements grows with each of them: its open case is told
    when the sum passes another power of two, not every second.
    """
    row = cases.case(store, case_id, lock=True)
    assert row is not None, "a finding is in a case"
    state = row.state
    settled = state.status in SETTLED
    if finding.pattern is Pattern.VELOCITY and not settled and finding.cents.bit_length() == before.bit_length():
        return False
    detail = f"{finding.rule} {finding.anchor}: {finding.count} movements, {finding.cents} cents"
    if before:
        detail += f", {before} before"
    cases.record(store, case_id, FOUND_AGAIN, actor=ACTOR, at_ms=at_ms, detail=detail)
    if settled:
        cases.save(
            store,
            case_id,
            open_anew(row.kind, state, today),
            event="reopened",
            actor=ACTOR,
            detail=None,
            at_ms=at_ms,
            legal_status=region.legal_status,
        )
    return True


def _rule(region: Region, finding: Finding) -> Rule:
    return next(rule for rule in region.monitors if rule.id == finding.rule)


def _of_days(store: Store, region: Region, finding: Finding, accounts: Sequence[str]) -> tuple[str, ...]:
    """Return those kept movements of the days of a finding that were read last: what made it, or made it grow."""
    calendar = region.business_day
    first = counts_from(finding.day) - timedelta(days=_rule(region, finding).days - 1)
    of_currency = finding.pattern in (Pattern.CURRENCY_REPORT, Pattern.STRUCTURING)
    channels = [Channel.CURRENCY] if of_currency else list(Channel)
    # The sum keeps PostgreSQL from walking back over everybody's movements to days that are long past.
    found = store.rows(
        f"SELECT transaction_id FROM movements WHERE {store.among('account')} AND {store.among('channel')} "  # noqa: S608
        "AND at_s >= ? AND at_s < ? ORDER BY seq + 0 DESC LIMIT ?",
        (
            store.listed([*accounts, finding.person]),
            store.listed([channel.value for channel in channels]),
            calendar.opens_s(first),
            calendar.opens_s(finding.day + timedelta(days=1)),
            EVIDENCE_MAX,
        ),
    )
    return tuple(reversed([transaction_id for (transaction_id,) in found]))
