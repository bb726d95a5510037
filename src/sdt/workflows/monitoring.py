"""Monitoring, a page of postings at a time: look first, with nothing locked; then write in one short commit.

What was read, what was noticed and how far the reading came are committed together, so that a crash repeats a page
as a whole or not at all. Looking again at what was looked at finds the same, and the same is written once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from sdt.domain.ach.calendar import counts_from
from sdt.domain.monitoring.movements import Book, Channel, Direction, Finding, Movement, Pattern, Slot, Total, merged
from sdt.domain.monitoring.persons import PREFIX
from sdt.domain.monitoring.rules import (
    DAY_S,
    Rule,
    day_findings,
    days_to_look_at,
    movement_findings,
    pair_findings,
    reach,
)
from sdt.domain.monitoring.value import Prices
from sdt.domain.region import Region
from sdt.store import Store, findings, movements, people_behind, travel
from sdt.store.movements import Horizon
from sdt.store.travel import TravelRow
from sdt.store.watch import watched_among
from sdt.workflows.movements import Moved, read_movements

__all__ = ["DayLook", "Look", "keeps", "look_at_days", "look_at_page", "unlinked", "write_days", "write_page"]

CURSOR: Final = "postings"
PAIRS_MAX: Final = 5_000
PERSON_ACCOUNTS_MAX: Final = 20_000
RETENTION_YEARS: Final = 5
GRACE_S: Final = 900
"""A day is looked at as a whole a quarter of an hour after it closed: what settled at its end is in the books."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A finding, and the accounts that its person stands behind."""

    finding: Finding
    accounts: tuple[str, ...]


