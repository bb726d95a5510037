"""Screening as a function that the queue's service calls with up to ten messages: the worker's first half, alone.

A message whose verdict is committed is done with, however often it comes: what is no longer `accepted` is not judged
again. Those that could not be judged are named in the answer and come again; within a group all after the first of
them too, so that the queue keeps their order.
Source: AWS Lambda Developer Guide, "Handling errors for an SQS event source in Lambda" (FIFO queues).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sdt.domain.errors import SdtError, Unavailable
from sdt.domain.region import Region
from sdt.functions.context import Context
from sdt.store import Store
from sdt.store.transactions import TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.reading import Reading
from sdt.worker.sanctions import Sanctions
from sdt.worker.screening_round import Named, ScreeningRound, decide_all

__all__ = ["ScreeningFunction"]

RESERVE_S: Final = 2.0
"""Kept from what is left of an invocation: what database or vendor have not answered by then comes again."""
IDLE_S: Final = 20

log = logging.getLogger(__name__)


class ScreeningFunction:
    """One process of Lambda that judges what it is handed."""

    def __init__(self, store: Store, region: Region, sanctions: Sanctions, clock: Clock) -> None:
        self._store = store
        self._sanctions = sanctions
        self._clock = clock
        self._round = ScreeningRound(region, sanctions, clock, Reading())
        self._looked_at_s = 0
        self._loop = asyncio.new_event_loop()

    def handler(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Judge a batch of messages; return which come again.

        Errors: KeyError for an event that is not the queue's.
        """
        records = event["Records"]
        undone = self._loop.run_until_complete(self._judge([record["body"] for record in records], context))
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in _to_repeat(records, undone)]}

    async def _judge(self, ids: Sequence[str], context: Context) -> set[str]:
        """Return those of `ids` that have no verdict yet."""
        try:
            async with asyncio.timeout(_left_s(context)):
                await self._freshen()
                waiting, undone = await decide_all(self._store, self._round, ids)
        except TimeoutError:
            # What commits after all has its verdict when it comes again.
            log.warning("screening waits: the database takes too long")
            return set(ids)
        except Unavailable as error:
            log.warning("screening waits: %s", error.detail)
            return set(ids)
        if waiting:
            asked = {asyncio.create_task(self._decide_outside(row, message)): row.id for row, message in waiting}
            done, late = await asyncio.wait(asked, timeout=_left_s(context))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            undone |= {asked[task] for task in late} | {asked[task] for task in done if not task.result()}
        return undone

    async def _freshen(self) -> None:
        now_s = self._clock.now_s()
        if abs(now_s - self._looked_at_s) >= IDLE_S:
            await self._store.revive()
        self._looked_at_s = now_s

    async def _decide_outside(self, row: TransactionRow, message: Named) -> bool:
        """Ask whoever knows names, then decide; tell whether there is a verdict."""
        try:
            finding = await self._sanctions.look(row.id, message.account, row.type)
            await self._store.run(self._round.decide_named, row, message, finding)
        except SdtError as error:
            log.warning("screening of %s waits: %s", row.id, error.detail)
            return False
        except Exception as error:
            log.error("%s cannot be judged: %s", row.id, type(error).__name__)
            return False
        return True


def _left_s(context: Context) -> float:
    """Return how long may still be waited for others, as of now."""
    return max(context.get_remaining_time_in_millis() / 1000 - RESERVE_S, 0.0)


def _to_repeat(records: Sequence[Mapping[str, Any]], undone: Collection[str]) -> list[str]:
    """Return the messages that come again, in order: those undone, and what follows them in their group."""
    stopped: set[str] = set()
    repeated = []
    for record in records:
        group = record["attributes"]["MessageGroupId"]
        if record["body"] in undone or group in stopped:
            stopped.add(group)
            repeated.append(record["messageId"])
    return repeated
