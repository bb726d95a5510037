"""What befalls the vaults: bars that are lost or weigh less than they did, and those put in their place.

A vault's statement is read line by line, each into the books once and with the number of the line it came from. Bars
that come in for a deposit, or leave for a redemption, are booked where those are followed.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

from sdt.domain.ledger import metal_lost, metal_replaced
from sdt.domain.region import Region
from sdt.ports.depository import Depository
from sdt.ports.statement import Flow, StatementLine
from sdt.store import Store, cases, deliveries, ledger
from sdt.worker.clock import Clock
from sdt.worker.pace import keep_looking, stir

__all__ = ["CURE", "Vaults"]

log = logging.getLogger(__name__)

ACTOR: Final = "worker:vaults"
LOSSES: Final = ("loss", "reassay")
CURE: Final = "cure:"
"""What the reference of a bar begins with that its keeper puts in the place of one that is lost."""


class Vaults:
    """Reads the statement of every vault of the region."""

    def __init__(self, store: Store, region: Region, depository: Depository, clock: Clock, poll_s: float) -> None:
        self._store = store
        self._tokens = [token.symbol for token in region.tokens if token.domain == "cash"]
        self._depository = depository
        self._clock = clock
        self._poll_s = poll_s

    async def run(self) -> None:
        """Ask until cancelled; a depository that does not answer is asked again."""
        await keep_looking(self.look, self._poll_s, "a vault")

    async def look(self) -> None:
        """Read what is new in each vault's statement."""
        for token in self._tokens:
            more = True
            while more:
                after = await self._store.read(deliveries.vault_read, token)
                page = await self._depository.statement(token, after=after)
                if page.lines:
                    stir(outside=True)
                    await self._store.run(self._book, token, page.lines)
                more = page.more

    def _book(self, store: Store, token: str, lines: tuple[StatementLine, ...]) -> None:
        for line in lines:
            if not deliveries.read_line(store, token, line.sequence):
                continue
            if line.flow is Flow.OUT and line.kind in LOSSES:
                self._lost(store, token, line)
            elif line.flow is Flow.IN and line.reference.startswith(CURE):
                postings = [(line.subject, posting) for posting in metal_replaced(token, line.amount.units)]
                ledger.post(store, postings, release=[], at_ms=self._clock.now_ms())

    def _lost(self, store: Store, token: str, line: StatementLine) -> None:
        """Its keeper owes what is gone; an officer sees to it. The custodian's release stops minting by itself."""
        now_ms = self._clock.now_ms()
        postings = [(line.subject, posting) for posting in metal_lost(token, line.amount.units)]
        ledger.post(store, postings, release=[], at_ms=now_ms)
        log.error("vault %s: %s of bar %s", token, line.kind, line.subject)
        cases.open_case(
            store,
            kind="bar_lost",
            key=f"{token}:{line.sequence}",
            facts={"token": token, "bar": line.subject, "what": line.kind, "units": str(line.amount.units)},
            detected_on=datetime.fromtimestamp(now_ms / 1000, UTC).date(),
            actor=ACTOR,
            at_ms=now_ms,
        )