@dataclass(slots=True)
class Look:
    """What one page of postings shows. `upto` is its last posting."""

    after: int
    upto: int
    full: bool
    days: dict[tuple[str, date], dict[Slot, Total]] = field(default_factory=dict)
    kept: list[Movement] = field(default_factory=list)
    noticed: list[Noticed] = field(default_factory=list)
    travel: list[TravelRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DayLook:
    """What a business day that is over shows of some accounts."""

    day: date
    accounts: Sequence[str]
    noticed: Sequence[Noticed]


def keeps(movement: Movement, rules: Iterable[Rule]) -> bool:
    """Return whether a single movement is kept: all but small payments, which are counted by the day."""
    least = min((r.cents * r.share_ppm // 1_000_000 for r in rules if r.pattern is Pattern.ROUND_TRIP), default=10**18)
    return movement.channel is not Channel.TOKEN or movement.cents >= least


def look_at_page(store: Store, region: Region, prices: Prices, to: Horizon, limit: int, now_s: int) -> Look | None:
    """Read the postings after the cursor and say what they show, or None when there are none. Writes nothing."""
    after, _ = movements.cursor(store, CURSOR)
    rows = movements.page(store, after, to.last_id, limit)
    if not rows:
        return None
    calendar = region.business_day
    moved = read_movements(store, region, prices, calendar, rows)
    look = Look(after, rows[-1].id, len(rows) == limit)
    behind = _behind(store, {one.movement.person for one in moved})
    moved = [one for one in moved if not _twice(one, moved, behind)]
    for one in moved:
        of_day = look.days.setdefault((one.movement.person, calendar.of(one.movement.at_s)), {})
        slot = (one.movement.channel, one.movement.direction, one.movement.domain)
        of_day[slot] = of_day.get(slot, Total()) + Total(1, one.movement.cents)
    look.kept = [one.movement for one in moved if keeps(one.movement, region.monitors)]
    _look_at_days(store, region, look, behind)
    _look_at_movements(store, region, look, moved, now_s)
    return look


def write_page(store: Store, region: Region, look: Look, today: date, at_ms: int) -> bool:
    """Commit a look. Return False, with nothing written, when somebody else has read on meanwhile."""
    with store.transaction():
        if not movements.advance(store, CURSOR, look.after, look.upto):
            return False
        movements.add_days(
            store,
            [(who, day, slot, total) for (who, day), of_day in look.days.items() for slot, total in of_day.items()],
        )
        movements.keep(store, look.kept)
        travel.draft(store, look.travel)
        _write(store, region, look.noticed, today, at_ms)
    return True


def _write(store: Store, region: Region, noticed: Iterable[Noticed], today: date, at_ms: int) -> None:
    for one in noticed:
        findings.note(store, region, one.finding, one.accounts, today=today, at_ms=at_ms)


@dataclass(frozen=True, slots=True)
class _Behind:
    """Who moved something by hand or stands behind an account that moved: all the accounts of each."""

    accounts: Mapping[str, Sequence[str]]


def _behind(store: Store, people: Collection[str]) -> _Behind:
    persons = [one for one in people if one.startswith(PREFIX)]
    accounts = [one for one in people if not one.startswith(PREFIX)]
    return _Behind(people_behind.accounts_by_person(store, accounts, persons, PERSON_ACCOUNTS_MAX))


def _twice(one: Moved, moved: Sequence[Moved], behind: _Behind) -> bool:
    """Whether somebody handed in currency for an account that they stand behind: it counts there already."""
    person = one.movement.person
    if not person.startswith(PREFIX):
        return False
    holders = {other.movement.person for other in moved if other.movement.id == one.movement.id}
    return bool(holders & set(behind.accounts.get(person, ())))


def _look_at_days(store: Store, region: Region, look: Look, behind: _Behind) -> None:
    """Hold the days that something was added to, and those after them that reach back to these, against the rules."""
    touched: dict[str, set[date]] = {}
    for who, day in look.days:
        touched.setdefault(who, set()).add(day)
    if not touched:
        return
    span = timedelta(days=reach(region.monitors))
    days = [day for _, day in look.days]
    since, until = min(days) - span, max(days) + span
    books = dict(movements.books(store, _everybody(touched, behind), since, until))
    for (who, day), of_day in look.days.items():
        books[who] = merged([books.get(who, {}), {day: of_day}])
    look.noticed += _of_days(region.monitors, touched, books, behind, over=False, span=span)


def _everybody(touched: Iterable[str], behind: _Behind) -> list[str]:
    everybody = set(touched) | set(behind.accounts)
    for held in behind.accounts.values():
        everybody |= set(held)
    return sorted(everybody)


def _of_days(
    rules: Sequence[Rule],
    touched: Mapping[str, set[date]],
    books: Mapping[str, Book],
    behind: _Behind,
    *,
    over: bool,
    span: timedelta,
    until: date = date.max,
) -> list[Noticed]:
    """Look at each account by itself, then at everybody who stands behind several: what one account alone shows is
    that account's finding and not found again for its people, whether or not the account moved just now."""
    found: list[Noticed] = []
    for who in sorted(touched):
        book = books.get(who, {})
        own = tuple(behind.accounts.get(who, ())) if who.startswith(PREFIX) else (who,)
        for day in _affected(book, touched[who], span, until):
            found += [Noticed(finding, own) for finding in day_findings(rules, who, book, day, over)]
    for person, held in sorted(behind.accounts.items()):
        parts = [one for one in (*held, person) if one in books]
        if len(parts) < 2:
            continue
        book = merged(books[one] for one in parts)
        days = {day for one in parts for day in touched.get(one, ())}
        first = [one for one in held if one in touched] + [one for one in held if one not in touched]
        for day in _affected(book, days, span, until):
            found += [
                Noticed(finding, tuple(first))
                for finding in day_findings(rules, person, book, day, over)
                if not any(_shows(rules, one, books[one], finding, over) for one in held if one in books)
            ]
    return found


def _shows(rules: Sequence[Rule], account: str, book: Book, finding: Finding, over: bool) -> bool:
    """Whether one account alone shows what was found of several."""
    return any(
        (own.rule, own.anchor, own.cents) == (finding.rule, finding.anchor, finding.cents)
        for own in day_findings(rules, account, book, finding.day, over)
    )


def _affected(book: Book, days: Iterable[date], span: timedelta, until: date) -> list[date]:
    """Return the days that may show something and whose windows reach a day that changed."""
    changed = set(days)
    return sorted(
        one for one in days_to_look_at(book) if one < until and any(day <= one < day + span for day in changed)
    )


def _look_at_movements(store: Store, region: Region, look: Look, moved: Sequence[Moved], now_s: int) -> None:
    calendar, rules = region.business_day, region.monitors
    counterparties = sorted({one.movement.counterparty for one in moved} - {""})
    risky = watched_among(store, counterparties, calendar.date_of(now_s), now_s)
    for one in moved:
        for finding in movement_findings(rules, one.movement, calendar, risky):
            if finding.pattern is Pattern.TRAVEL_RULE:
                look.travel.append(_record(one, finding.day))
            else:
                look.noticed.append(Noticed(finding, (one.movement.person,)))
    payments = [movement for movement in look.kept if movement.channel is Channel.TOKEN and movement.counterparty]
    trips = [rule for rule in rules if rule.pattern is Pattern.ROUND_TRIP]
    if not payments or not trips:
        return
    window_s = max(rule.days for rule in trips) * DAY_S
    known = movements.pairs(
        store,
        {movement.person for movement in payments},
        {movement.counterparty for movement in payments},
        min(movement.at_s for movement in payments) - window_s,
        max(movement.at_s for movement in payments) + window_s,
        PAIRS_MAX,
    )
    fresh = {(movement.id, movement.person, movement.direction) for movement in payments}
    by_person: dict[str, list[Movement]] = {}
    for movement in [*payments, *(m for m in known if (m.id, m.person, m.direction) not in fresh)]:
        by_person.setdefault(movement.person, []).append(movement)
    new_ids = {movement.id for movement in payments}
    for person, theirs in sorted(by_person.items()):
        for finding in pair_findings(trips, theirs, calendar):
            if new_ids & set(finding.movements):
                look.noticed.append(Noticed(finding, (person,)))


def _record(one: Moved, day: date) -> TravelRow:
    movement = one.movement
    assert movement.direction is Direction.OUT
    keep_until = date(day.year + RETENTION_YEARS, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)
    return TravelRow(
        movement.id,
        movement.person,
        movement.counterparty,
        one.token.symbol,
        one.units,
        movement.cents,
        movement.at_s,
        None,
        None,
        keep_until.isoformat(),
        False,
    )


def unlinked(store: Store, look: Look) -> list[str]:
    """Return the accounts of the larger movements of a look behind which nobody is known to stand yet."""
    accounts = {movement.person for movement in look.kept if not movement.person.startswith(PREFIX)}
    return sorted(accounts - people_behind.linked(store, sorted(accounts)))


def look_at_days(store: Store, region: Region, limit: int, now_s: int) -> DayLook | None:
    """Look at the oldest day that is over and was not looked at as a whole. Writes nothing.

    A day is over when the banking day is that it counts with: until then more of the same may come.
    """
    rules = region.monitors
    first_open = counts_from(region.business_day.of(now_s - GRACE_S))
    found = movements.unjudged(store, first_open, limit)
    if found is None:
        return None
    day, accounts = found
    behind = _behind(store, accounts)
    span = timedelta(days=reach(rules))
    since = day - span
    everybody = _everybody(accounts, behind)
    books: dict[str, Book] = dict(movements.books(store, everybody, since, day + span))
    for who, (last, slots) in movements.last_days(store, everybody, since).items():
        books[who] = {last: {slot: Total(1, 0) for slot in slots}, **books.get(who, {})}
    touched = {who: {day} for who in accounts}
    noticed = _of_days(rules, touched, books, behind, over=True, span=span, until=first_open)
    return DayLook(day, accounts, noticed)


def write_days(store: Store, region: Region, look: DayLook, today: date, at_ms: int) -> None:
    """Commit what a day that is over showed."""
    with store.transaction():
        _write(store, region, look.noticed, today, at_ms)
        movements.mark_judged(store, look.accounts, look.day)
