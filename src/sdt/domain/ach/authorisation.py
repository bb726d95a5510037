"""Debits that their holder authorised by telephone or in writing: what an authorisation covers, and when it counts.

A debit that nobody recorded an authorisation for was authorised by a signed message: WEB.
Source: Nacha Operating Rules, Subsections 2.3.2 (authorisation of debits), 2.5.15 (TEL) and 1.4 (retention: two years).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

__all__ = ["Authorisation", "By", "Recurrence", "covers", "fault_of_authorisation"]

By = Literal["telephone", "writing"]
Recurrence = Literal["single", "recurring"]
LASTS: Final = timedelta(days=2 * 365)
"""What is to be used longer is authorised anew: its recording need not be kept longer."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What a holder allowed. Units: cents, of the one debit or of each of several at most."""

    by: By
    recurrence: Recurrence
    cents: int
    given_on: date
    ends_on: date


def fault_of_authorisation(given: Authorisation, today: date) -> str:
    """Say what is against an authorisation, or nothing."""
    if given.cents <= 0:
        return "a debit takes more than nothing"
    if given.given_on > today:
        return "it was given on a day to come"
    if not given.given_on <= given.ends_on <= given.given_on + LASTS:
        return "it ends within two years of the day it was given"
    if given.ends_on < today:
        return "it has ended"
    return ""


def covers(given: Authorisation, cents: int, today: date) -> bool:
    """Return whether a debit of today is one that was allowed: a single one to the cent, each of several at most."""
    within = given.given_on <= today <= given.ends_on
    return within and (cents == given.cents if given.recurrence == "single" else 0 < cents <= given.cents)
