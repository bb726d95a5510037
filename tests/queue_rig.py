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
from sdt.ports import Queue, QueueEntry, Received

BACKENDS = (
    "embedded",
    pytest.param("localstack", marks=pytest.mark.slow),
    pytest.param("ministack", marks=pytest.mark.slow),
)


@dataclass(frozen=True)
class Backend:
    """One of them. `place` is a file or an address with a name, from which another process opens the same queue.

    Units: `hidden_s` is the shortest visibility that its clock resolves.
    """

    name: str
    place: str
    hidden_s: float

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
