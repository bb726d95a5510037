"""How often our debits come back, from what is stored."""

from __future__ import annotations

from datetime import date, timedelta

from sdt.domain.ach.return_rate import WATCHED_DAYS, Rate, return_rates
from sdt.store import Store, ach

__all__ = ["rates_of"]


def rates_of(store: Store, today: date) -> tuple[Rate, ...]:
    """Return the watched rates over the last 60 days."""
    first = (today - timedelta(days=WATCHED_DAYS - 1)).isoformat()
    debits = (date.fromisoformat(day) for day, count in ach.originated(store, first) for _ in range(count))
    returns = [(code, date.fromisoformat(day)) for code, day in ach.returned(store, first)]
    return return_rates(debits, returns, today)
