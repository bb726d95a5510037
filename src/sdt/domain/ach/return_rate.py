"""How often our debits come back, against the rates above which Nacha asks the originator why.

Source: Nacha Operating Rules, Section 2.17 (return rate levels), over the preceding 60 days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from sdt.domain.ach.codes import RETURNS, Family

__all__ = ["LEVELS_PPM", "WATCHED_DAYS", "Rate", "return_rates"]

WATCHED_DAYS: Final = 60
Watched = Literal["unauthorized", "administrative", "overall"]
LEVELS_PPM: Final[Mapping[Watched, int]] = {"unauthorized": 5_000, "administrative": 30_000, "overall": 150_000}
"""Units: millionths of the debits originated: 0.5 %, 3 %, 15 %."""
_FAMILIES: Final[Mapping[Family, Watched]] = {
    Family.UNAUTHORIZED: "unauthorized",
    Family.ADMINISTRATIVE: "administrative",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """One watched rate, as the two counts it is made of."""

    name: Watched
    returned: int
    originated: int

    @property
    def ppm(self) -> int:
        """Millionths, rounded up; returns without debits in these days (of earlier ones) are all of them."""
        if not self.originated:
            return 1_000_000 if self.returned else 0
        return -(-self.returned * 1_000_000 // self.originated)

    @property
    def above(self) -> bool:
        """Whether it exceeds its level; compared without division, so exactly."""
        return self.returned * 1_000_000 > LEVELS_PPM[self.name] * self.originated


def return_rates(originated_on: Iterable[date], returns: Iterable[tuple[str, date]], today: date) -> tuple[Rate, ...]:
    """Return the three rates over the 60 days before and including `today`.

    Shape: a date for every debit; (return code, date it arrived) for every return of a debit.
    """
    first = today - timedelta(days=WATCHED_DAYS - 1)
    originated = sum(first <= day <= today for day in originated_on)
    counts: dict[Watched, int] = dict.fromkeys(LEVELS_PPM, 0)
    for code, day in returns:
        if not first <= day <= today:
            continue
        counts["overall"] += 1
        known = RETURNS.get(code)
        watched = _FAMILIES.get(known.family) if known else None
        if watched:
            counts[watched] += 1
    return tuple(Rate(name, counts[name], originated) for name in LEVELS_PPM)
