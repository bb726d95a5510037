"""Signed messages come in. Arrivals of a few milliseconds are checked together and stored in one commit.

A request is answered after its commit: what was answered `accepted` outlives a power cut. Bytes that were stored
before get the answer they had, however long ago; other bytes under the same id are refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sdt.api.admission import authenticate, check_act, check_id, row_of
from sdt.api.backlog import Backlog
from sdt.api.dispatch import Dispatch
from sdt.api.keys import KeyCache
from sdt.api.services import Services
from sdt.domain.authority import speaks_for
from sdt.domain.envelope import Envelope, open_envelope
from sdt.domain.errors import Conflict, Invalid, SdtError, Unprocessable
from sdt.domain.message import Signed
from sdt.domain.transaction import Status
from sdt.observing import tracing
from sdt.observing.figures import Histogram
from sdt.store import Store, traces
from sdt.store.intake import AcceptedRow, Stored, insert_accepted, known_of

__all__ = ["GROUP", "GROUP_MESSAGES", "Answer", "Intake", "Receipt"]

GROUP = Histogram("sdt_intake_seconds", "How long a group of messages took to check and to commit.", ["step"])
GROUP_MESSAGES = Histogram(
    "sdt_intake_group_messages", "Messages that one commit took.", bounds=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)

CHECKED_AT_A_STRETCH = 64
"""So many signatures are checked (about 5 ms) before others get the loop."""

MESSAGES_IN_A_GROUP = 500
"""A group is checked and committed as one: larger ones would keep the worker waiting for work, and its lock longer."""

COMMITS_AHEAD = 2
"""Groups on their way to the disk while the next one is checked."""

log = logging.getLogger(__name__)


class Receipt(NamedTuple):
    """A message is stored: under which id, and where its transaction stands now."""

    transaction_id: str
    status: Status
    new: bool


Answer = Receipt | SdtError


@dataclass(frozen=True, slots=True)
class _Late:
    """A refusal that would have been none earlier: it stands only if these bytes were not stored before."""

    signed: Signed
    error: SdtError


_Verdict = AcceptedRow | SdtError | _Late


@dataclass(frozen=True, slots=True)
class _Request:
    messages: Sequence[bytes]
    expected_id: str | None
    trace: str
    answers: asyncio.Future[list[Answer]]


class Intake:
    """Takes messages and answers for each. `run` works; `close` finishes what was taken."""

    def __init__(self, services: Services, keys: KeyCache, backlog: Backlog, dispatch: Dispatch) -> None:
        self._services = services
        self._keys = keys
        self._backlog = backlog
        self._dispatch = dispatch
        self._waiting: list[_Request] = []
        self._wake = asyncio.Event()
        self._room = asyncio.Semaphore(COMMITS_AHEAD)
        self._commits: set[asyncio.Task[None]] = set()

    def submit(self, messages: Sequence[bytes], expected_id: str | None = None) -> asyncio.Future[list[Answer]]:
        """Hand in messages; the future gives an answer for each, in order, after their commit."""
        answers: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(messages, expected_id, tracing.current(), answers))
        self._wake.set()
        return answers

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            # While commits are on their way others arrive anyway; only an idle intake waits for company.
            if not self._commits:
                await asyncio.sleep(self._services.limits.gather_ms / 1000)
            await self._room.acquire()
            await self._take(self._group())

    def _group(self) -> list[_Request]:
        """Return the longest waiting requests, as many as one commit takes, and at least one."""
        size, end = 0, 0
        for request in self._waiting:
            size += len(request.messages)
            if end and size > MESSAGES_IN_A_GROUP:
                break
            end += 1
        group, self._waiting = self._waiting[:end], self._waiting[end:]
        if not self._waiting:
            self._wake.clear()
        return group

    async def close(self) -> None:
        """Finish the commits that were begun, then those that wait."""
        while self._waiting:
            await self._room.acquire()
            await self._take(self._group())
        await asyncio.gather(*self._commits)

    async def _take(self, requests: Sequence[_Request]) -> None:
        try:
            with GROUP.timed("check"):
                verdicts = await self._check(requests)
        except Exception as error:
            self._room.release()
            _fail(requests, error)
            return
        task = asyncio.create_task(self._commit(requests, verdicts))
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)

    async def _check(self, requests: Sequence[_Request]) -> list[_Verdict]:
        opened = [(_open(raw), request.expected_id) for request in requests for raw in request.messages]
        kids = {e.kid for e, _ in opened if isinstance(e, Envelope) and e.type != "register"}
        await self._keys.load(kids)
        now_ms = self._services.now_ms()
        verdicts: list[_Verdict] = []
        for count, (envelope, expected_id) in enumerate(opened, 1):
            if isinstance(envelope, SdtError):
                verdicts.append(envelope)
            else:
                verdicts.append(self._judge(envelope, expected_id, now_ms))
            if count % CHECKED_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        return verdicts

    def _judge(self, envelope: Envelope, expected_id: str | None, now_ms: int) -> _Verdict:
        services = self._services
        try:
            signed, key = authenticate(envelope, self._keys.get(envelope.kid))
            check_id(signed, services.ids, expected_id)
        except SdtError as error:
            return error
        try:
            if signed.type == "register":
                raise Unprocessable(
                    "A registration is sent with the person's data to POST /v1/users.",
                    code="register_with_person",
                )
            fee = check_act(signed, key, services.region, services.network, now_ms // 1000)
            self._backlog.check(speaks_for(signed.message))
        except SdtError as error:
            return _Late(signed, error)
        return row_of(signed, fee, now_ms)

    async def _commit(self, requests: Sequence[_Request], verdicts: Sequence[_Verdict]) -> None:
        try:
            traced = _traced(requests, verdicts) if tracing.started() else {}
            parent, *others = list(dict.fromkeys(traced.values())) or [""]
            with (
                GROUP.timed("commit"),
                tracing.span("intake.commit", parent=parent, links=others, messages=len(verdicts)),
            ):
                answers = await self._store(verdicts, traced)
        except Exception as error:
            _fail(requests, error)
            return
        finally:
            self._room.release()
        begin = 0
        for request in requests:
            end = begin + len(request.messages)
            # Whoever hung up has no use for the answer; what was stored stands.
            if not request.answers.done():
                request.answers.set_result(answers[begin:end])
            begin = end

    async def _store(self, verdicts: Sequence[_Verdict], traced: Mapping[str, str]) -> list[Answer]:
        """Commit what is admitted, look up what may be a repetition, and answer for each."""
        GROUP_MESSAGES.observe(len(verdicts))
        rows = [verdict for verdict in verdicts if isinstance(verdict, AcceptedRow)]
        late = [verdict.signed.message.transaction_id for verdict in verdicts if isinstance(verdict, _Late)]
        stored = await self._services.store.run(_insert, rows, traced) if rows else []
        known = await self._services.store.read(known_of, late) if late else {}
        outcomes = iter(stored)
        answers = [
            _of_row(verdict, next(outcomes))
            if isinstance(verdict, AcceptedRow)
            else _of_late(verdict, known)
            if isinstance(verdict, _Late)
            else verdict
            for verdict in verdicts
        ]
        new = [row for row, outcome in zip(rows, stored, strict=True) if outcome.outcome == "new"]
        self._backlog.add(row.account for row in new)
        self._dispatch.send([(row.id, row.account or row.kid) for row in new])
        return answers


def _open(raw: bytes) -> Envelope | SdtError:
    try:
        return open_envelope(raw)
    except Invalid as error:
        return error


def _insert(store: Store, rows: Sequence[AcceptedRow], traced: Mapping[str, str]) -> list[Stored]:
    stored = insert_accepted(store, rows)
    if traced:
        traces.put(store, traced, rows[0].accepted_at_ms)
    return stored


def _traced(requests: Sequence[_Request], verdicts: Sequence[_Verdict]) -> dict[str, str]:
    """Return the traceparents of what is to be stored, as far as it is traced and a span has room for links."""
    traced: dict[str, str] = {}
    owners = (request.trace for request in requests for _ in request.messages)
    for trace, verdict in zip(owners, verdicts, strict=True):
        if trace and isinstance(verdict, AcceptedRow) and len(traced) < tracing.LINKS_MAX:
            traced[verdict.id] = trace
    return traced


def _of_row(row: AcceptedRow, stored: Stored) -> Answer:
    if stored.outcome == "conflict":
        return other_bytes()
    if stored.outcome == "waits":
        return Conflict("Another key change of this account is on its way.", code="rotation_waiting")
    return Receipt(row.id, stored.status, stored.outcome == "new")


def _of_late(late: _Late, known: dict[str, tuple[bytes, Status]]) -> Answer:
    transaction_id = late.signed.message.transaction_id
    found = known.get(transaction_id)
    if found is None:
        return late.error
    digest, status = found
    return Receipt(transaction_id, status, False) if digest == late.signed.digest else other_bytes()


def other_bytes() -> Conflict:
    """Return the refusal of a second message under one id."""
    return Conflict("Another message was sent under this transaction_id.", code="transaction_id_used")


def _fail(requests: Sequence[_Request], error: Exception) -> None:
    for request in requests:
        if not request.answers.done():
            request.answers.set_exception(error)
