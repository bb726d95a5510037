"""Calls to SQS from an event loop: in threads, with errors that say what kind of trouble it is."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sdt.adapters.aws import AwsRefused, AwsUnreachable, call, client
from sdt.config.model import Aws
from sdt.domain.errors import Unavailable

__all__ = ["AT_ONCE", "SqsCalls", "SqsQueues", "dead_name"]

AT_ONCE: Final = 8
"""Calls of one operation that go at once: a receive brings ten messages, and its answer takes milliseconds."""
_THREADS: Final = 3 * AT_ONCE
_READ_S: Final = 30
"""Longer than the longest poll, 20 s."""
_RETENTION_S: Final = 14 * 24 * 3600
"""The longest there is: what nobody takes for two weeks is found by the books, not by the queue."""
_THROTTLED: Final = frozenset(("RequestThrottled", "OverLimit", "KmsThrottled"))
_MISSING: Final = frozenset(("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"))
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SqsQueues:
    """Where the queue and its dead letters are; without a redrive policy there are none."""

    url: str
    dead_url: str | None


def dead_name(name: str) -> str:
    """Return the name under which a queue's dead letters are made."""
    return f"{name.removesuffix('.fifo')}-dead.fifo"


class SqsCalls:
    """One client, its threads, and the addresses of one queue, looked up at first use and again when it is gone.

    Errors: Unavailable, with code queue_throttled, queue_missing, queue_closed or queue_unavailable.
    """

    def __init__(self, aws: Aws, name: str, created: Mapping[str, str] | None) -> None:
        self._client = client("sqs", aws, read_s=_READ_S, connections=_THREADS)
        self._name = name
        self._created = created
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqs")
        self._finding = asyncio.Lock()
        self._queues: SqsQueues | None = None
        self._closed = False

    async def queues(self) -> SqsQueues:
        """Return the addresses, known or found now."""
        async with self._finding:
            if self._queues is None:
                self._queues = await self._in_thread(self._find if self._created is None else self._create)
            return self._queues

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call one operation of the client."""
        answer: dict[str, Any] = await self._in_thread(partial(self._ask, operation, **arguments))
        return answer

    async def close(self) -> None:
        """Wait for calls under way, and let go of threads and connections."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        self._client.close()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        if self._closed:
            raise Unavailable("The queue is closed.", code="queue_closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except AwsRefused as error:
            if error.aws_code in _THROTTLED:
                raise Unavailable(f"SQS takes no more for now: {error.aws_code}.", code="queue_throttled") from None
            if error.aws_code in _MISSING:
                self._queues = None
                raise Unavailable(f"There is no queue {self._name}.", code="queue_missing") from None
            raise Unavailable(error.detail, code="queue_unavailable") from None
        except AwsUnreachable as error:
            raise Unavailable(error.detail, code="queue_unavailable") from None

    def _ask(self, operation: str, **arguments: Any) -> Any:
        return call(self._client, operation, **arguments)

    def _find(self) -> SqsQueues:
        url = self._ask("get_queue_url", QueueName=self._name)["QueueUrl"]
        found = self._ask("get_queue_attributes", QueueUrl=url, AttributeNames=["RedrivePolicy"])
        policy = found.get("Attributes", {}).get("RedrivePolicy")
        if policy is None:
            log.warning("the queue %s has no dead letters: what cannot be worked on blocks its group", self._name)
            return SqsQueues(url, None)
        dead = str(json.loads(policy)["deadLetterTargetArn"]).rpartition(":")[2]
        return SqsQueues(url, self._ask("get_queue_url", QueueName=dead)["QueueUrl"])

    def _create(self) -> SqsQueues:
        fifo = {
            "FifoQueue": "true",
            "MessageRetentionPeriod": str(_RETENTION_S),
            # Throughput by group needs deduplication by group; an id of ours is always in the same group.
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        }
        dead = self._ask("create_queue", QueueName=dead_name(self._name), Attributes=fifo)["QueueUrl"]
        told = self._ask("get_queue_attributes", QueueUrl=dead, AttributeNames=["QueueArn"])
        policy = {"deadLetterTargetArn": told["Attributes"]["QueueArn"], **(self._created or {})}
        made = self._ask("create_queue", QueueName=self._name, Attributes={**fifo, "RedrivePolicy": json.dumps(policy)})
        return SqsQueues(made["QueueUrl"], dead)
