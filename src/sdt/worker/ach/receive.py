"""What the bank has for us: each file fetched until it is whole and stored once, each record in it counted once.

A file is stored before it is read, and its records are told with the note that they were, in one database transaction:
whatever breaks, reading goes on where it was.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import date, datetime, timedelta
from typing import Final

from sdt.domain.ach.acknowledgement import read_acknowledgement
from sdt.domain.ach.calendar import EASTERN
from sdt.domain.errors import SdtError
from sdt.domain.nacha import Inbound, NachaFile, faults_of, read_file, read_inbound
from sdt.ports.ach_files import AchFiles
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, ach, ach_files
from sdt.store.ach_files import InboundRow
from sdt.worker.ach.deliver import Deliverer
from sdt.worker.ach.facts import Facts
from sdt.worker.ach.records import Records
from sdt.worker.clock import Clock
from sdt.workflows.sealed_files import INBOUND_LABEL, open_file, seal_file

__all__ = ["Receiver"]

log = logging.getLogger(__name__)

PAGE: Final = 200


class Receiver:
    """Reads acknowledgements, returns and notifications of change."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        files: AchFiles,
        deliverer: Deliverer,
        records: Records,
        keys: Wrapping,
        clock: Clock,
    ) -> None:
        self._store = store
        self._facts = facts
        self._files = files
        self._deliverer = deliverer
        self.records = records
        self._keys = keys
        self._clock = clock

    async def work(self, now: datetime) -> int:
        """Fetch and read what is new; returns how many files were."""
        await self._read_stored(now)
        fresh, more = 0, True
        while more:
            after = await self._store.read(ach.counter, "inbound")
            listing = await self._files.inbound(after)
            for name in listing.names:
                if not await self._store.read(ach_files.is_known_name, name):
                    fresh += await self.take(name, await self._files.fetch(name), now)
            if listing.names:
                await self._store.run(ach.set_counter, "inbound", listing.next_after)
            # Who numbers files lists a page of them; a folder lists all that is there.
            more = listing.next_after > after
        return fresh

    async def take(self, name: str, data: bytes, now: datetime) -> bool:
        """Store a file that came in, and read it; return whether it is new under this name."""
        noted, readable = await self._store.run(self._stored, name, data, now)
        if readable:
            await self._read_stored(now)
        return noted

    def _stored(self, store: Store, name: str, data: bytes, now: datetime) -> tuple[bool, bool]:
        digest, at_ms = hashlib.sha256(data).hexdigest(), self._clock.now_ms()
        kind, day, fault = _kind_of(data, now.astimezone(EASTERN).date())
        noted = ach_files.note_name(store, name, digest, at_ms)
        sealed = seal_file(self._keys, data, INBOUND_LABEL + digest)
        row = InboundRow(digest, name, kind, "faulty" if fault else "stored", day, 0, 0, fault[:400], at_ms)
        fresh = ach_files.add_inbound(store, row, sealed)
        if fault and noted:
            log.error("%s cannot be believed: %s", name, fault)
            on = date.fromisoformat(day)
            self._facts.case(store, f"inbound:{digest}:{name}", on=on, at_ms=at_ms, file=name, fault=fault[:400])
            ach_files.came_again(store, digest, day)
        elif noted and not fresh:
            log.warning("%s brings what another file brought: %s", name, digest)
        return noted, fresh and not fault

    async def _read_stored(self, now: datetime) -> None:
        for row, sealed in await self._store.read(ach_files.unread):
            data = open_file(self._keys, sealed, INBOUND_LABEL + row.digest)
            if row.kind == "ack":
                await self._acknowledged(row, data, now)
            else:
                await self._returned(row, read_inbound(read_file(data)), now)

    async def _acknowledged(self, row: InboundRow, data: bytes, now: datetime) -> None:
        said = read_acknowledgement(data)
        file = await self._store.read(ach_files.file, said.file)
        if file is None or file.digest != said.sha256:
            await self._store.run(self._finish, row, 1, 1, "It speaks of a file that is not ours.")
            return
        await self._deliverer.arrived(said.file, now)
        if said.state == "rejected":
            await self._deliverer.reject(file, said.code or "rejected", now)
        else:
            await self._deliverer.acknowledge(said.file, [(b.batch, b.settles) for b in said.batches], now)
        await self._store.run(self._finish, row, 1, 0, "")

    async def _returned(self, row: InboundRow, inbound: Inbound, now: datetime) -> None:
        unmatched, day = 0, date.fromisoformat(row.day)
        returns, changes = inbound.returns, inbound.changes
        for start in range(0, len(returns), PAGE):
            unmatched += await self._store.run(
                self.records.returns, row.digest, returns[start : start + PAGE], day, self._clock.now_ms()
            )
        for start in range(0, len(changes), PAGE):
            unmatched += await self._store.run(
                self.records.changes, row.digest, changes[start : start + PAGE], day, self._clock.now_ms()
            )
        await self._store.run(self._finish, row, len(returns) + len(changes), unmatched, "")

    def _finish(self, store: Store, row: InboundRow, records: int, unmatched: int, detail: str) -> None:
        ach_files.finish_inbound(store, row.digest, "read", records=records, unmatched=unmatched, detail=detail)
        if detail:
            day, at_ms = date.fromisoformat(row.day), self._clock.now_ms()
            self._facts.case(store, f"inbound:{row.digest}", on=day, at_ms=at_ms, file=row.name, fault=detail)
        log.info("%s read: %s, %d records, %d of them nobody's", row.name, row.kind, records, unmatched)


def _kind_of(data: bytes, today: date) -> tuple[str, str, str]:
    """Return what a file is (ack, returns, changes, unreadable), its day, and why it is not to be believed."""
    if data[:1] == b"{":
        try:
            read_acknowledgement(data)
        except SdtError as error:
            return "ack", today.isoformat(), error.detail
        return "ack", today.isoformat(), ""
    try:
        file = read_file(data)
    except SdtError as error:
        return "unreadable", today.isoformat(), error.detail
    faults = faults_of(file)
    changes = [batch.header.sec_code == "COR" for batch in file.batches]
    kind = "changes" if changes and all(changes) else "returns"
    return kind, _day(file, today).isoformat(), str(faults[0]) if faults else ""


def _day(file: NachaFile, today: date) -> date:
    """Return the day a file is of: six digits, read as the date nearest to today."""
    text = file.header.created_on
    candidates = []
    for century in (-1, 0, 1):
        try:
            candidates.append(date((today.year // 100 + century) * 100 + int(text[:2]), int(text[2:4]), int(text[4:])))
        except ValueError:
            continue
    return min(candidates, key=lambda day: abs(day - today), default=today - timedelta(days=1))
