"""A person's movements of value, and the business days they are counted in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

__all__ = [
    "Book",
    "BusinessDay",
    "Channel",
    "Direction",
    "DomainName",
    "Finding",
    "Movement",
    "Pattern",
    "Slot",
    "Total",
    "book_of",
    "merged",
]

DomainName = Literal["dollar", "cash"]


class Channel(Enum):
    """By which way value moved. `currency` is coin and paper alone: tokens and ACH entries never are."""

    CURRENCY = "currency"
    ACH = "ach"
    TOKEN = "token"  # noqa: S105 (a kind of movement)
    METAL = "metal"


class Direction(Enum):
    """Seen by the person: `in` receives."""

    IN = "in"
    OUT = "out"


class Pattern(Enum):
    """What was noticed."""

    CURRENCY_REPORT = "currency_report"
    STRUCTURING = "structuring"
    VELOCITY = "velocity"
    ROUND_TRIP = "round_trip"
    DORMANT_THEN_ACTIVE = "dormant_then_active"
    HIGH_RISK_COUNTERPARTY = "high_risk_counterparty"
    TRAVEL_RULE = "travel_rule"


@dataclass(frozen=True, slots=True)
class Movement:
    """One settled movement. Units: cents of its dollar value; at_s unix seconds.

    `id` is the transaction's; `counterparty` an address, empty where there is none.
    """

    id: str
    person: str = field(repr=False)
    channel: Channel
    direction: Direction
    cents: int
    at_s: int
    counterparty: str = field(default="", repr=False)
    domain: DomainName = "dollar"

    def __post_init__(self) -> None:
        assert type(self.cents) is int and self.cents >= 0, "a movement moves no less than nothing"


@dataclass(frozen=True, slots=True)
class Finding:
    """A pattern in a person's movements, by the rule that names it.

    `anchor` is what makes it this finding and no other of the rule: a day, a day and a direction, or a movement.
    `movements` are the evidence where single movements are; where whole days are, `count` says how many. Units: cents.
    """

    rule: str
    pattern: Pattern
    person: str = field(repr=False)
    anchor: str
    cents: int
    count: int
    day: date
    movements: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What makes the same finding the same, however often it is looked for."""
        return f"{self.rule}:{self.person}:{self.anchor}"


@lru_cache(maxsize=4_096)
def _business_day(zone: ZoneInfo, closes_hour: int, minute: int) -> date:
    """Return the business day of a minute since 1970: clocks are set by whole minutes, and many move in each."""
    here = datetime.fromtimestamp(60 * minute, UTC).astimezone(zone)
    return here.date() + timedelta(days=here.hour >= closes_hour)


@dataclass(frozen=True, slots=True)
class BusinessDay:
    """How a region's moments become business days: its time zone, and the hour after which the next day begins.

    Units: closes_hour 1 to 24 o'clock of the region's own time; 24 is midnight.
    """

    zone: ZoneInfo
    closes_hour: int = 24

    def of(self, at_s: int) -> date:
        """Return the business day of a moment. Units: at_s in unix seconds."""
        return _business_day(self.zone, self.closes_hour, at_s // 60)

    def date_of(self, at_s: int) -> date:
        """Return the date of a moment there, as a calendar on the wall has it. Units: at_s in unix seconds.

        Officers' days go by it: of detection, of blocking, of filing.
        """
        return _business_day(self.zone, 24, at_s // 60)

    def opens_s(self, day: date) -> int:
        """Return the first moment of a business day, in unix seconds."""
        before = day - timedelta(days=1)
        midnight = self.closes_hour == 24
        local = datetime.combine(day if midnight else before, time(0 if midnight else self.closes_hour), self.zone)
        return int(local.timestamp())


@dataclass(frozen=True, slots=True)
class Total:
    """What was moved. Units: cents."""

    count: int = 0
    cents: int = 0

    def __add__(self, other: Total) -> Total:
        return Total(self.count + other.count, self.cents + other.cents)


Slot = tuple[Channel, Direction, DomainName]
Book = Mapping[date, Mapping[Slot, Total]]
"""A person's business days: what moved by which way. A day on which nothing moved is not in it."""


def book_of(movements: Iterable[Movement], calendar: BusinessDay) -> Book:
    """Add movements up by day and way."""
    book: dict[date, dict[Slot, Total]] = {}
    for movement in movements:
        of_day = book.setdefault(calendar.of(movement.at_s), {})
        slot = (movement.channel, movement.direction, movement.domain)
        of_day[slot] = of_day.get(slot, Total()) + Total(1, movement.cents)
    return book


def merged(books: Iterable[Book]) -> Book:
    """Add up the books of several accounts that one person stands behind."""
    book: dict[date, dict[Slot, Total]] = {}
    for one in books:
        for day, slots in one.items():
            of_day = book.setdefault(day, {})
            for slot, total in slots.items():
                of_day[slot] = of_day.get(slot, Total()) + total
    return book
