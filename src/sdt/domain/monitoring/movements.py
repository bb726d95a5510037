"""A person's movements of value, and the days they are counted in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

__all__ = ["Channel", "Direction", "Finding", "Movement", "Pattern", "by_day", "day_of"]


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

    def __post_init__(self) -> None:
        assert type(self.cents) is int and self.cents > 0, "a movement moves more than nothing"


@dataclass(frozen=True, slots=True)
class Finding:
    """A pattern in a person's movements, by the rule that names it. `movements` are the evidence, oldest first."""

    rule: str
    pattern: Pattern
    person: str = field(repr=False)
    cents: int
    movements: tuple[str, ...]
    first_at_s: int
    last_at_s: int

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What makes the same finding the same, however often it is looked for."""
        return self.rule, self.person, self.movements


def day_of(at_s: int, zone: ZoneInfo, closes_hour: int = 24) -> date:
    """Return the business day of a moment in the region's own time.

    What comes after the hour of closing belongs to the next day. Units: at_s in unix seconds.
    """
    here = datetime.fromtimestamp(at_s, UTC).astimezone(zone)
    return here.date() + timedelta(days=here.hour >= closes_hour)


def by_day(movements: Iterable[Movement], zone: ZoneInfo, closes_hour: int = 24) -> dict[date, list[Movement]]:
    """Return movements by business day, in the order of the days."""
    days: dict[date, list[Movement]] = {}
    for movement in sorted(movements, key=lambda movement: (movement.at_s, movement.id)):
        days.setdefault(day_of(movement.at_s, zone, closes_hour), []).append(movement)
    return days
