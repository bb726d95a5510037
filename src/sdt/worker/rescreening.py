"""Everybody screened again: when another list is in force, an ignored likeness no longer is, or somebody's data change.

The oldest accounts first, some at a time and never faster than agreed. Nothing is kept in memory that a crash would
cost: whoever is not yet screened against the list in force is asked of the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from sdt.domain.errors import SdtError
from sdt.store import Store, sanctions
from sdt.worker.clock import Clock
from sdt.worker.sanctions import Sanctions
from sdt.worker.searcher import Searcher
from sdt.workflows.sanctions import Finding

__all__ = ["Rescreening"]

log = logging.getLogger(__name__)

ACTOR: Final = "worker:rescreening"
AT_ONCE: Final = 10
"""So many in one question: who is onboarded at this moment waits for no more than these."""
PER_S_MAX: Final = 50
IDLE_S: Final = 2.0
BEGINNING: Final = (-1, "")


class Rescreening:
    """Looks every few seconds whether anybody is due."""

    def __init__(
        self,
        store: Store,
        sanctions: Sanctions,
        searcher: Searcher,
        clock: Clock,
        per_s_max: float = PER_S_MAX,
    ) -> None:
        self._store = store
        self._sanctions = sanctions
        self._searcher = searcher
        self._clock = clock
        self._pause_s = AT_ONCE / per_s_max

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.round()
            except SdtError as error:
                log.warning("rescreening waits: %s", error.detail)
            await asyncio.sleep(IDLE_S)

    def _write(self, store: Store, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._sanctions.write(store, finding, ACTOR, self._clock.now_ms())

    async def round(self) -> int:
        """Screen everybody who is due; returns how many there were."""
        row = await self._searcher.in_force()
        after, count = BEGINNING, 0
        while True:
            now_s = self._clock.now_s()
            due = await self._store.read(sanctions.unscreened, row.digest, now_s, after, AT_ONCE)
            if not due:
                break
            findings = await self._sanctions.look_again([account for _, account in due])
            # In one commit: each costs the payments' writer a turn.
            await self._store.run(self._write, findings)
            after, count = due[-1], count + len(due)
            await asyncio.sleep(self._pause_s)
        if row.rescreened_at_ms is None:
            await self._store.run(sanctions.rescreened, row.digest, self._clock.now_ms())
            log.info("everybody is screened against the list of %s: %d in this round", row.list_date, count)
        return count
