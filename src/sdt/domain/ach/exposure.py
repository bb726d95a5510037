"""What may still come back of what was minted already, and how much must stand behind it.

A consumer may take a debit back for 60 days, long after its tokens were spent, and what comes back on the last of them
reaches us a banking day later. The loss is never the payees', so the
region's clearing prefund and loss fund must cover a share of it, and the largest users whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from sdt.domain.ach.codes import Deadline
from sdt.domain.money import USD, Amount, Rounding

__all__ = ["RETURNABLE_DAYS_MAX", "Cover", "Minted", "exposure_of", "last_return_day", "required_cents"]

RETURNABLE_DAYS_MAX: Final = 66
"""Calendar days after its settlement by which any debit's last return is here: 60, and over a long weekend."""


@cache
def last_return_day(settled_on: date) -> date:
    """Return the last day on which a consumer's return in its time may reach us."""
    last = Deadline.SIXTY_DAYS.last_day(settled_on)
    assert last is not None, "sixty days run from the settlement"
    return last


@dataclass(frozen=True, slots=True)
class Minted:
    """A consumer's debit that was minted against. Units: cents."""

    account: str
    cents: int
    settled_on: date


@dataclass(frozen=True, slots=True)
class Cover:
    """What the region demands. Units: `share_ppm` in millionths of the exposure; `largest_users` a count."""

    share_ppm: int
    largest_users: int

    def __post_init__(self) -> None:
        assert 0 <= self.share_ppm <= 1_000_000, "a share is between nothing and all"
        assert self.largest_users >= 0, "a count of users is not negative"


def exposure_of(minted: Iterable[Minted], today: date) -> dict[str, int]:
    """Return for each account what may still be taken back. Units: cents.

    The last day counts: a return of the sixtieth day is in time, and here on the banking day after it.
    """
    exposure: dict[str, int] = {}
    for one in minted:
        assert type(one.cents) is int and one.cents > 0, "a debit brings more than nothing"
        if today <= last_return_day(one.settled_on):
            exposure[one.account] = exposure.get(one.account, 0) + one.cents
    return exposure


def required_cents(exposure: Mapping[str, int], cover: Cover) -> int:
    """Return what prefund and loss fund must hold: a share of all, or the largest users whole, whichever is more.

    Units: cents; the share is rounded up, so that it never covers less than it says.
    """
    total = Amount(sum(exposure.values()), USD)
    share = total.scaled(cover.share_ppm, 1_000_000, Rounding.UP).units
    largest = sum(sorted(exposure.values(), reverse=True)[: cover.largest_users])
    return max(share, largest)
