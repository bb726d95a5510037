"""The bank's compressed calendar: a banking day lasts as many seconds as the sandbox was told, and it says so.

Banking time is counted in minutes, 1440 to a day, from the first start. It runs on while the sandbox is stopped, as
a bank's does; when the speed changes, the present minute is kept.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sdt.domain.errors import Invalid

MINUTES_PER_DAY: Final = 1440
SCHEMA: Final = """
create table if not exists anchor(
  one integer primary key check (one = 1), unix_s real not null, minute integer not null,
  seconds_per_day real not null);
"""


class Calendar:
    """Reads banking time off the wall clock."""

    def __init__(self, unix_s: float, minute: int, seconds_per_day: float) -> None:
        self._unix_s = unix_s
        self._minute = minute
        self.seconds_per_day = seconds_per_day

    @classmethod
    def open(cls, connection: sqlite3.Connection, seconds_per_day: float, now: float) -> Calendar:
        """Go on from the calendar kept in the file, at the speed given.

        Errors: Invalid.
        """
        if not 0.001 <= seconds_per_day <= 86_400:
            raise Invalid("A banking day lasts from a millisecond to 86400 seconds.", code="banking_day")
        row = connection.execute("select unix_s, minute, seconds_per_day from anchor").fetchone()
        calendar = cls(*row) if row else cls(now, 0, seconds_per_day)
        if calendar.seconds_per_day != seconds_per_day or row is None:
            calendar = cls(now, calendar.minute(now), seconds_per_day)
            connection.execute(
                "insert or replace into anchor values(1, ?, ?, ?)", (now, calendar._minute, seconds_per_day)
            )
        return calendar

    def minute(self, now: float) -> int:
        """Return the present minute of banking time; a clock set back does not turn it back before the anchor."""
        return self._minute + max(0, int((now - self._unix_s) / self.seconds_per_day * MINUTES_PER_DAY))

    def day(self, now: float) -> int:
        """Return the present banking day, 1 on the first."""
        return day_of(self.minute(now))


def day_of(minute: int) -> int:
    """Return the banking day in which a minute lies, 1 for the first."""
    return minute // MINUTES_PER_DAY + 1


def opening(day: int) -> int:
    """Return the minute at which a banking day opens."""
    return (day - 1) * MINUTES_PER_DAY
