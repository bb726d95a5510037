"""The queue: shaped like SQS FIFO, so that the embedded one and Amazon's are the same to a worker.

Delivery is at least once. Within a group messages arrive in the order sent, and none follows while an earlier
one is in flight. An id repeated in its group within five minutes is accepted and not delivered again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sdt.domain.errors import Invalid

DEDUPLICATION_WINDOW_S: Final = 300
VISIBILITY_MAX_S: Final = 12 * 3600
BODY_BYTES_MAX: Final = 256 * 1024
WAIT_MAX_S: Final = 20

# Not in the set: the control characters but tab and line ends, halves of a surrogate pair, and two non-characters.
_BODY = re.compile(r"[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """What is sent: a body, the group whose order it keeps, and the id that makes a repeated send harmless.

    Errors: Invalid where Amazon SQS would refuse it, so that what runs embedded runs there too.
    Source: Amazon SQS API reference, SendMessage (MessageGroupId, MessageDeduplicationId, MessageBody).
    """

    group: str
    dedup_id: str
    body: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.group) or not _ID.fullmatch(self.dedup_id):
            raise Invalid("A queue group or id is 1 to 128 letters, digits and punctuation.", code="queue_id")
        if len(self.body) > BODY_BYTES_MAX or not _BODY.fullmatch(self.body):
            raise Invalid("A queue body is 1 byte to 256 KiB of what XML calls characters.", code="queue_body")
        if len(self.body.encode()) > BODY_BYTES_MAX:
            raise Invalid("A queue body is 1 byte to 256 KiB of UTF-8.", code="queue_body")


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery of a message; `receipt` is good for this delivery alone, until its visibility ends.

    Units: `receive_count` is 1 at the first delivery; `sent_at` in unix seconds.
    """

    message_id: str
    receipt: str
    group: str
    dedup_id: str
    body: str
    receive_count: int
    sent_at: float


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How much waits, how much is in flight, how much died, and the age of the oldest not yet deleted.

    The counts are approximate while others send and receive. `oldest_age_s` is None when nothing is there, and where
    the queue itself does not tell (SQS says it to CloudWatch, as ApproximateAgeOfOldestMessage).
    """

    waiting: int
    in_flight: int
    dead: int
    oldest_age_s: float | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was received too often without being deleted.

    What made it may be renamed by dying: SQS gives a dead letter its message id as `dedup_id`, counts on each time
    that somebody looks, and says when it died as `sent_at`. Group and body stay.
    Source: Amazon SQS Developer Guide, "Learn how to configure a dead-letter queue redrive".
    """

    message_id: str
    group: str
    dedup_id: str
    body: str
    receive_count: int
    sent_at: float


class Queue(Protocol):
    """At-least-once delivery, in order within a group; any batch size: adapters split to the real limit.

    Errors: Unavailable when the queue does not answer.
    """

    async def send(self, entries: Sequence[QueueEntry]) -> Sequence[str]:
        """Store the entries durably and return their message ids, in the order given.

        A repeated id within five minutes answers the first one's message id and delivers nothing again. An id
        belongs to one group: whether it counts as repeated in another is up to the queue. When this fails, some may
        have been sent: send all again, under the same ids.
        """
        ...

    async def receive(self, max_messages: int, wait_s: float, visibility_s: float) -> Sequence[Received]:
        """Take up to `max_messages` for `visibility_s`; wait at most `wait_s` for the first."""
        ...

    async def delete(self, receipts: Sequence[str]) -> Sequence[str]:
        """Delete what was received, and return the receipts known to be refused.

        A receipt whose visibility has ended, or that a later receive replaced, deletes nothing. Not every
        queue says so (SQS may stay silent): a consumer must expect such a message again.
        """
        ...

    async def extend(self, receipts: Sequence[str], visibility_s: float) -> Sequence[str]:
        """Hide for `visibility_s` from now (0: give back); return the receipts known to be refused."""
        ...

    async def depth(self) -> QueueDepth:
        """Return the approximate counts."""
        ...

    async def dead_letters(self, max_messages: int) -> Sequence[DeadLetter]:
        """Return the oldest dead letters without removing them; of each group the first ones at least."""
        ...

    async def redrive(self) -> int:
        """Move every dead letter to the end of the queue, counted anew; return how many, approximately."""
        ...

    async def close(self) -> None:
        """Let go of threads, files and connections."""
        ...
