"""Amazon SQS: a FIFO queue with its dead letters, through boto3.

Units: SQS counts whole seconds: a wait or a visibility is rounded up.
Source: Amazon SQS API reference; Developer Guide, "FIFO queue delivery logic", "High throughput for FIFO queues".
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Coroutine, Sequence
from typing import Any, Final
from uuid import uuid4

from sdt.adapters.queue.sqs_batches import CALL_MAX, by_number, lanes, next_call, overtaken
from sdt.adapters.queue.sqs_calls import AT_ONCE, SqsCalls
from sdt.config.model import Aws
from sdt.domain.errors import Invalid, SdtError, Unavailable
from sdt.ports.queue import VISIBILITY_MAX_S, WAIT_MAX_S, DeadLetter, QueueDepth, QueueEntry, Received

__all__ = ["SqsQueue"]

_ATTEMPTS: Final = 4
_PAUSE_S: Final = 0.1
_LOOK_S: Final = 30
"""How long dead letters are hidden while they are read or moved; given back at once when it is done."""
_ATTRIBUTES: Final = ["ApproximateReceiveCount", "MessageDeduplicationId", "MessageGroupId", "SentTimestamp"]
_COUNTS: Final = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
# What is wrong with the receipt, not with SQS: it will not get better.
_REFUSED: Final = frozenset(("ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"))
log = logging.getLogger(__name__)


class SqsQueue:
    """One FIFO queue at Amazon's, or at an emulator; use one object per process and event loop.

    With `max_receives` the queue and its dead letters are made at first use, as an emulator needs; without, they are
    there, and what is made them says after how many receives a message is dead.

    Errors: Unavailable when SQS does not answer, throttles, or took a part only; sending again does no harm.
    """

    def __init__(self, aws: Aws, name: str, *, max_receives: int | None = None) -> None:
        made = None if max_receives is None else {"maxReceiveCount": str(max_receives)}
        self._calls = SqsCalls(aws, name, made)
        self._returning: set[asyncio.Task[Any]] = set()

    async def send(self, entries: Sequence[QueueEntry]) -> Sequence[str]:
        """Send in calls of ten, groups side by side, and return the message ids in the order given."""
        ids: dict[int, str] = {}
        sending = (self._send_lane(entries, lane, ids) for lane in lanes(entries, AT_ONCE))
        await _all(*sending)
        return [ids[position] for position in range(len(entries))]

    async def receive(self, max_messages: int, wait_s: float, visibility_s: float) -> Sequence[Received]:
        """Take up to `max_messages`: ten, and after a full call more side by side, as long as they bring half."""
        if max_messages < 1 or not 0 <= wait_s <= WAIT_MAX_S or not 0 <= visibility_s <= VISIBILITY_MAX_S:
            raise Invalid("Receive at least 1, wait 0 to 20 s, hide 0 s to 12 h.", code="queue_receive")
        url = (await self._calls.queues()).url
        received = await self._take(url, min(max_messages, CALL_MAX), wait_s, visibility_s)
        full = len(received) == CALL_MAX
        try:
            while full and (left := max_messages - len(received)) > 0:
                sizes = [min(CALL_MAX, left - first) for first in range(0, min(left, AT_ONCE * CALL_MAX), CALL_MAX)]
                more = await self._take_more(url, sizes, visibility_s)
                received += more
                full = 2 * len(more) >= sum(sizes)
        except asyncio.CancelledError:
            self._later(self._hide(url, [message["ReceiptHandle"] for message in received], 0))
            raise
        return [_received(message) for message in received]

    async def delete(self, receipts: Sequence[str]) -> Sequence[str]:
        """Delete, ten at a time side by side; return the receipts refused."""
        return await self._each((await self._calls.queues()).url, "delete_message_batch", receipts, {})

    async def extend(self, receipts: Sequence[str], visibility_s: float) -> Sequence[str]:
        """Hide for `visibility_s` from now; return the receipts refused."""
        if not 0 <= visibility_s <= VISIBILITY_MAX_S:
            raise Invalid("A message is hidden for 0 s to 12 h.", code="queue_extend")
        url = (await self._calls.queues()).url
        return await self._hide(url, receipts, visibility_s)

    async def depth(self) -> QueueDepth:
        """Return the approximate counts. How old the oldest is, SQS tells to CloudWatch alone: None here."""
        queues = await self._calls.queues()
        urls = [queues.url] if queues.dead_url is None else [queues.url, queues.dead_url]
        counts = [
            [int(answer["Attributes"].get(name, 0)) for name in _COUNTS]
            for answer in await _all(
                *(self._calls.call("get_queue_attributes", QueueUrl=url, AttributeNames=_COUNTS) for url in urls)
            )
        ]
        waiting, in_flight, delayed = counts[0]
        return QueueDepth(waiting + delayed, in_flight, sum(sum(dead) for dead in counts[1:]), None)

    async def dead_letters(self, max_messages: int) -> Sequence[DeadLetter]:
        """Return dead letters, of each group the first ones at least.

        They are hidden while they are read, and then given back: of a group no more comes than one delivery holds.
        """
        url = (await self._calls.queues()).dead_url
        found: list[dict[str, Any]] = []
        while url is not None and len(found) < max_messages:
            more = await self._take(url, min(CALL_MAX, max_messages - len(found)), 0, _LOOK_S)
            if not more:
                break
            found += more
        if url is not None and found:
            await self._hide(url, [message["ReceiptHandle"] for message in found], 0)
        return [_dead(message) for message in found]

    async def redrive(self) -> int:
        """Send every dead letter again, then delete it; return how many.

        Under a new id, always the same for one death: so a redrive that is broken off and begun again sends nothing
        twice, and none is taken for the message it once was and dropped.
        """
        queues = await self._calls.queues()
        moved = 0
        while queues.dead_url is not None:
            batch = await self._take(queues.dead_url, CALL_MAX, 1, _LOOK_S)
            if not batch:
                break
            dead = [_dead(message) for message in batch]
            await self.send([QueueEntry(one.group, f"redrive-{one.message_id}", one.body) for one in dead])
            await self._each(
                queues.dead_url, "delete_message_batch", [message["ReceiptHandle"] for message in batch], {}
            )
            moved += len(batch)
        return moved

    async def close(self) -> None:
        """Give back what was being received, and let go of threads and connections."""
        await asyncio.gather(*self._returning, return_exceptions=True)
        await self._calls.close()

    async def _send_lane(self, entries: Sequence[QueueEntry], lane: list[int], ids: dict[int, str]) -> None:
        """Send the calls of a lane one after another; what failed is sent again before what follows it."""
        url = (await self._calls.queues()).url
        attempt = 0
        while lane:
            called = next_call(entries, lane)
            answer = await self._calls.call(
                "send_message_batch",
                QueueUrl=url,
                Entries=[
                    {
                        "Id": str(position),
                        "MessageBody": entries[position].body,
                        "MessageGroupId": entries[position].group,
                        "MessageDeduplicationId": entries[position].dedup_id,
                    }
                    for position in called
                ],
            )
            sent = {int(one["Id"]): one["MessageId"] for one in answer.get("Successful", ())}
            ids.update(sent)
            lane = [position for position in called if position not in sent] + lane[len(called) :]
            if len(sent) == len(called):
                attempt = 0
                continue
            attempt += 1
            if overtaken(entries, called, sent):
                raise Unavailable("SQS took a later message of a group and not the earlier.", code="queue_overtaken")
            await _pause(attempt, answer)

    async def _take(self, url: str, count: int, wait_s: float, visibility_s: float) -> list[dict[str, Any]]:
        """Receive once. Who is cancelled meanwhile leaves nothing hidden that nobody works on."""
        taking = asyncio.ensure_future(
            self._calls.call(
                "receive_message",
                QueueUrl=url,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=math.ceil(wait_s),
                VisibilityTimeout=math.ceil(visibility_s),
                MessageSystemAttributeNames=_ATTRIBUTES,
                # The client repeats a call whose answer was lost; by this, SQS repeats the answer.
                ReceiveRequestAttemptId=uuid4().hex,
            )
        )
        try:
            answer = await asyncio.shield(taking)
        except asyncio.CancelledError:
            self._later(self._give_back(url, taking))
            raise
        return list(answer.get("Messages", ()))

    async def _take_more(self, url: str, sizes: Sequence[int], visibility_s: float) -> list[dict[str, Any]]:
        """Receive side by side without waiting. A call that fails brings nothing, and takes nothing from the others."""
        taking = [asyncio.ensure_future(self._take(url, size, 0, visibility_s)) for size in sizes]
        try:
            answers = await asyncio.gather(*taking, return_exceptions=True)
        except asyncio.CancelledError:
            # Those that were through already have nobody else who knows what they brought.
            brought = [one.result() for one in taking if not one.cancelled() and not one.exception()]
            self._later(self._hide(url, [message["ReceiptHandle"] for each in brought for message in each], 0))
            raise
        more: list[dict[str, Any]] = []
        for answer in answers:
            if isinstance(answer, SdtError):
                log.warning("a receive failed beside others: %s", answer.detail)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                more += answer
        return more

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it though the caller has gone; `close` waits for it. If it fails, the visibility ends by itself."""
        task = asyncio.create_task(work)
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _give_back(self, url: str, taking: asyncio.Future[dict[str, Any]]) -> None:
        messages = (await taking).get("Messages", ())
        await self._hide(url, [message["ReceiptHandle"] for message in messages], 0)

    async def _hide(self, url: str, receipts: Sequence[str], visibility_s: float) -> list[str]:
        hidden = {"VisibilityTimeout": math.ceil(visibility_s)}
        return await self._each(url, "change_message_visibility_batch", receipts, hidden)

    async def _each(self, url: str, operation: str, receipts: Sequence[str], said: dict[str, int]) -> list[str]:
        """Do something to each receipt, AT_ONCE calls side by side; return those refused, in the order given."""
        numbered = by_number(receipts)
        room = asyncio.Semaphore(AT_ONCE)

        async def one(call: list[dict[str, str]]) -> set[int]:
            async with room:
                return await self._once(url, operation, call, said)

        refused = await _all(*(one(numbered[at : at + CALL_MAX]) for at in range(0, len(numbered), CALL_MAX)))
        return [receipts[number] for number in sorted(set().union(*refused))]

    async def _once(self, url: str, operation: str, entries: list[dict[str, str]], said: dict[str, int]) -> set[int]:
        """Call once, and again for the entries that SQS itself failed at; return the numbers of those refused."""
        refused: set[int] = set()
        attempt = 0
        while entries:
            answer = await self._calls.call(operation, QueueUrl=url, Entries=[{**entry, **said} for entry in entries])
            failed = answer.get("Failed", ())
            refused |= {int(one["Id"]) for one in failed if _is_refusal(one)}
            again = {one["Id"] for one in failed if not _is_refusal(one)}
            entries = [entry for entry in entries if entry["Id"] in again]
            if entries:
                attempt += 1
                await _pause(attempt, answer)
        return refused


