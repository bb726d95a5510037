"""When files are closed: the cut-offs of banking days, a lead before the bank's deadline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from sdt.domain.ach.calendar import EASTERN, is_banking_day

__all__ = ["last_cut_off"]


def last_cut_off(now: datetime, times: Sequence[time], lead_minutes: int) -> datetime:
    """Return the newest cut-off that is not still to come. Shape: `times` in their order, at least one."""
    here = now.astimezone(EASTERN)
    day = here.date()
    while True:
        if is_banking_day(day):
            for at in reversed(times):
                cut_off = datetime.combine(day, at, EASTERN)
                if cut_off - timedelta(minutes=lead_minutes) <= here:
                    return cut_off
        day -= timedelta(days=1)
