"""The little of HTTP that the plain routes need: read a body of bounded size, send an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from sdt.api.problems import PROBLEM_TYPE, Problem
from sdt.domain.errors import Invalid

__all__ = [
    "ClientGone",
    "Receive",
    "Scope",
    "Send",
    "bounded",
    "header",
    "media_type",
    "read_body",
    "send_json",
    "send_problem",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON: Final = (b"content-type", b"application/json")


class ClientGone(Exception):
    """The client hung up before its request was complete: nobody is there to be answered."""


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value, or nothing."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def media_type(scope: Scope) -> str:
    """Return the media type of the body without its parameters, in lower case."""
    return header(scope, b"content-type").partition(b";")[0].strip().lower().decode("latin-1")


async def read_body(scope: Scope, receive: Receive, limit: int, code: str) -> bytes:
    """Return the body. Units: limit in bytes. Errors: Invalid, with `code`, as soon as it is too large."""
    receive = bounded(scope, receive, limit, code)
    message = await receive()
    body = message.get("body", b"")
    if not message.get("more_body"):
        return bytes(body)
    parts = [body]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def bounded(scope: Scope, receive: Receive, limit: int, code: str) -> Receive:
    """Return `receive` that refuses a body above the limit, whether it is announced or only sent."""
    received = 0
    length = header(scope, b"content-length")
    announced = int(length) if length.isdigit() and len(length) < 19 else 0

    async def receive_bounded() -> MutableMapping[str, Any]:
        nonlocal received
        if announced > limit:
            raise Invalid(f"The body has more than {limit} bytes.", code=code)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        received += len(message.get("body", b""))
        if received > limit:
            raise Invalid(f"The body has more than {limit} bytes.", code=code)
        return message

    return receive_bounded


async def send_json(send: Send, status: int, body: bytes) -> None:
    """Answer with JSON."""
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer with a problem document."""
    body = problem.body()
    headers = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
