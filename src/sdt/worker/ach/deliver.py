"""Files on their way to the bank: each is there once, whatever breaks and whenever.

A file is `sending` in the database before a byte of it leaves. Whoever finds one that was sending, or that nobody
answered for, asks the bank; only its word that it has nothing lets the file go out again.
"""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import Final

from sdt.domain.ach.calendar import EASTERN, settlement_of
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.errors import Conflict, Invalid, SdtError, Unavailable, Unprocessable
from sdt.ports.ach_files import AchFiles, FileStanding
from sdt.ports.evidence import StateUnknown, VendorFault
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, ach, ach_files
from sdt.store.ach import AchEntryRow
from sdt.store.ach_files import AchFileRow
from sdt.worker.ach.bank_time import moment_text
from sdt.worker.ach.facts import Facts
from sdt.worker.clock import Clock
from sdt.workflows.sealed_files import DATA_LABEL, open_file

__all__ = ["Deliverer"]

log = logging.getLogger(__name__)

PAGE: Final = 500
PAUSE_MS_MAX: Final = 60_000


class Deliverer:
    """Takes what is built to the bank, and tells the entries."""

    def __init__(self, store: Store, facts: Facts, files: AchFiles, keys: Wrapping, clock: Clock) -> None:
        self._store = store
        self._facts = facts
        self._files = files
        self._keys = keys
        self._clock = clock

    async def work(self, now: datetime) -> int:
        """Ask about what is uncertain, send what is built, tell what was delivered; returns how many moved."""
        moved = 0
        for file in await self._store.read(ach_files.files, "sending", "unknown"):
            moved += await self._ask(file, now)
        for file in await self._store.read(ach_files.files, "built"):
            pause_ms = min(500 * 2**file.tries, PAUSE_MS_MAX) if file.tries else 0
            if self._clock.now_ms() >= file.updated_at_ms + pause_ms:
                moved += await self._send(file, now)
        for file in await self._store.read(ach_files.files, "delivered"):
            await self.tell_filed(file, now)
            moved += 1
        return moved

    async def _ask(self, file: AchFileRow, now: datetime) -> int:
        try:
            standing = await self._files.standing(file.name, file.digest)
        except Conflict as error:
            await self._dispute(file, error.code, now)
            return 1
        except SdtError as error:
            log.warning("file %s: the bank does not say whether it has it: %s", file.name, error.detail)
            if file.status == "sending":
                await self._lost(file, now)
            return 0
        if standing is FileStanding.PRESENT:
            await self._store.run(self._set, file.name, "delivered", delivered=True)
            return 1
        await self._tell(file, EntryEvent.MISS, now, only=(EntryStatus.UNKNOWN,))
        await self._store.run(self._set, file.name, "built")
        return 1

    async def _send(self, file: AchFileRow, now: datetime) -> int:
        sealed = await self._store.read(ach_files.file_data, file.name)
        data = open_file(self._keys, sealed, DATA_LABEL + file.name)
        await self._store.run(self._set, file.name, "sending", tried=True)
        try:
            await self._files.put(file.name, data)
        except StateUnknown as error:
            log.error("file %s: nobody says whether it arrived: %s", file.name, error.detail)
            await self._lost(file, now)
        except Conflict as error:
            await self._dispute(file, error.code, now)
        except (Invalid, Unprocessable) as error:
            await self.reject(file, error.code, now)
        except VendorFault as error:
            # An answer in a form nobody agreed on: the bank may have it, so it is asked before anything else.
            log.error("file %s: %s", file.name, error.detail)
        except Unavailable as error:
            log.warning("file %s waits: %s", file.name, error.detail)
            await self._store.run(self._set, file.name, "built")
        else:
            await self._store.run(self._set, file.name, "delivered", delivered=True)
            return 1
        return 0

    async def _lost(self, file: AchFileRow, now: datetime) -> None:
        await self._tell(file, EntryEvent.LOSE, now, only=(EntryStatus.CREATED,))
        await self._store.run(self._set, file.name, "unknown")

    async def _dispute(self, file: AchFileRow, code: str, now: datetime) -> None:
        """Stop a file whose name the bank knows with other bytes: they may be the same payments.

        None counts as unpaid, and nothing is sent. A database restored from before a delivery shows so; an officer
        settles it with the bank.
        """
        log.error("file %s: the bank has another one under this name", file.name)
        await self._tell(file, EntryEvent.LOSE, now, only=(EntryStatus.CREATED,))
        await self._store.run(self._stopped, file, "disputed", code, now.date())

    async def reject(self, file: AchFileRow, code: str, now: datetime) -> None:
        """Note that the bank does not take a file: nothing moved, and an officer sees why."""
        log.error("file %s was rejected: %s", file.name, code)
        await self._tell(file, EntryEvent.REFUSE, now, code="file_rejected")
        await self._store.run(self._stopped, file, "rejected", code, now.date())

    def _stopped(self, store: Store, file: AchFileRow, status: str, code: str, on: date) -> None:
        at_ms = self._clock.now_ms()
        ach_files.set_file(store, file.name, status, at_ms, code=code[:64])
        self._facts.case(
            store, f"file:{file.name}", on=on, at_ms=at_ms, file=file.name, code=code, entries=file.entry_count
        )

    async def arrived(self, name: str, now: datetime) -> None:
        """Take the bank's acknowledgement as its word that it has a file, whatever we knew."""
        file = await self._store.read(ach_files.file, name)
        if file is not None and file.status in ("built", "sending", "unknown", "delivered"):
            if file.status != "delivered":
                await self._store.run(self._set, name, "delivered", delivered=True)
            await self.tell_filed(file, now)

    async def tell_filed(self, file: AchFileRow, now: datetime) -> None:
        """Tell a delivered file's entries that the bank has them, and when they settle by the calendar."""
        after = ""
        while page := await self._store.read(ach.in_file, file.name, after, PAGE):
            await self._store.run(self._filed, page, now)
            after = page[-1].trace or ""
        await self._store.run(self._set, file.name, "filed")

    def _filed(self, store: Store, page: list[AchEntryRow], now: datetime) -> None:
        standing, at_ms, on = ach.standing(store, page), self._clock.now_ms(), now.astimezone(EASTERN).date()
        for row in page:
            known = standing[row.id]
            if known not in (EntryStatus.CREATED, EntryStatus.UNKNOWN):
                continue
            assert row.effective_on is not None
            settlement = settlement_of(now, date.fromisoformat(row.effective_on), credit=row.is_credit, cents=row.units)
            ach.set_fields(store, row.id, follow_at=moment_text(settlement.at))
            if row.purpose == "payment":
                store.execute("UPDATE bank_entries SET external_id = ? WHERE id = ?", (row.trace, row.id))
            event = EntryEvent.FIND if known is EntryStatus.UNKNOWN else EntryEvent.FILE
            self._facts.tell(store, row, event, on=on, at_ms=at_ms)

    async def _tell(
        self,
        file: AchFileRow,
        event: EntryEvent,
        now: datetime,
        *,
        code: str | None = None,
        only: tuple[EntryStatus, ...] = (),
    ) -> None:
        after = ""
        while page := await self._store.read(ach.in_file, file.name, after, PAGE):
            await self._store.run(self.tell_page, page, event, now, code, only)
            after = page[-1].trace or ""

    def tell_page(
        self,
        store: Store,
        page: list[AchEntryRow],
        event: EntryEvent,
        now: datetime,
        code: str | None = None,
        only: tuple[EntryStatus, ...] = (),
    ) -> None:
        """Tell some entries of one thing, those alone that stand as `only` says."""
        standing = ach.standing(store, page)
        for row in page:
            if not only or standing[row.id] in only:
                on = now.astimezone(EASTERN).date()
                self._facts.tell(store, row, event, on=on, at_ms=self._clock.now_ms(), code=code)
                if event is EntryEvent.REFUSE:
                    ach.set_fields(store, row.id, follow_at=None)

    async def acknowledge(self, name: str, settles: list[tuple[int, str]], now: datetime) -> None:
        """Note that the operator took a file, and when its batches settle: its word wins over our calendar."""
        file = await self._store.read(ach_files.file, name)
        assert file is not None
        await self._tell(file, EntryEvent.ACKNOWLEDGE, now, only=(EntryStatus.FILED,))
        await self._store.run(ach.settle_batches, name, settles)
        await self._store.run(self._set, name, "acknowledged")

    def _set(self, store: Store, name: str, status: str, *, tried: bool = False, delivered: bool = False) -> None:
        ach_files.set_file(store, name, status, self._clock.now_ms(), tried=tried, delivered=delivered)
