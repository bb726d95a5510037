"""What the findings of a case are of together, read from the days and movements that monitoring keeps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sdt.domain.monitoring.activity import Activity, activity_of
from sdt.domain.monitoring.movements import Book, Finding, Movement, Pattern, merged
from sdt.domain.monitoring.rules import DAY_S, Rule, reach
from sdt.domain.region import Region
from sdt.store import Store, findings, movements

__all__ = ["noticed_activity"]

PAIRS_MAX: Final = 100_000


def noticed_activity(store: Store, region: Region, case_id: str, accounts: Collection[str]) -> Activity | None:
    """Return the activity that a case is about, over its person's accounts; None where monitoring noticed nothing."""
    found = findings.of_case(store, case_id)
    if not found:
        return None
    rule = next((rule for rule in region.monitors if rule.id == found[0].rule), None)
    return activity_of(
        rule, found, _book(store, rule, found, accounts), _payments(store, rule, found), region.business_day
    )


def _book(store: Store, rule: Rule | None, found: Sequence[Finding], accounts: Collection[str]) -> Book:
    if rule is None:
        return {}
    days = [finding.day for finding in found]
    everybody = {*accounts, *(finding.person for finding in found)}
    return merged(
        movements.books(store, sorted(everybody), min(days) - timedelta(days=reach([rule])), max(days)).values()
    )


def _payments(store: Store, rule: Rule | None, found: Sequence[Finding]) -> list[Movement]:
    """Return the payments among which round trips were found: those with the same people, as far back as the rule."""
    if rule is None or rule.pattern is not Pattern.ROUND_TRIP:
        return []
    person = found[0].person
    backs = movements.kept(store, person, [finding.anchor for finding in found])
    if not backs:
        return []
    at_s = [one.at_s for one in backs]
    with_whom = {one.counterparty for one in backs}
    return movements.pairs(store, {person}, with_whom, min(at_s) - rule.days * DAY_S, max(at_s), PAIRS_MAX)
