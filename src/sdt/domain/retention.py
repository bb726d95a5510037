"""How long what is known of a person must be kept, and so from which day it may be erased.

Counsel of each State confirms; a region that must keep longer places a legal hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

__all__ = ["OFAC", "RETENTIONS", "Relationship", "Retention", "erasable_from", "retention_of"]


@dataclass(frozen=True, slots=True)
class Retention:
    """One duty to keep. Units: `years` from the end of the relationship or the last transaction."""

    name: str
    years: int
    statute: str


BSA: Final = Retention("bsa", 5, "31 C.F.R. 1020.220(a)(3)(ii), 1010.430(d)")
NACHA: Final = Retention("nacha", 6, "Nacha Operating Rules, section 1.4 (records of entries)")
OFAC: Final = Retention("ofac", 10, "31 C.F.R. 501.601")
RETENTIONS: Final = (BSA, NACHA, OFAC)


@dataclass(frozen=True, slots=True)
class Relationship:
    """What there was with a person: `ended_on` is the day of whatever happened last.

    `bank_entries`: a bank account was linked or moved. `transactions`: value moved, each time screened against the
    sanctions lists. Whoever was only ever identified falls under the first duty alone.
    """

    ended_on: date
    bank_entries: bool
    transactions: bool


def retention_of(relationship: Relationship) -> Retention:
    """Return the longest duty that applies."""
    if relationship.transactions:
        return OFAC
    return NACHA if relationship.bank_entries else BSA


def erasable_from(relationship: Relationship) -> date:
    """Return the first day on which the person may be erased."""
    kept, ended = retention_of(relationship), relationship.ended_on
    try:
        return ended.replace(year=ended.year + kept.years)
    except ValueError:  # the 29th of February
        return date(ended.year + kept.years, 3, 1)
