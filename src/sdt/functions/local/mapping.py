"""The event source mapping: takes messages from the queue, hands them to a function, deletes what it did not name.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" (batching, visibility, ReportBatchItemFailures).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, Final

from sdt.domain.errors import SdtError, Unavailable
from sdt.functions.local.service import Function
from sdt.ports.queue import Queue, Received

__all__ = ["BATCH_MAX", "EventSource", "event_of"]

BATCH_MAX: Final = 10
"""A FIFO queue hands a function no more at once."""
WAIT_S: Final = 1.0

log = logging.getLogger(__name__)


def event_of(received: Sequence[Received]) -> dict[str, Any]:
    """Return the event that a function is handed for messages of a FIFO queue."""
    return {
        "Records": [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(message.receive_count),
                    "SentTimestamp": str(int(message.sent_at * 1000)),
                    "MessageGroupId": message.group,
                    "MessageDeduplicationId": message.dedup_id,
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            }
            for message in received
        ]
    }


class EventSource:
    """Polls for one function, as many batches at once as it may have processes."""

    def __init__(self, queue: Queue, function: Function, visibility_s: float, batches_max: int) -> None:
        self._queue = queue
        self._function = function
        self._visibility_s = visibility_s
        self._batches_max = batches_max

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.gather(*(self._poll() for _ in range(self._batches_max)))

    async def _poll(self) -> None:
        while True:
            try:
                received = await self._queue.receive(BATCH_MAX, WAIT_S, self._visibility_s)
                if received:
                    await self.hand_over(received)
            except Unavailable as error:
                log.warning("the event source waits: %s", error.detail)
                await asyncio.sleep(WAIT_S)

    async def hand_over(self, received: Sequence[Received]) -> None:
        """Invoke the function with a batch; what it fails with as a whole comes again as a whole."""
        try:
            answer = json.loads(await self._function.invoke(json.dumps(event_of(received)).encode()))
            again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            # A name that is in no message would else count as success.
            if not again <= {message.message_id for message in received}:
                again = {message.message_id for message in received}
        except (SdtError, ValueError, KeyError, TypeError) as error:
            log.warning("a batch of %d comes again: %s", len(received), type(error).__name__)
            return
        await self._queue.delete([message.receipt for message in received if message.message_id not in again])
