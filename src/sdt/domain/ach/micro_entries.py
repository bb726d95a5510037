"""Proof that a bank account is its holder's: two small credits whose amounts only its statement shows.

Source: Nacha Operating Rules, Subsection 2.7.1 (micro-entries): under one dollar, described as ACCTVERIFY, and what is
taken back never more than what was given.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sdt.domain.errors import Conflict

__all__ = ["ATTEMPTS_MAX", "DESCRIPTION", "MicroEntries", "draw_micro_entries"]

DESCRIPTION: Final = "ACCTVERIFY"
CENTS_MAX: Final = 99
ATTEMPTS_MAX: Final = 3
"""A few thousand tries find any pair; after three the proof has failed."""


@dataclass(frozen=True, slots=True)
class MicroEntries:
    """Two credits, and the one debit that takes both back. Units: cents. Never printed."""

    first_cents: int
    second_cents: int

    def __post_init__(self) -> None:
        assert 1 <= self.first_cents <= CENTS_MAX and 1 <= self.second_cents <= CENTS_MAX, "a micro-entry is cents"

    def __repr__(self) -> str:
        return "MicroEntries(…)"

    @property
    def debit_cents(self) -> int:
        """What is taken back: what was given, to the cent."""
        return self.first_cents + self.second_cents

    def confirm(self, first_cents: int, second_cents: int, attempts: int) -> bool:
        """Return whether the holder read the right amounts, in either order. `attempts` were made before this one.

        Errors: Conflict when all attempts are used, right or wrong.
        """
        if attempts >= ATTEMPTS_MAX:
            raise Conflict("All attempts are used: begin a new proof.", code="micro_entries_exhausted")
        said = sorted((first_cents, second_cents))
        mine = sorted((self.first_cents, self.second_cents))
        return hmac.compare_digest(repr(said), repr(mine))


def draw_micro_entries(below: Callable[[int], int]) -> MicroEntries:
    """Return two amounts that differ. `below(n)` gives a random number from 0 to n-1, from a secure source."""
    first = 1 + below(CENTS_MAX)
    second = 1 + below(CENTS_MAX - 1)
    return MicroEntries(first, second + (second >= first))
