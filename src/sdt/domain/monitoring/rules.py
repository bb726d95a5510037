"""The rules of monitoring, each with the law it follows. Numbers are the region's; counsel confirms each citation.

Two kinds. What is seen in whole business days is looked for in a book of days, so that a busy account costs no more
than a quiet one: currency report, velocity, and, once a day is over, structuring and dormancy. What is seen in a
single payment is looked for when it settles: travel data, watched counterparties, money that comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sdt.domain.ach.calendar import CLOSED_DAYS_MAX, banking_day_of, counts_from
from sdt.domain.monitoring.movements import (
    Book,
    BusinessDay,
    Channel,
    Direction,
    DomainName,
    Finding,
    Movement,
    Pattern,
    Total,
    book_of,
)

__all__ = [
    "DAY_S",
    "WHEN_OVER",
    "Rule",
    "counted_days",
    "day_findings",
    "days_to_look_at",
    "findings_of",
    "movement_findings",
    "pair_findings",
    "reach",
]

DAY_S: Final = 86_400
WHEN_OVER: Final = frozenset({Pattern.STRUCTURING, Pattern.DORMANT_THEN_ACTIVE})
"""Patterns that more of the same day could still undo: looked for once the day is over."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. What its numbers mean is said where its pattern is looked for.

    Units: cents; days; `count` movements or days; `share_ppm` millionths. In force from `effective` to before `sunset`.
    """

    id: str
    pattern: Pattern
    statute: str
    cents: int
    days: int = 1
    count: int = 1
    floor_cents: int = 0
    share_ppm: int = 1_000_000
    domain: DomainName | None = None
    effective: date = date.min
    sunset: date | None = None

    def in_force(self, day: date) -> bool:
        """Return whether it is in force on a day."""
        return self.effective <= day and (self.sunset is None or day < self.sunset)

    def is_about(self, domain: DomainName) -> bool:
        """Return whether it is about this domain."""
        return self.domain in (None, domain)


def reach(rules: Iterable[Rule]) -> int:
    """Return how many days back the longest of the rules over days looks; dormancy asks for no more.

    Days on which the banks are closed count with the one after them, at either end of what is looked at.
    """
    over_days = (Pattern.STRUCTURING, Pattern.VELOCITY, Pattern.CURRENCY_REPORT)
    return max((rule.days for rule in rules if rule.pattern in over_days), default=1) + 2 * CLOSED_DAYS_MAX


def days_to_look_at(book: Book) -> set[date]:
    """Return the days on which a book may show something: those it has, and the banking days they count with."""
    return {*book, *map(banking_day_of, book)}


def findings_of(
    movements: Sequence[Movement],
    rules: Sequence[Rule],
    calendar: BusinessDay,
    high_risk: AbstractSet[str] = frozenset(),
) -> list[Finding]:
    """Return every finding in all of one person's movements, all of whose days are over, in the order of their keys.

    The same movements always give the same findings, in whatever order they are given.
    """
    assert len({movement.person for movement in movements}) <= 1, "movements are one person's"
    if not movements:
        return []
    person, book = movements[0].person, book_of(movements, calendar)
    found = [
        finding
        for day in days_to_look_at(book)
        for over in (False, True)
        for finding in day_findings(rules, person, book, day, over)
    ]
    for movement in movements:
        found += movement_findings(rules, movement, calendar, high_risk)
    found += pair_findings(rules, movements, calendar)
    return sorted(found, key=lambda finding: finding.key)


def day_findings(rules: Iterable[Rule], person: str, book: Book, day: date, over: bool) -> Iterator[Finding]:
    """Return what one business day shows; `over` asks for the patterns that wait until the day has ended.

    Shape: `book` goes `reach` days back from `day`, and holds the last day before that on which anything moved.
    A day that is no banking day shows nothing of currency by itself: the banking day that it counts with does.
    """
    for rule in rules:
        look = _DAYS.get(rule.pattern)
        if look is not None and (rule.pattern in WHEN_OVER) == over and rule.in_force(day):
            yield from look(rule, person, book, day)


def _day_finding(rule: Rule, person: str, day: date, total: Total, direction: Direction | None = None) -> Finding:
    anchor = f"{day}:{direction.value}" if direction else str(day)
    return Finding(rule.id, rule.pattern, person, anchor, total.cents, total.count, day)


def _sum(rule: Rule, book: Book, day: date, *, channel: Channel | None = None, way: Direction | None = None) -> Total:
    total = Total()
    for (by, direction, domain), moved in book.get(day, {}).items():
        if channel in (None, by) and way in (None, direction) and rule.is_about(domain):
            total += moved
    return total


def _currency(rule: Rule, book: Book, day: date, way: Direction) -> Total:
    """Return the currency of a banking day: with its own, that of the nights and the days before it on which the banks
    are closed. Nothing for a day that is none.

    Source: 31 C.F.R. 1010.313(b).
    """
    if banking_day_of(day) != day:
        return Total()
    return sum(
        (_sum(rule, book, one, channel=Channel.CURRENCY, way=way) for one in _from(counts_from(day), day)), Total()
    )


def _from(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _window(rule: Rule, day: date) -> list[date]:
    return [day - timedelta(days=back) for back in range(rule.days)]


def _currency_report(rule: Rule, person: str, book: Book, day: date) -> Iterator[Finding]:
    """More than `cents` of currency in one banking day; in and out are not added up.

    Source: 31 C.F.R. 1010.311 and 1010.313 (aggregation).
    """
    for direction in Direction:
        total = _currency(rule, book, day, direction)
        if total.cents > rule.cents:
            yield _day_finding(rule, person, day, total, direction)


def _structuring(rule: Rule, person: str, book: Book, day: date) -> Iterator[Finding]:
    """Currency on `count` days or more within `days`, no banking day above `cents` and each at least `floor_cents`,
    more than `cents` together: as somebody would who knows where the report begins.

    Days that count with one banking day are as many as there are with `floor_cents` or more.
    Source: 31 U.S.C. 5324.
    """
    for direction in Direction:
        if not _currency(rule, book, day, direction).count:
            continue
        under = _under(rule, book, day, direction)
        together = sum(under.values(), Total())
        count = sum(max(1, _large(rule, book, one, direction)) for one in under)
        if day in under and count >= rule.count and together.cents > rule.cents:
            yield _day_finding(rule, person, day, together, direction)


def _under(rule: Rule, book: Book, day: date, way: Direction) -> dict[date, Total]:
    """Return the banking days of a window that ends on `day` whose currency stays below the report."""
    return {
        one: total
        for one in _from(counts_from(day) - timedelta(days=rule.days - 1), day)
        if (total := _currency(rule, book, one, way)).count and rule.floor_cents <= total.cents <= rule.cents
    }


def _large(rule: Rule, book: Book, day: date, way: Direction) -> int:
    days = _from(counts_from(day), day)
    totals = [_sum(rule, book, one, channel=Channel.CURRENCY, way=way) for one in days]
    return sum(1 for total in totals if total.count and total.cents >= rule.floor_cents)


def _velocity(rule: Rule, person: str, book: Book, day: date) -> Iterator[Finding]:
    """`count` movements or more within `days` business days, of more than `cents` together."""
    total = sum((_sum(rule, book, one) for one in _window(rule, day)), Total())
    if total.count >= rule.count and total.cents > rule.cents and _sum(rule, book, day).count:
        yield _day_finding(rule, person, day, total)


def _dormant(rule: Rule, person: str, book: Book, day: date) -> Iterator[Finding]:
    """Nothing for `days`, then `cents` or more in one business day. A first day wakes nobody."""
    active = [one for one in book if one < day and _sum(rule, book, one).count]
    total = _sum(rule, book, day)
    if active and (day - max(active)).days >= rule.days and total.cents >= rule.cents:
        yield _day_finding(rule, person, day, total)


_DAYS: Final[Mapping[Pattern, Callable[[Rule, str, Book, date], Iterator[Finding]]]] = {
    Pattern.CURRENCY_REPORT: _currency_report,
    Pattern.STRUCTURING: _structuring,
    Pattern.VELOCITY: _velocity,
    Pattern.DORMANT_THEN_ACTIVE: _dormant,
}


def counted_days(rule: Rule, book: Book, finding: Finding) -> dict[tuple[date, Direction | None], Total]:
    """Return what a finding over days counted on each of them; nothing for one that counts movements.

    Shape: `book` as for `day_findings`; days are the movements' own, also where they count with another banking day.
    """
    totals: dict[tuple[date, Direction | None], Total]
    if rule.pattern is Pattern.STRUCTURING:
        way = Direction(finding.anchor.partition(":")[2])
        banking = _under(rule, book, finding.day, way)
        days = [one for last in banking for one in _from(counts_from(last), last)]
        totals = {(one, way): _sum(rule, book, one, channel=Channel.CURRENCY, way=way) for one in days}
    elif rule.pattern in (Pattern.VELOCITY, Pattern.DORMANT_THEN_ACTIVE):
        days = _window(rule, finding.day) if rule.pattern is Pattern.VELOCITY else [finding.day]
        totals = {(one, None): _sum(rule, book, one) for one in days}
    else:
        return {}
    return {key: total for key, total in totals.items() if total.count}


def movement_findings(
    rules: Iterable[Rule], movement: Movement, calendar: BusinessDay, high_risk: AbstractSet[str]
) -> Iterator[Finding]:
    """Return what one movement shows by itself: travel data that it needs, or somebody who is watched.

    Travel data: a token payment of `cents` or more. An ACH entry carries its own. Source: 31 C.F.R. 1010.410(f).
    """
    for rule in rules:
        if rule.pattern is Pattern.TRAVEL_RULE:
            shown = movement.direction is Direction.OUT and movement.channel is Channel.TOKEN
        else:
            shown = rule.pattern is Pattern.HIGH_RISK_COUNTERPARTY and movement.counterparty in high_risk
        day = calendar.of(movement.at_s)
        if shown and movement.cents >= rule.cents and rule.is_about(movement.domain) and rule.in_force(day):
            yield _pair_finding(rule, movement.id, day, (movement,))


def pair_findings(rules: Iterable[Rule], movements: Iterable[Movement], calendar: BusinessDay) -> Iterator[Finding]:
    """Return what comes back from whom it went to, within `days`: at least `cents` out, and `share_ppm` of it back.

    One finding for each payment that comes back, with the last payment out that explains it.
    """
    trips = [rule for rule in rules if rule.pattern is Pattern.ROUND_TRIP]
    if not trips:
        return
    outs: dict[str, list[Movement]] = {}
    for movement in sorted(movements, key=lambda movement: (movement.at_s, movement.id)):
        if not movement.counterparty:
            continue
        if movement.direction is Direction.OUT:
            outs.setdefault(movement.counterparty, []).append(movement)
            continue
        day = calendar.of(movement.at_s)
        for rule in trips:
            out = _went_out(rule, movement, outs.get(movement.counterparty, ()))
            if out is not None and rule.in_force(day):
                yield _pair_finding(rule, movement.id, day, (out, movement))


def _went_out(rule: Rule, back: Movement, outs: Sequence[Movement]) -> Movement | None:
    for out in reversed(outs):
        if back.at_s - out.at_s >= rule.days * DAY_S:
            return None
        about = rule.is_about(out.domain) and out.domain == back.domain
        if about and out.cents >= rule.cents and back.cents * 1_000_000 >= out.cents * rule.share_ppm:
            return out
    return None


def _pair_finding(rule: Rule, anchor: str, day: date, evidence: Sequence[Movement]) -> Finding:
    cents = sum(movement.cents for movement in evidence)
    ids = tuple(movement.id for movement in evidence)
    return Finding(rule.id, rule.pattern, evidence[0].person, anchor, cents, len(evidence), day, ids)
