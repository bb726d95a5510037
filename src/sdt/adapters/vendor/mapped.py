"""A vendor spoken to as its folder says: one object that can do every operation of the vendor's kind.

An order that went unanswered may have been done. Then the vendor is asked what became of it, and is sent the order
again, under the same key, only after it said that it knows nothing of it; where it knows no keys, after it said so
twice, with the time of a whole try between. A refusal of what is sent again says nothing of what went unanswered.
What a vendor writes into an error is not passed on, for it may name a person: only its code is.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from sdt.adapters.vendor.auth import Outgoing, authenticator
from sdt.adapters.vendor.breaker import Breaker, BreakerState
from sdt.adapters.vendor.errors import VendorFolderInvalid
from sdt.adapters.vendor.folder import SPEC_FILE, CompiledAsk, CompiledOperation, Folder
from sdt.adapters.vendor.mapping import MappingFailed
from sdt.adapters.vendor.messages import Prepared, addressed, our_answer, prepare, read_answer, values_of
from sdt.adapters.vendor.spec import Outcome
from sdt.adapters.vendor.trace import Trace
from sdt.adapters.vendor.transport import BadAddress, NotDone, PerhapsDone, Transport
from sdt.domain.errors import Conflict, NotFound, SdtError, Unavailable, Unprocessable
from sdt.observing import tracing
from sdt.ports.evidence import StateUnknown, VendorFault

__all__ = ["MappedVendor", "VendorHealth"]

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
P = ParamSpec("P")
R = TypeVar("R")

DONE: Final = (200, 201, 202)
ASIDE_BYTES: Final = 65_536
"""A larger message is read, checked and mapped beside the event loop."""
_NO_CODE: Final = "http_{}"
"""The code of a refusal in which the vendor names none."""
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_OUTCOMES: Final[Mapping[int, Outcome]] = {
    400: "refused",
    404: "not_found",
    409: "conflict",
    413: "refused",
    422: "refused",
    429: "nothing_done",
    503: "nothing_done",
}
_REFUSALS: Final[Mapping[str, type[SdtError]]] = {
    "refused": Unprocessable,
    "not_found": NotFound,
    "conflict": Conflict,
}


@dataclass(frozen=True, slots=True)
class VendorHealth:
    """How one vendor does, as this process sees it."""

    kind: str
    name: str
    breaker: BreakerState
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Answered:
    value: Any
    document: bytes
    asked: CompiledAsk | None = None


class MappedVendor:
    """One vendor; use one object per event loop.

    `secret` reads the vault; `trace_folder` is where traces go, None for nowhere.
    """

    def __init__(
        self,
        folder: Folder,
        url: str,
        secret: Callable[[], str],
        *,
        trace_folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Errors: VendorFolderInvalid for an address that is none."""
        spec = folder.spec
        self._folder = folder
        self._spec = spec
        try:
            self._transport = Transport(url, timeout_s=spec.timeout_s, answer_bytes_max=spec.answer_bytes_max)
        except BadAddress as error:
            raise VendorFolderInvalid([f"{folder.path / SPEC_FILE}: url: {error}"]) from None
        self._auth = authenticator(spec.auth, secret, self._post_form, clock)
        self._breaker = Breaker(spec.breaker.failures, spec.breaker.open_s, clock)
        self._trace = Trace(
            trace_folder, spec.trace.keep, folder.names, spec.trace.file_bytes_max, spec.trace.files_max
        )
        self._outcomes: Counter[str] = Counter()

    async def call(
        self, name: str, wanted: type[Answer], arguments: Mapping[str, Any], key: str | None = None
    ) -> Answer:
        """Do one operation and return the port's answer. An order carries a key; the rest does not.

        Errors: Conflict, NotFound, Unprocessable, VendorFault; Unavailable when nothing was done; StateUnknown.
        """
        operation = self._folder.operations[name]
        assert operation.kind.order is (key is not None), "an order carries a key, and nothing else does"
        try:
            prepared = await _aside(_is_large(arguments), prepare, operation, dict(arguments), key)
            if not self._breaker.allows():
                raise self._unavailable()
            get = self._ordered if operation.kind.order else self._looked
            with tracing.span("vendor.call", vendor=self._spec.name, operation=name):
                answered = await get(operation, prepared)
                answer = await self._ours(operation, answered)
        except SdtError as error:
            self._outcomes[error.code if isinstance(error, StateUnknown | VendorFault) else error.kind.label] += 1
            raise
        self._outcomes["ok"] += 1
        assert isinstance(answer, wanted)
        return answer

    async def became(self, name: str, wanted: type[Answer], arguments: Mapping[str, Any], key: str) -> Answer | None:
        """Return what became of an order that may have been done, or None when it was not.

        None is the vendor's own word, said twice with the time of a whole try between: a way there that is closed, or
        an order that is under way still, looks like one that it knows nothing of.
        Errors: StateUnknown when the vendor cannot be asked or does not say plainly; Unavailable; VendorFault; NotFound
        for an id that no vendor could have given.
        """
        operation = self._folder.operations[name]
        if operation.ask is None:
            raise self._state_unknown()
        if not self._breaker.allows():
            raise self._unavailable()
        values = values_of(operation, dict(arguments), key)
        for wait_s in (0, self._spec.timeout_s):
            await asyncio.sleep(wait_s)
            if (found := await self._became(operation, values, plainly=True)) is not None:
                answer = await self._ours(operation, found)
                assert isinstance(answer, wanted)
                return answer
        return None

    def health(self) -> VendorHealth:
        """Return how the vendor does."""
        return VendorHealth(self._spec.kind, self._spec.name, self._breaker.state, dict(self._outcomes))

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _looked(self, operation: CompiledOperation, prepared: Prepared) -> _Answered:
        for attempt in range(self._spec.attempts):
            await self._pause(attempt)
            try:
                return await self._try(operation, prepared)
            except (NotDone, PerhapsDone):
                continue
        raise self._unavailable()

    async def _ordered(self, operation: CompiledOperation, prepared: Prepared) -> _Answered:
        keyless = operation.spec.idempotency is None
        unknown = False
        for attempt in range(self._spec.attempts):
            await self._pause(attempt)
            # A vendor that knows no keys is asked each time: an earlier call, before a crash of ours, may have done it.
            asked = keyless or (unknown and operation.ask is not None)
            if asked and (found := await self._became(operation, prepared.values)) is not None:
                return found
            if keyless and unknown:
                # What went unanswered may be under way still, and no key keeps it single: it is given time to arrive.
                await asyncio.sleep(self._spec.timeout_s)
                if (found := await self._became(operation, prepared.values)) is not None:
                    return found
            try:
                return await self._try(operation, prepared)
            except NotDone:
                continue
            except PerhapsDone:
                unknown = True
            except (Unprocessable, NotFound, Conflict):
                if unknown:
                    raise self._state_unknown() from None
                raise
        if unknown:
            # The next call asks once more before it sends anything: by then an order without a key had its time, too.
            await (asyncio.sleep(self._spec.timeout_s) if keyless else self._pause(self._spec.attempts))
            if operation.ask is not None and (found := await self._became(operation, prepared.values)) is not None:
                return found
            raise self._state_unknown()
        raise self._unavailable()

    async def _became(
        self, operation: CompiledOperation, values: dict[str, Any], *, plainly: bool = False
    ) -> _Answered | None:
        """Return what became of an order, or None when the vendor knows nothing of it.

        `plainly`: a 404 counts only with a code of the vendor's, for whoever stands before it may say a bare one, too.
        Errors: StateUnknown when this is not answered plainly; VendorFault.
        """
        ask = operation.ask
        assert ask is not None, "an order without a key can be asked about"
        path = addressed(ask.spec.path, ask.query, values, operation.kind.name)
        question = Prepared(path, b"", {}, None, values)
        try:
            answered = await self._try(operation, question, ask)
            if ask.absent is not None and ask.absent(answered.value) is True:
                return None
        except NotFound as error:
            if plainly and error.code == _NO_CODE.format(404):
                raise self._state_unknown() from None
            return None
        except (NotDone, PerhapsDone, Unprocessable, Conflict):
            # A refusal to answer the question is no refusal of the order.
            raise self._state_unknown() from None
        except MappingFailed as error:
            raise VendorFault(f"{operation.kind.name}: ask.absent: {error}.") from None
        return answered

    async def _ours(self, operation: CompiledOperation, answered: _Answered) -> Any:
        ask = answered.asked
        mapper, schema = (operation.answer, operation.answer_schema) if ask is None else (ask.answer, ask.answer_schema)
        large = len(answered.document) > ASIDE_BYTES
        return await _aside(large, our_answer, operation, mapper, schema, answered.value, answered.document)

    async def _try(self, operation: CompiledOperation, prepared: Prepared, ask: CompiledAsk | None = None) -> _Answered:
        """Send once, and once more when a token had run out.

        Errors: NotDone, PerhapsDone, NotFound, Conflict, Unprocessable, VendorFault.
        """
        method = "GET" if ask else operation.spec.method
        status, document = await self._sent(operation, method, prepared, ask)
        if status == 401 and self._auth.refused():
            status, document = await self._sent(operation, method, prepared, ask)
        outcome = self._outcome(operation, status)
        if outcome in ("nothing_done", "unknown"):
            self._breaker.failed()
            raise NotDone if outcome == "nothing_done" else PerhapsDone
        self._breaker.succeeded()
        if outcome == "ok":
            value = await _aside(len(document) > ASIDE_BYTES, read_answer, document)
            self._check_refused(value)
            return _Answered(value, document, ask)
        code = self._code(document) or _NO_CODE.format(status)
        if outcome == "fault":
            raise VendorFault(f"The {self._spec.kind} vendor refused to talk to us: {code}.")
        raise _REFUSALS[outcome](f"The {self._spec.kind} vendor refused: {code}.", code=code)

    async def _sent(
        self, operation: CompiledOperation, method: str, prepared: Prepared, ask: CompiledAsk | None
    ) -> tuple[int, bytes]:
        outgoing = Outgoing(method, prepared.path, prepared.body)
        begun = time.monotonic()
        status: int | str = "no answer"
        document = b""
        try:
            proof = await self._auth.headers(outgoing)
            status, document = await self._transport.send(outgoing, {**self._spec.headers, **prepared.headers, **proof})
        except (NotDone, PerhapsDone):
            self._breaker.failed()
            raise
        finally:
            ms = round((time.monotonic() - begun) * 1000, 1)
            name = operation.kind.name if ask is None else f"{operation.kind.name}.ask"
            # Looks are repeated all day: they are told when they fail.
            level = logging.DEBUG if status in DONE and method == "GET" else logging.INFO
            log.log(level, "%s %s %s: %s, %.0f ms", self._spec.name, method, name, status, ms)
            self._write(operation, name, method, prepared, status, ms, document, ask)
        return status, document

    def _write(
        self,
        operation: CompiledOperation,
        name: str,
        method: str,
        prepared: Prepared,
        status: int | str,
        ms: float,
        document: bytes,
        ask: CompiledAsk | None,
    ) -> None:
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "operation": name,
            "method": method,
            "path": (ask.spec if ask else operation.spec).path,
            "key": prepared.values.get("key"),
            "status": status,
            "ms": ms,
        }
        refused = status not in DONE
        if not refused and operation.kind.name in self._spec.trace.quiet:
            return
        if refused and document:
            entry["code"] = self._code(document)
        self._trace.write(entry, request=prepared.sent, answer=document, refused=refused)

    def _outcome(self, operation: CompiledOperation, status: int) -> str:
        if status in DONE:
            return "ok"
        named = operation.spec.errors.get(str(status)) or self._spec.errors.get(str(status))
        if named is None and status == 503 and operation.kind.order and operation.spec.idempotency is None:
            # Whoever stands before the vendor may have said so, after it was done: without a key that is no certainty.
            return "unknown"
        return named or _OUTCOMES.get(status) or ("unknown" if status >= 500 else "fault")

    def _check_refused(self, value: Any) -> None:
        """Some vendors answer 200 and refuse within: `refused` names where.

        Errors: Unprocessable.
        """
        if self._folder.refused is None:
            return
        try:
            found = self._folder.refused(value)
        except MappingFailed as error:
            raise VendorFault(f"refused: {error}.") from None
        if found not in (None, False, "", [], {}):
            code = self._known_code(found) or "refused"
            raise Unprocessable(f"The {self._spec.kind} vendor refused: {code}.", code=code)

    def _code(self, document: bytes) -> str | None:
        try:
            return self._known_code(self._folder.refusal_code(read_answer(document)))
        except (VendorFault, MappingFailed):
            return None

    def _known_code(self, code: object) -> str | None:
        """A code of the folder's table, or one that looks like a code; anything else may be a sentence on somebody."""
        if isinstance(code, int) and not isinstance(code, bool):
            code = str(code)
        if not isinstance(code, str):
            return None
        if code in self._spec.codes:
            return self._spec.codes[code]
        return code if _CODE.fullmatch(code) else None

    async def _post_form(self, path: str, headers: Mapping[str, str], form: bytes) -> bytes:
        """Ask for a token. Errors: NotDone, for without a token nothing was ordered; VendorFault."""
        sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            status, document = await self._transport.send(Outgoing("POST", path, form), sent)
        except PerhapsDone:
            raise NotDone from None
        if status == 200:
            return document
        if status == 429 or status >= 500:
            raise NotDone
        raise VendorFault(f"The {self._spec.kind} vendor gave us no token: http_{status}.")

    async def _pause(self, attempt: int) -> None:
        if attempt:
            # Spread, so that many callers do not come back at the same moment.
            await asyncio.sleep(self._spec.pause_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311

    def _unavailable(self) -> Unavailable:
        kind = self._spec.kind
        return Unavailable(f"The {kind} vendor does not answer.", code=f"{kind}_unavailable")

    def _state_unknown(self) -> StateUnknown:
        return StateUnknown(f"The {self._spec.kind} vendor did not say whether it did it.")


async def _aside(large: bool, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do the work here, or in a thread when there is much of it: others wait for this event loop, too."""
    return await asyncio.to_thread(work, *args, **kwargs) if large else work(*args, **kwargs)


def _is_large(arguments: Mapping[str, Any]) -> bool:
    """Say whether a document or a file is among what is to be sent."""
    contents = (getattr(value, "content", value) for value in arguments.values())
    return any(isinstance(content, bytes) and len(content) > ASIDE_BYTES for content in contents)