def _is_refusal(failed: dict[str, Any]) -> bool:
    return str(failed.get("Code", "")).rpartition(".")[2].removesuffix("Exception") in _REFUSED


async def _pause(attempt: int, answer: dict[str, Any]) -> None:
    """Wait before what failed is tried again. Errors: Unavailable when it was tried enough, or never will succeed."""
    codes = sorted({str(one.get("Code", "")) for one in answer.get("Failed", ())})
    if attempt >= _ATTEMPTS or any(one.get("SenderFault") for one in answer.get("Failed", ())):
        raise Unavailable(f"SQS took a part only: {', '.join(codes)}.", code="queue_partial")
    await asyncio.sleep(_PAUSE_S * 2**attempt)


async def _all(*work: Any) -> list[Any]:
    """Wait for all, also when one fails, and then say so: nothing goes on behind the caller's back."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _received(message: dict[str, Any]) -> Received:
    told = message["Attributes"]
    return Received(
        message["MessageId"],
        message["ReceiptHandle"],
        told["MessageGroupId"],
        told["MessageDeduplicationId"],
        message["Body"],
        int(told["ApproximateReceiveCount"]),
        int(told["SentTimestamp"]) / 1000,
    )


def _dead(message: dict[str, Any]) -> DeadLetter:
    one = _received(message)
    return DeadLetter(one.message_id, one.group, one.dedup_id, one.body, one.receive_count, one.sent_at)
