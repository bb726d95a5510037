"""Carries questions about enclaves to the locations, and their answers back: what they say is the asker's to check."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Final

from sdt.signing.coordinator import Coordinator
from sdt.store import Store, attestations
from sdt.worker.clock import Clock

__all__ = ["Attesting"]

LOOK_S: Final = 0.3


class Attesting:
    """Looks for questions and answers them."""

    def __init__(self, store: Store, coordinator: Coordinator, clock: Clock) -> None:
        self._store = store
        self._coordinator = coordinator
        self._clock = clock

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self.answer_waiting()
            await asyncio.sleep(LOOK_S)

    async def answer_waiting(self) -> None:
        """Answer what is asked now."""
        for nonce in await self._store.read(attestations.waiting, self._clock.now_ms()):
            documents = await self._coordinator.attestations(bytes.fromhex(nonce))
            shown = {str(party): base64.b64encode(raw).decode() if raw else None for party, raw in documents.items()}
            await self._store.run(attestations.answer, nonce, json.dumps(shown), self._clock.now_ms())
