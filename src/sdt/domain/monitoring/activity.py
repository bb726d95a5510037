"""What several findings of one rule are of together: windows contain each other, and payments explain several."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sdt.domain.monitoring.movements import Book, BusinessDay, Direction, Finding, Movement, Pattern
from sdt.domain.monitoring.rules import Rule, counted_days, pair_findings

__all__ = ["Activity", "activity_of"]


@dataclass(frozen=True, slots=True)
class Activity:
    """What moved, from its first day to its last. Units: cents."""

    first_day: date
    last_day: date
    cents: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One day by one way, or one movement: counted once, in however many findings it is."""

    day: date
    cents: int


def activity_of(
    rule: Rule | None, found: Sequence[Finding], book: Book, movements: Sequence[Movement], calendar: BusinessDay
) -> Activity:
    """Return the activity that findings of a rule about one person show, each day and movement of it once.

    `book` and `movements` are the person's; a finding that they no longer show counts as it was found, and so does each
    where the rule is not known any more (None).
    """
    assert found, "an activity was noticed"
    parts: dict[Hashable, _Part] = {}
    pairs = _pairs(rule, movements, calendar)
    for finding in found:
        shown = pairs.get(finding.key) or _days(rule, finding, book)
        parts |= shown or {finding.key: _Part(finding.day, finding.cents)}
    # What settled late can have taken days out of a window: what was noticed stays the least that is reported.
    cents = max(sum(part.cents for part in parts.values()), *(finding.cents for finding in found))
    days = [part.day for part in parts.values()]
    return Activity(min(days), max(days), cents)


def _days(rule: Rule | None, finding: Finding, book: Book) -> Mapping[Hashable, _Part]:
    if rule is None:
        return {}
    return {key: _Part(key[0], total.cents) for key, total in counted_days(rule, book, finding).items()}


def _pairs(
    rule: Rule | None, movements: Sequence[Movement], calendar: BusinessDay
) -> Mapping[str, Mapping[Hashable, _Part]]:
    """Return both movements of every round trip, by the key of its finding."""
    if rule is None or rule.pattern is not Pattern.ROUND_TRIP:
        return {}
    known = {(one.id, one.direction): _Part(calendar.of(one.at_s), one.cents) for one in movements}
    return {
        finding.key: {leg: known[leg] for leg in zip(finding.movements, (Direction.OUT, Direction.IN), strict=True)}
        for finding in pair_findings([rule], movements, calendar)
    }
