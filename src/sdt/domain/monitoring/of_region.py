"""The rules of monitoring as a region's file writes them: dated, cited, and with just the numbers their pattern has.

They stand under the file's digest like every rule. Signers read them and do nothing with them: they hold no history.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sdt.domain.errors import Invalid
from sdt.domain.monitoring.movements import Pattern
from sdt.domain.monitoring.rules import Rule

__all__ = ["LEGAL_STATUSES", "LegalStatus", "MonitorRule"]

LegalStatus = Literal["msb", "permitted_issuer", "agency"]
LEGAL_STATUSES: Final[tuple[LegalStatus, ...]] = ("msb", "permitted_issuer", "agency")
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
Cents = Annotated[int, Meta(ge=1, le=10**15)]

_NUMBERS: Final[Mapping[Pattern, frozenset[str]]] = {
    Pattern.CURRENCY_REPORT: frozenset(),
    Pattern.STRUCTURING: frozenset({"days", "count", "floor_cents"}),
    Pattern.VELOCITY: frozenset({"days", "count"}),
    Pattern.ROUND_TRIP: frozenset({"days", "share_ppm"}),
    Pattern.DORMANT_THEN_ACTIVE: frozenset({"days"}),
    Pattern.HIGH_RISK_COUNTERPARTY: frozenset(),
    Pattern.TRAVEL_RULE: frozenset(),
}
"""Which numbers each pattern has besides `cents`: all of them, and no others."""


class MonitorRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[monitor]]` of the file. `statuses`: under which legal statuses of the region it is in force.

    Units: as of `sdt.domain.monitoring.rules.Rule`.
    """

    id: Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9.-]{2,31}\Z")]
    pattern: Pattern
    text: Annotated[str, Meta(min_length=10, max_length=400)]
    statute: Annotated[str, Meta(min_length=3, max_length=200)]
    effective: Day
    sunset: Day | None = None
    statuses: tuple[LegalStatus, ...] = LEGAL_STATUSES
    domain: Literal["dollar", "cash"] | None = None
    cents: Cents
    days: Annotated[int, Meta(ge=1, le=3_660)] | None = None
    count: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    floor_cents: Annotated[int, Meta(ge=0, le=10**15)] | None = None
    share_ppm: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None

    def rule(self) -> Rule:
        """Return the rule as it is looked for. Errors: Invalid, naming the number that is missing or has no meaning."""
        given = {
            name: number
            for name in ("days", "count", "floor_cents", "share_ppm")
            if (number := getattr(self, name)) is not None
        }
        wanted = _NUMBERS[self.pattern]
        if given.keys() != wanted:
            wrong = ", ".join(sorted(given.keys() ^ wanted))
            raise Invalid(f"Rule {self.id} is a {self.pattern.value}: see {wrong}.", code="region_file")
        if not self.statuses:
            raise Invalid(f"Rule {self.id} is in force under no legal status.", code="region_file")
        if self.pattern is Pattern.STRUCTURING and not given["floor_cents"] <= self.cents:
            raise Invalid(f"Rule {self.id} has a floor above its cents.", code="region_file")
        try:
            effective = date.fromisoformat(self.effective)
            sunset = date.fromisoformat(self.sunset) if self.sunset else None
        except ValueError:
            raise Invalid(f"Rule {self.id} has a date that is no day of the calendar.", code="region_file") from None
        if sunset is not None and sunset <= effective:
            raise Invalid(f"Rule {self.id} ends before it begins.", code="region_file")
        return Rule(
            self.id,
            self.pattern,
            self.statute,
            self.cents,
            **given,
            domain=self.domain,
            effective=effective,
            sunset=sunset,
        )
