"""The queues that the platform can have, opened for tests: the embedded one, and SQS as two emulators play it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from aws_rig import aws_settings
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.adapters.queue.sqs import SqsQueue
from sdt.ports.queue import Queue, QueueEntry, Received

BACKENDS = (
    "embedded",
    pytest.param("localstack", marks=pytest.mark.slow),
    pytest.param("ministack", marks=pytest.mark.slow),
)


DEVIATIONS = {
    # DeleteMessage: "you must provide the most recently received ReceiptHandle for the message (otherwise, the request
    # succeeds, but the message will not be deleted)". LocalStack 4.13.1 (services/sqs/models.py, SqsQueue.receipts)
    # keeps every receipt that a message ever had, and each deletes and hides it while it is in flight again.
    "old_receipt_works": {"localstack"},
    # ReceiveMessage, ReceiveRequestAttemptId: "if a consumer whose message processing time is longer than the
    # visibility timeout tries to delete the processed messages, the action fails with an error"; a change of visibility
    # answers MessageNotInflight. ministack 1.5.33 (services/sqs.py) takes the newest receipt until the next receive.
    "ended_receipt_works": {"ministack"},
    # ReceiveMessage: only messages of the same group wait for one that is invisible. In LocalStack 4.13.1
    # (FifoQueue.requeue_inflight_messages) what was received later waits too, of whatever group.
    "expiry_waits_for_older": {"localstack"},
    # The same place: "While messages with a particular MessageGroupId are invisible, no more messages belonging to the
    # same MessageGroupId are returned". In LocalStack 4.13.1 (FifoQueue._put_message) one that comes back frees its
    # group, though others of it are still invisible.
    "one_back_frees_group": {"localstack"},
}
"""Where an emulator does other than Amazon documents. All else is asked of every queue alike."""


@dataclass(frozen=True)
class Backend:
    """One of them. `place` is a file or an address with a name, from which another process opens the same queue.

    Units: `hidden_s` is the shortest visibility that its clock resolves.
    """

    name: str
    place: str
    hidden_s: float

    def deviates(self, how: str) -> bool:
        return self.name in DEVIATIONS[how]

    def open(self, max_receives: int) -> Queue:
        return open_place(self.place, max_receives)


def open_place(place: str, max_receives: int) -> Queue:
    """Open the queue of a backend, here or in another process."""
    if not place.startswith("http://"):
        return EmbeddedQueue(Path(place), max_receives=max_receives)
    url, _, name = place.rpartition("/")
    return SqsQueue(aws_settings(url), name, max_receives=max_receives)


def backend_of(name: str, request: pytest.FixtureRequest, folder: Path) -> Backend:
    """Return a backend with an empty queue of its own."""
    if name == "embedded":
        return Backend(name, str(folder / "queue.sqlite"), hidden_s=0.2)
    url = request.getfixturevalue(name)
    return Backend(name, f"{url}/test-{uuid4().hex}.fifo", hidden_s=1)


def entry(group: str, body: str, dedup_id: str | None = None) -> QueueEntry:
    return QueueEntry(group, dedup_id or uuid4().hex, body)


def bodies(received: Sequence[Received]) -> list[str]:
    return [message.body for message in received]
