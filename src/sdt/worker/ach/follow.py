"""What happens by the calendar alone: entries settle, and pass their window once that morning's returns were read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from sdt.domain.ach.calendar import EASTERN, add_banking_days, is_banking_day
from sdt.domain.ach.entry_life import EntryEvent
from sdt.store import Store, ach, ach_files
from sdt.store.ach import AchEntryRow
from sdt.worker.ach.bank_time import moment_text
from sdt.worker.ach.facts import OPENS, WINDOW_BANKING_DAYS, Facts
from sdt.worker.clock import Clock

__all__ = ["Follower"]

log = logging.getLogger(__name__)

PAGE: Final = 200
PRENOTE_BANKING_DAYS: Final = 3
"""Source: Nacha Operating Rules, Subsection 2.6.2: the first live entry may follow on the third banking day."""


class Follower:
    """Follows entries from settlement to the end of their ordinary window."""

    def __init__(self, store: Store, facts: Facts, returns_missing_after: time, clock: Clock) -> None:
        self._store = store
        self._facts = facts
        self._returns_missing_after = returns_missing_after
        self._clock = clock
        self.missing: tuple[str, ...] = ()
        """Days whose files of returns should be here and are not, or not to be believed: till then nothing passes."""

    async def work(self, now: datetime) -> int:
        """Tell what is due; returns how many entries moved. `now` is from before the bank's files were listed."""
        moved = 0
        while page := await self._store.read(ach.due_to_settle, moment_text(now), PAGE):
            await self._store.run(self._settle, page)
            moved += len(page)
        return moved + await self._pass(now)

    def _settle(self, store: Store, page: Sequence[AchEntryRow]) -> None:
        for row in page:
            assert row.follow_at is not None
            on = date.fromisoformat(row.follow_at[:10])
            days = PRENOTE_BANKING_DAYS if row.purpose == "prenote" else WINDOW_BANKING_DAYS
            passes = moment_text(datetime.combine(add_banking_days(on, days), OPENS, EASTERN))
            ach.set_fields(store, row.id, settled_on=on.isoformat(), follow_at=passes)
            self._facts.tell(store, row, EntryEvent.SETTLE, on=on, at_ms=self._clock.now_ms())

    async def _pass(self, now: datetime) -> int:
        moved, missing, after = 0, set[str](), ("", "")
        read: set[str] | None = None
        while page := await self._store.read(ach.due_to_pass, moment_text(now), PAGE, after):
            after = (page[-1].follow_at or "", page[-1].id)
            if read is None:
                first = min(row.settled_on or "" for row in page)
                read = await self._store.read(ach_files.read_days, first)
            passed = []
            for row in page:
                lacking = [day for day in _mornings(row) if day not in read]
                missing.update(lacking)
                if not lacking:
                    passed.append(row)
            if passed:
                await self._store.run(self._passed, passed)
            moved += len(passed)
        await self._alarm(now, missing)
        return moved

    def _passed(self, store: Store, page: Sequence[AchEntryRow]) -> None:
        for row in page:
            assert row.follow_at is not None
            on = date.fromisoformat(row.follow_at[:10])
            ach.set_fields(store, row.id, follow_at=None)
            self._facts.tell(store, row, EntryEvent.OUTLAST, on=on, at_ms=self._clock.now_ms())

    async def _alarm(self, now: datetime, missing: set[str]) -> None:
        here = now.astimezone(EASTERN)
        today = here.date().isoformat()
        late = {day for day in missing if day < today or here.time() >= self._returns_missing_after}
        for day in sorted(late - set(self.missing)):
            log.error("the file of returns of %s is missing: nothing passes its window before it is read", day)
            await self._store.run(self._case, day)
        self.missing = tuple(sorted(late))

    def _case(self, store: Store, day: str) -> None:
        self._facts.case(
            store,
            f"returns-missing:{day}",
            kind="ach_return",
            on=date.fromisoformat(day),
            at_ms=self._clock.now_ms(),
            missing=day,
            to_do="ask the bank for its file of returns of this day, or for one that cannot be believed",
        )


def _mornings(row: AchEntryRow) -> list[str]:
    """Return the mornings whose returns must be read before an entry has passed: all since it settled."""
    assert row.settled_on is not None
    assert row.follow_at is not None
    day, last = date.fromisoformat(row.settled_on), date.fromisoformat(row.follow_at[:10])
    # A return of the day of settlement itself cannot be here before the next morning.
    days = [day + timedelta(days=n) for n in range(1, (last - day).days + 1)]
    mornings = [one.isoformat() for one in days if is_banking_day(one)]
    return mornings[:WINDOW_BANKING_DAYS]
