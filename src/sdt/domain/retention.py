"""How long what is known of a person must be kept, and so from which day it may be erased.

Counsel of each State confirms; a region that must keep longer places a legal hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

__all__ = ["OFAC", "RETENTIONS", "Kept", "Relationship", "Retention", "kept", "years_before"]


@dataclass(frozen=True, slots=True)
class Retention:
    """One duty to keep. Units: `years` from the end of the relationship, or from the filing of a report."""

    name: str
    years: int
    statute: str


BSA: Final = Retention("bsa", 5, "31 C.F.R. 1020.220(a)(3)(ii), 1010.430(d)")
NACHA: Final = Retention("nacha", 6, "Nacha Operating Rules, section 1.4 (records of entries)")
OFAC: Final = Retention("ofac", 10, "31 C.F.R. 501.601")
REPORTS: Final = Retention("bsa", 5, "31 C.F.R. 1010.430(d)")
"""From a report's filing, it and what supports it: 31 C.F.R. 1010.306(a)(2), 1020.320(d), 1022.320(c).

By name and citation it is one of the others: nobody learns from a refusal which report there was.
"""
RETENTIONS: Final = (BSA, NACHA, OFAC, REPORTS)


@dataclass(frozen=True, slots=True)
class Relationship:
    """What there was with a person: `ended_on` is the day of whatever happened last.

    `bank_entries`: a bank account was linked or moved. `transactions`: value moved, each time screened against the
    sanctions lists. Whoever was only ever identified falls under the first duty alone. `filed_on`: the day of the
    newest report that is about the person, for whoever may know of it.
    """

    ended_on: date
    bank_entries: bool
    transactions: bool
    filed_on: date | None = None


class Kept(NamedTuple):
    """Until when a person's data is kept: by which duty, from which day on its years count."""

    erasable_from: date
    duty: Retention
    since: date


def kept(relationship: Relationship) -> Kept:
    """Return the duty that ends last, and the first day on which the person may be erased."""
    longest = OFAC if relationship.transactions else NACHA if relationship.bank_entries else BSA
    duties = [(longest, relationship.ended_on)]
    if relationship.filed_on is not None:
        duties.append((REPORTS, relationship.filed_on))
    return max((Kept(_after(since, duty.years), duty, since) for duty, since in duties), key=lambda one: one[0])


def _after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return date(day.year + years, 3, 1)


def years_before(day: date, years: int) -> date:
    """Return the day on which years that are over on `day` began: what is older has been kept so long."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # the 29th of February
        return date(day.year - years, 2, 28)
