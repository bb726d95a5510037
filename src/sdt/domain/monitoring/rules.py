"""The rules of monitoring, each with the law it follows. Numbers are the region's; counsel confirms each citation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sdt.domain.monitoring.movements import Channel, Direction, Finding, Movement, Pattern, by_day

__all__ = ["DAY_S", "Rule", "findings_of"]

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. What its numbers mean is said where its pattern is looked for.

    Units: cents; days; `count` movements or days; `share_ppm` millionths.
    """

    id: str
    pattern: Pattern
    statute: str
    cents: int
    days: int = 1
    count: int = 1
    floor_cents: int = 0
    share_ppm: int = 1_000_000


@dataclass(frozen=True, slots=True)
class _Look:
    """One person's movements, oldest first, and what they are held against."""

    movements: Sequence[Movement]
    zone: ZoneInfo
    high_risk: AbstractSet[str]


def findings_of(
    movements: Sequence[Movement], rules: Sequence[Rule], zone: ZoneInfo, high_risk: AbstractSet[str] = frozenset()
) -> list[Finding]:
    """Return every finding in one person's movements, by rule. The same movements always give the same findings.

    `zone` is the region's time; `high_risk` are addresses to be watched.
    """
    assert len({movement.person for movement in movements}) <= 1, "movements are one person's"
    ordered = sorted(movements, key=lambda movement: (movement.at_s, movement.id))
    look = _Look(ordered, zone, high_risk)
    return [finding for rule in rules for finding in _PATTERNS[rule.pattern](rule, look)]


def _finding(rule: Rule, evidence: Sequence[Movement]) -> Finding:
    return Finding(
        rule=rule.id,
        pattern=rule.pattern,
        person=evidence[0].person,
        cents=sum(movement.cents for movement in evidence),
        movements=tuple(movement.id for movement in evidence),
        first_at_s=evidence[0].at_s,
        last_at_s=evidence[-1].at_s,
    )


def _currency_days(look: _Look, direction: Direction) -> dict[date, list[Movement]]:
    currency = [m for m in look.movements if m.channel is Channel.CURRENCY and m.direction is direction]
    return by_day(currency, look.zone)


def _currency_report(rule: Rule, look: _Look) -> Iterator[Finding]:
    """More than `cents` of currency in one business day; in and out are not added up.

    Source: 31 C.F.R. 1010.311 and 1010.313 (aggregation).
    """
    for direction in Direction:
        for of_day in _currency_days(look, direction).values():
            if sum(movement.cents for movement in of_day) > rule.cents:
                yield _finding(rule, of_day)


def _structuring(rule: Rule, look: _Look) -> Iterator[Finding]:
    """Currency on `count` days or more within `days`, no day above `cents` and each at least `floor_cents`, more
    than `cents` together: as somebody would who knows where the report begins.

    Source: 31 U.S.C. 5324.
    """
    for direction in Direction:
        under = [
            (day, of_day)
            for day, of_day in _currency_days(look, direction).items()
            if rule.floor_cents <= sum(m.cents for m in of_day) <= rule.cents
        ]
        start = 0
        while start < len(under):
            last = under[start][0] + timedelta(days=rule.days - 1)
            run = [of_day for day, of_day in under[start:] if day <= last]
            evidence = [movement for of_day in run for movement in of_day]
            if len(run) >= rule.count and sum(m.cents for m in evidence) > rule.cents:
                yield _finding(rule, evidence)
                start += len(run)
            else:
                start += 1


def _velocity(rule: Rule, look: _Look) -> Iterator[Finding]:
    """`count` movements or more within `days`, of more than `cents` together; each is evidence once."""
    start = 0
    moves = look.movements
    for end in range(len(moves)):
        while moves[end].at_s - moves[start].at_s >= rule.days * DAY_S:
            start += 1
        run = moves[start : end + 1]
        if len(run) >= rule.count and sum(movement.cents for movement in run) > rule.cents:
            yield _finding(rule, run)
            start = end + 1


def _round_trip(rule: Rule, look: _Look) -> Iterator[Finding]:
    """What went out to somebody comes back from them within `days`: at least `cents`, and `share_ppm` of it."""
    used: set[str] = set()
    for place, out in enumerate(look.movements):
        if out.direction is not Direction.OUT or not out.counterparty or out.cents < rule.cents:
            continue
        for back in look.movements[place + 1 :]:
            if back.at_s - out.at_s >= rule.days * DAY_S:
                break
            same = back.direction is Direction.IN and back.counterparty == out.counterparty and back.id not in used
            if same and back.cents * 1_000_000 >= out.cents * rule.share_ppm:
                used.add(back.id)
                yield _finding(rule, (out, back))
                break


def _dormant(rule: Rule, look: _Look) -> Iterator[Finding]:
    """Nothing for `days`, then `cents` or more in a day."""
    for place in range(1, len(look.movements)):
        now, before = look.movements[place], look.movements[place - 1]
        if now.at_s - before.at_s < rule.days * DAY_S:
            continue
        burst = [movement for movement in look.movements[place:] if movement.at_s - now.at_s < DAY_S]
        if sum(movement.cents for movement in burst) >= rule.cents:
            yield _finding(rule, burst)


def _high_risk(rule: Rule, look: _Look) -> Iterator[Finding]:
    """Any movement of `cents` or more with somebody who is watched."""
    for movement in look.movements:
        if movement.counterparty in look.high_risk and movement.cents >= rule.cents:
            yield _finding(rule, (movement,))


def _travel_rule(rule: Rule, look: _Look) -> Iterator[Finding]:
    """A payment of `cents` or more that is no ACH entry: who pays whom must travel with it.

    Source: 31 C.F.R. 1010.410(f).
    """
    for movement in look.movements:
        paid = movement.direction is Direction.OUT and movement.channel is Channel.TOKEN
        if paid and movement.cents >= rule.cents:
            yield _finding(rule, (movement,))


_PATTERNS: Final[Mapping[Pattern, Callable[[Rule, _Look], Iterator[Finding]]]] = {
    Pattern.CURRENCY_REPORT: _currency_report,
    Pattern.STRUCTURING: _structuring,
    Pattern.VELOCITY: _velocity,
    Pattern.ROUND_TRIP: _round_trip,
    Pattern.DORMANT_THEN_ACTIVE: _dormant,
    Pattern.HIGH_RISK_COUNTERPARTY: _high_risk,
    Pattern.TRAVEL_RULE: _travel_rule,
}
