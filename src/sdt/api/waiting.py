"""Waiting for a result: one look at the database for everybody who waits, not one each."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from math import inf
from typing import Final

from sdt.domain.errors import Unavailable
from sdt.domain.transaction import FINAL, Status
from sdt.store import Store
from sdt.store.standing import STATUS

__all__ = ["DONE", "Waiting"]

DONE: Final = FINAL | {Status.SETTLED}
"""What a waiting client waits for."""

LOOK_S: Final = 0.03
log = logging.getLogger(__name__)


class Waiting:
    """Who waits for which transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiters: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._wake = asyncio.Event()
        self._ended = False
        self.seconds_max = inf
        """Nobody waits longer: what answers may have less time left than the client asks for."""

    def end(self) -> None:
        """Let everybody go with what is known: the process is about to end, and would wait for them."""
        self._ended = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def until_done(self, transaction_id: str, seconds: float) -> None:
        """Return when the transaction is settled or final, or after `seconds`."""
        if self._ended:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiters[transaction_id]
        waiters.add(done)
        self._wake.set()
        try:
            await asyncio.wait_for(done, min(seconds, self.seconds_max))
        except TimeoutError:
            pass
        finally:
            waiters.discard(done)
            if not waiters:
                self._waiters.pop(transaction_id, None)

    async def run(self) -> None:
        """Look until cancelled, and only while somebody waits."""
        while True:
            await self._wake.wait()
            if not self._waiters:
                self._wake.clear()
                continue
            try:
                for transaction_id in await self._store.read(_done, list(self._waiters)):
                    for waiter in self._waiters.get(transaction_id, ()):
                        if not waiter.done():
                            waiter.set_result(None)
            except Unavailable as error:
                log.warning("nobody's wait is looked at: %s", error.detail)
            await asyncio.sleep(LOOK_S)


def _done(store: Store, ids: Sequence[str]) -> list[str]:
    """Return which of these are settled or final. Only ids and statuses: the messages stay where they are."""
    marks = ", ".join(f"'{status}'" for status in sorted(DONE))
    rows = store.rows(
        f"SELECT id FROM transactions WHERE {store.among('id')} AND {STATUS} IN ({marks})",  # noqa: S608
        (store.listed(ids),),
    )
    return [id_ for (id_,) in rows]
