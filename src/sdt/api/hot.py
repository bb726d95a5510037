"""The hot routes as plain ASGI: one signed message, up to 500, and where one stands. Errors and OpenAPI as all others.

Framework validation would double the CPU of a request here (docs/decisions); everything it would check is checked.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sdt.api.callers import caller_of
from sdt.api.engine import Runtime
from sdt.api.http import Receive, Scope, Send, header, media_type, read_body, send_json
from sdt.api.intake import Answer, Intake, Receipt
from sdt.api.problems import problem_of
from sdt.api.standing import standing_of
from sdt.api.waiting import DONE
from sdt.domain import strict_json
from sdt.domain.errors import Invalid, SdtError
from sdt.domain.proof import PROOF_HEADER
from sdt.domain.transaction_id import parse_id

__all__ = ["BATCH_PATH", "ONE_PATH", "Hot", "plain_wait", "put_batch", "put_one"]

ONE_PATH: Final = "/v1/transactions/{transaction_id}"
BATCH_PATH: Final = "/v1/transactions/batch"
_PROOF: Final = PROOF_HEADER.lower().encode()
_WAIT: Final = re.compile(rb"wait=([0-9]{1,2}(?:\.[0-9]{1,6})?)")
_WAIT_S_MAX: Final = 30
_encode: Final = msgspec.json.Encoder().encode


def plain_wait(scope: Scope) -> float | None:
    """Return the seconds of `?wait=`, 0 without one; None for any other query, which the framework judges."""
    query = scope["query_string"]
    if not query:
        return 0.0
    found = _WAIT.fullmatch(query)
    seconds = float(found[1]) if found else None
    return seconds if seconds is not None and seconds <= _WAIT_S_MAX else None


async def put_one(intake: Intake, transaction_id: str, message: bytes) -> Receipt:
    """Take one signed message for this id. Errors: every SdtError of docs/errors.md."""
    (answer,) = await intake.submit([message], parse_id(transaction_id))
    if isinstance(answer, SdtError):
        raise answer
    return answer


async def put_batch(intake: Intake, body: bytes, messages_max: int) -> list[Answer]:
    """Take up to `messages_max` signed messages, each judged alone. Errors: Invalid for the list as a whole."""
    document = strict_json.parse_object(body)
    messages = document.get("messages")
    if len(document) != 1 or type(messages) is not list:
        raise Invalid('The body is {"messages": [a compact JWS, …]}.', code="request")
    if not 1 <= len(messages) <= messages_max:
        raise Invalid(f"A batch has 1 to {messages_max} messages.", code="request")
    if not all(type(message) is str for message in messages):
        raise Invalid("Each message is a string: a compact JWS.", code="request")
    # What is not ASCII is no compact JWS; it becomes bytes that are refused in their place.
    return list(await intake.submit([message.encode("utf-8") for message in messages]))


class Hot:
    """The routes' skin."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._intake = runtime.intake
        self._metrics = runtime.metrics
        self._limits = runtime.services.limits

    async def get(self, scope: Scope, send: Send, transaction_id: str, wait_s: float) -> None:
        """Serve `GET /v1/transactions/{transaction_id}`."""
        runtime, services = self._runtime, self._runtime.services
        proof = header(scope, _PROOF)
        caller = None
        if proof:
            path = scope["path"]
            caller = await caller_of(services, runtime.keys, proof.decode("latin-1"), "GET", path)
        shown = await standing_of(services, runtime.waiting, transaction_id, wait_s, caller)
        await send_json(send, 200, _encode(shown))

    async def put(self, scope: Scope, receive: Receive, send: Send, transaction_id: str) -> None:
        """Serve `PUT /v1/transactions/{transaction_id}`."""
        if media_type(scope) != "application/jose":
            raise Invalid("The body is a compact JWS: application/jose.", code="unsupported_media_type")
        body = await read_body(scope, receive, self._limits.message_bytes_max, "message_size")
        try:
            answer = await put_one(self._intake, transaction_id, body)
        except SdtError as error:
            self._metrics.answered([error])
            raise
        self._metrics.answered([answer])
        await send_json(send, _status(answer), _encode(_shown(answer)))

    async def batch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `POST /v1/transactions/batch`."""
        if media_type(scope) != "application/json":
            raise Invalid("The body is application/json.", code="unsupported_media_type")
        body = await read_body(scope, receive, self._limits.request_bytes_max, "request_size")
        answers = await put_batch(self._intake, body, self._limits.messages_max)
        self._metrics.answered(answers)
        await send_json(send, 202, _encode({"answers": [_in_batch(answer) for answer in answers]}))


def _shown(receipt: Receipt) -> dict[str, Any]:
    return {"transaction_id": receipt.transaction_id, "status": receipt.status.value}


def _status(receipt: Receipt) -> int:
    """202 while something will still happen, 200 when the result is there: told by the status alone."""
    return 200 if receipt.status in DONE else 202


def _in_batch(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, SdtError):
        problem = problem_of(answer, instance=BATCH_PATH)
        return {"http_status": problem.status, "problem": problem.members}
    return {"http_status": _status(answer), "transaction": _shown(answer)}
