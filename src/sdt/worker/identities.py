"""Identity checks at the vendor: handed in from the outbox, and asked about until they are decided."""

from __future__ import annotations

import json
import logging
from typing import Final

from sdt.domain.errors import SdtError
from sdt.domain.region import Region
from sdt.ports.kyc import DocumentKind, Kyc, KycApplication, KycDocument, KycOutcome
from sdt.store import Store, documents, examinations, outbox
from sdt.store.outbox import OutboxRow
from sdt.worker.clock import Clock
from sdt.worker.dead_letters import is_hopeless, put_off
from sdt.worker.pace import rest
from sdt.workflows import identity
from sdt.workflows.documents import Documents
from sdt.workflows.people import People

__all__ = ["Identities"]

log = logging.getLogger(__name__)

ACTOR: Final = "worker:identities"
ROUND: Final = 50
SLOW_EVERY: Final = 10
QUICK: Final = (KycOutcome.PENDING.value,)
SLOW: Final = (KycOutcome.REVIEW.value, KycOutcome.DOCUMENTS_REQUIRED.value)
"""These change by the vendor's own people: asked about ten times less often."""


class Identities:
    """Hands people, businesses and documents in, and writes down what becomes of them."""

    def __init__(
        self,
        store: Store,
        region: Region,
        kyc: Kyc,
        people: People,
        papers: Documents,
        poll_s: float,
        clock: Clock,
    ) -> None:
        self._store = store
        self._state = region.id.partition("-")[2]
        self._kyc = kyc
        self._people = people
        self._papers = papers
        self._poll_s = poll_s
        self._clock = clock
        self._looks = 0

    async def run(self) -> None:
        """Work and look until cancelled; a vendor that does not answer is asked again."""
        next_look_ms = 0
        while True:
            if not await self.work():
                await rest(0.2)
            if self._clock.now_ms() >= next_look_ms:
                next_look_ms = self._clock.now_ms() + int(self._poll_s * 1000)
                try:
                    await self.look()
                except SdtError as error:
                    log.warning("the identity vendor does not answer: %s", error.code)

    async def work(self) -> int:
        """Hand in what is due; returns how many were tried."""
        due = await self._store.read(outbox.due, [identity.TOPIC], self._clock.now_ms(), ROUND)
        for row in due:
            order = json.loads(row.payload)
            try:
                await self._hand_in(order)
            except SdtError as error:
                await self._store.run(self._put_off, row, order, error)
            else:
                await self._store.run(outbox.done, [row.id], self._clock.now_ms())
        return len(due)

    async def apply(self, account: str, key: str) -> None:
        """Hand in the first application of an account, or a renewal. Nobody is handed in who was erased."""
        party = await self._people.party(account)
        if party is None:
            return
        found = await self._kyc.apply(identity.for_vendor(party, account, self._state), key)
        await self._store.run(identity.begin, account, found.application_id, self._clock.now_ms())
        await self._store.run(self._record, found, answers=key)

    async def look(self) -> None:
        """Ask once about every application that is open. None that it does not know keeps another waiting."""
        statuses = QUICK + SLOW * (self._looks % SLOW_EVERY == 0)
        self._looks += 1
        for application in await self._store.read(examinations.open_applications, statuses):
            try:
                found = await self._kyc.application(application)
            except SdtError as error:
                if not is_hopeless(error):
                    raise
                log.warning("application %s waits: %s", application, error.code)
                await self._store.run(identity.asked_in_vain, application, self._clock.now_ms())
            else:
                await self._store.run(self._record, found, polled=True)

    def _record(self, store: Store, found: KycApplication, *, polled: bool = False, answers: str = "") -> None:
        identity.record(store, found, ACTOR, self._clock.now_ms(), polled=polled, answers=answers)

    def _put_off(self, store: Store, row: OutboxRow, order: dict[str, str], error: SdtError) -> None:
        with store.transaction():
            if put_off(store, row, error, self._clock.now_ms()) and order["act"] == "retry":
                identity.unheard(store, order["account"], row.key, error.code, ACTOR, self._clock.now_ms())

    async def _hand_in(self, order: dict[str, str]) -> None:
        account, key = order["account"], order["key"]
        if order["act"] == "apply":
            await self.apply(account, key)
            return
        row = await self._store.read(examinations.get, account)
        if row is None or row.application is None:
            return
        if order["act"] == "retry":
            party = await self._people.party(account)
            if party is not None:
                found = await self._kyc.retry(row.application, identity.for_vendor(party, account, self._state), key)
                await self._store.run(self._record, found, answers=key)
        else:
            await self._forward(row.application, order["document"], key)

    async def _forward(self, application: str, document_id: str, key: str) -> None:
        document = await self._store.read(documents.get, document_id)
        if document is None:
            return
        content = await self._papers.content(document)
        found = await self._kyc.submit(
            application,
            KycDocument(DocumentKind(document.kind), document.subject, document.media_type, content),
            key,
        )
        await self._store.run(self._forwarded, document_id, found)

    def _forwarded(self, store: Store, document_id: str, found: KycApplication) -> None:
        documents.mark_forwarded(store, document_id)
        self._record(store, found)
