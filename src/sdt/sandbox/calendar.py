"""The bank's clock: dates of the Federal Reserve's calendar and Eastern time of day, as quick as the sandbox was told.

Banking time is counted in minutes, 1440 to a banking day, from midnight of the first one. Each banking day is a date
of the Federal Reserve's calendar; weekends and holidays pass in no time. A compressed clock stands still while the
sandbox is stopped (else a night would be a century); a real one runs on, as a bank's does.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sdt.domain.ach.calendar import EASTERN, add_banking_days, is_banking_day
from sdt.domain.errors import Conflict, Invalid, Unprocessable

MINUTES_PER_DAY: Final = 1440
KEPT_MINUTES: Final = 360
REAL_S: Final = 86_400.0
ADVANCE_DAYS_MAX: Final = 1_000
_LAST: Final = date(9990, 1, 1)
"""A date has four digits: whoever lets a compressed clock run for weeks stays on this day."""
SCHEMA: Final = """
create table if not exists clock(
  one integer primary key check (one = 1), first_on text not null, unix_s real not null, minute integer not null,
  seconds_per_day real not null, frozen integer not null);
"""


class Calendar:
    """Reads banking time off the wall clock. What changes it is kept in the same database transaction."""

    def __init__(
        self, first_on: date, unix_s: float, minute: int, seconds_per_day: float, *, frozen: bool = False
    ) -> None:
        assert is_banking_day(first_on), "the first day is a banking day"
        self._dates = [first_on]
        self._unix_s = unix_s
        self._minute = minute
        self._seconds_per_day = seconds_per_day
        self._frozen = frozen

    @classmethod
    def open(
        cls, connection: sqlite3.Connection, seconds_per_day: float, now: float, begins: date | None = None
    ) -> Calendar:
        """Go on from the calendar kept in the file, at the speed given; a new one begins with the real date.

        One that `begins` on a banking day of somebody's choice stands still at its midnight until it is told to run.

        Errors: Invalid.
        """
        _check_speed(seconds_per_day)
        if begins and not is_banking_day(begins):
            raise Invalid(f"{begins} is no banking day.", code="clock")
        row = connection.execute("select first_on, unix_s, minute, seconds_per_day, frozen from clock").fetchone()
        if row is None and begins:
            calendar = cls(begins, now, 0, seconds_per_day, frozen=True)
        elif row is None:
            here = datetime.fromtimestamp(now, UTC).astimezone(EASTERN)
            banking = is_banking_day(here.date())
            first_on = here.date() if banking else add_banking_days(here.date(), 1)
            # A compressed clock begins at midnight, so that every run of it is alike.
            minute = here.hour * 60 + here.minute if banking and seconds_per_day == REAL_S else 0
            calendar = cls(first_on, now, minute, seconds_per_day)
        else:
            kept = cls(date.fromisoformat(row[0]), row[1], row[2], row[3], frozen=bool(row[4]))
            runs_on = kept._seconds_per_day == REAL_S
            # What passed since it was last kept counts, so that time never goes back; a long stop does not.
            minute = kept.minute(now) if runs_on else min(kept.minute(now), kept._minute + KEPT_MINUTES - 1)
            calendar = cls(kept._dates[0], now, minute, seconds_per_day, frozen=kept._frozen)
        calendar._write(connection)
        return calendar

    @property
    def seconds_per_day(self) -> float:
        """How long a banking day lasts."""
        return self._seconds_per_day

    @property
    def frozen(self) -> bool:
        """Whether time stands still until it is told to run."""
        return self._frozen

    def minute(self, now: float) -> int:
        """Return the present minute of banking time; a wall clock set back does not turn it back before the anchor."""
        if self._frozen:
            return self._minute
        return self._minute + max(0, int((now - self._unix_s) / self._seconds_per_day * MINUTES_PER_DAY))

    def day(self, now: float) -> int:
        """Return the present banking day, 1 on the first."""
        return day_of(self.minute(now))

    def date_of(self, day: int) -> date:
        """Return the date of a banking day."""
        while len(self._dates) < day and self._dates[-1] < _LAST:
            self._dates.append(add_banking_days(self._dates[-1], 1))
        return self._dates[min(day, len(self._dates)) - 1]

    def day_on(self, on: date) -> int:
        """Return the banking day of a date, of the next one that is a banking day."""
        while self._dates[-1] < on and self._dates[-1] < _LAST:
            self.date_of(len(self._dates) + 1)
        return bisect_left(self._dates, on) + 1

    def moment(self, minute: int) -> datetime:
        """Return a minute of banking time as date and Eastern time."""
        of_day = minute % MINUTES_PER_DAY
        return datetime.combine(self.date_of(day_of(minute)), time(of_day // 60, of_day % 60), EASTERN)

    def minute_at(self, moment: datetime) -> int:
        """Return the minute of banking time at which it is this date and Eastern time."""
        return opening(self.day_on(moment.date())) + moment.hour * 60 + moment.minute

    def keep(self, connection: sqlite3.Connection, now: float) -> None:
        """Write down how far a compressed clock has come, a quarter of a banking day at a time."""
        minute = self.minute(now)
        if not self._frozen and self._seconds_per_day != REAL_S and minute >= self._minute + KEPT_MINUTES:
            self._go_on(connection, minute, now)

    def freeze(self, connection: sqlite3.Connection, now: float) -> None:
        """Stop the clock where it is."""
        minute = self.minute(now)
        self._frozen = True
        self._go_on(connection, minute, now)

    def run(self, connection: sqlite3.Connection, now: float, seconds_per_day: float | None = None) -> None:
        """Let the clock run, at another speed if one is given. Errors: Invalid."""
        if seconds_per_day is not None:
            _check_speed(seconds_per_day)
        minute = self.minute(now)
        self._frozen = False
        self._seconds_per_day = seconds_per_day or self._seconds_per_day
        self._go_on(connection, minute, now)

    def set(self, connection: sqlite3.Connection, now: float, to: datetime) -> None:
        """Put the clock on to a later date and Eastern time.

        Errors: Conflict for an earlier one; Unprocessable for a day on which no bank is open.
        """
        if not is_banking_day(to.date()):
            raise Unprocessable(f"{to:%Y-%m-%d} is no banking day.", code="not_a_banking_day")
        if to < self.moment(self.minute(now)):
            raise Conflict("Time never goes back.", code="clock_backwards")
        if to.date() - self.date_of(self.day(now)) > timedelta(days=2 * ADVANCE_DAYS_MAX):
            raise Invalid("The clock is put on by at most 2000 days.", code="clock")
        self._go_on(connection, self.minute_at(to), now)

    def advance(self, connection: sqlite3.Connection, now: float, days: int) -> None:
        """Put the clock on by banking days, to the same time of day. Errors: Invalid."""
        if not 1 <= days <= ADVANCE_DAYS_MAX:
            raise Invalid(f"The clock is put on by 1 to {ADVANCE_DAYS_MAX} banking days.", code="clock")
        self._go_on(connection, self.minute(now) + days * MINUTES_PER_DAY, now)

    def _go_on(self, connection: sqlite3.Connection, minute: int, now: float) -> None:
        self._minute, self._unix_s = minute, now
        self._write(connection)

    def _write(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "insert or replace into clock values(1, ?, ?, ?, ?, ?)",
            (self._dates[0].isoformat(), self._unix_s, self._minute, self._seconds_per_day, self._frozen),
        )


def _check_speed(seconds_per_day: float) -> None:
    if not 0.001 <= seconds_per_day <= REAL_S:
        raise Invalid("A banking day lasts from a millisecond to 86400 seconds.", code="banking_day")


def day_of(minute: int) -> int:
    """Return the banking day in which a minute lies, 1 for the first."""
    return minute // MINUTES_PER_DAY + 1


def opening(day: int) -> int:
    """Return the minute at which a banking day begins: midnight."""
    return (day - 1) * MINUTES_PER_DAY
