"""After a person was erased, or files of the bank emptied: documents' files go, and what a database keeps of rows."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Final

from sdt.domain.errors import SdtError
from sdt.store import Store, outbox
from sdt.worker.clock import Clock
from sdt.workflows.documents import Documents
from sdt.workflows.erasure import TOPIC
from sdt.workflows.scrubbing import TABLES

__all__ = ["Erasures"]

log = logging.getLogger(__name__)

ROUND: Final = 50
PAUSE_S: Final = 5.0
RETRY_MS: Final = 60_000


class Erasures:
    """Clears what erasures left, a few seconds after them."""

    def __init__(self, store: Store, papers: Documents, clock: Clock) -> None:
        self._store = store
        self._papers = papers
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        await self._papers.sweep()
        while True:
            await self.work()
            await asyncio.sleep(PAUSE_S)

    async def work(self) -> int:
        """Clear what is due; returns after how many erasures."""
        due = await self._store.read(outbox.due, [TOPIC], self._clock.now_ms(), ROUND)
        if not due:
            return 0
        tables = list(TABLES)
        for row in due:
            asked = json.loads(row.payload)
            tables += asked.get("tables", ())
            for id in asked["files"]:
                await asyncio.to_thread(self._papers.remove, id)
        try:
            await self._store.scrub(*dict.fromkeys(tables))
        except SdtError as error:
            log.warning("overwritten rows are cleared later: %s", error.code)
            for row in due:
                await self._store.run(
                    outbox.retry, row.id, error.code, self._clock.now_ms() + RETRY_MS, at_ms=self._clock.now_ms()
                )
            return 0
        await self._store.run(outbox.done, [row.id for row in due], self._clock.now_ms())
        return len(due)
