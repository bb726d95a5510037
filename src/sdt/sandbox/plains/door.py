"""How the second door works: who asks is proven, the message is put into the service's own words, the answer back.

Errors are `{"error": {"type": "E-NOT-OPEN"}}`; a door that `declines` answers 200 with `{"declined": {"code": …}}`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sdt.domain.errors import Conflict, Invalid, SdtError, Unprocessable
from sdt.sandbox.service import STALL_S, Get, Post, Service, answered, look, order, read_body
from sdt.sandbox.store import Store

__all__ = ["Door", "Guard", "Json", "door_routes"]

Json = dict[str, Any]
CONFLICT: Final = 412
"""This door says by 412 what the first one says by 409."""


class Guard(Protocol):
    """Proves who asks."""

    def check(self, request: Request, body: bytes) -> None:
        """Errors: Unauthenticated; Forbidden when who may only look wants to change something."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """One way in: `method` and `path` are this door's, `leads_to` the service's own route.

    `read` puts query, path and body into the service's words; `write` its answer into this door's.
    """

    method: Literal["GET", "POST", "PUT"]
    path: str
    leads_to: str
    write: Callable[[Json], Json]
    read: Callable[[Json], Json] = lambda message: message
    key_header: str = ""
    key_field: str = ""
    asked: str = ""
    asked_in_a_list: bool = False
    declines: bool = False


def door_routes(service: Service, store: Store, guards: Mapping[str, Guard], doors: Sequence[Door]) -> list[Route]:
    """Return the routes; a guard stands at every path that begins with its own."""
    own = {route.path: route for route in service.routes()}
    found = []
    for door in doors:
        guard = next(guard for prefix, guard in guards.items() if door.path.startswith(prefix))
        endpoint = _endpoint(service, store, own[door.leads_to], guard, door)
        found.append(Route(door.path, endpoint, methods=[door.method]))
        if door.asked:
            found.append(Route(door.asked, _asked(store, guard, door), methods=["GET"]))
    return found


def _endpoint(service: Service, store: Store, route: Get | Post, guard: Guard, door: Door) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await read_body(request, route.bytes_max if isinstance(route, Post) else 1_024)
            guard.check(request, body)
            if isinstance(route, Get):
                params = _told(door.read, {**request.query_params, **request.path_params})
                answer = await run_in_threadpool(look, service, store, route, params)
                return _json(door.write(msgspec.json.decode(answer)))
            message = _message(body)
            key = message.pop(door.key_field, "") if door.key_field else request.headers.get(door.key_header, "")
            told = json.dumps(_told(door.read, message), sort_keys=True).encode()
            params = dict(request.path_params)
            path = door.leads_to.format(**params)
            answer, stalls = await run_in_threadpool(order, service, store, route, path, params, f"plains.{key}", told)
            if stalls:
                await asyncio.sleep(STALL_S)
            return _json(door.write(msgspec.json.decode(answer)))
        except SdtError as error:
            return _refusal(error, door.declines)

    return endpoint


def _asked(store: Store, guard: Guard, door: Door) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            guard.check(request, b"")
            key = request.path_params.get("key") or request.query_params.get("requestId", "")
            try:
                answer = door.write(msgspec.json.decode(await run_in_threadpool(answered, store, f"plains.{key}")))
            except SdtError as error:
                if door.asked_in_a_list and error.code == "request_unknown":
                    return _json({"items": []})
                raise
            return _json({"items": [answer]} if door.asked_in_a_list else answer)
        except SdtError as error:
            return _refusal(error, declines=False)

    return endpoint


def _message(body: bytes) -> Json:
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("The body is not JSON.", code="schema") from None
    if not isinstance(message, dict):
        raise Invalid("The body is no object.", code="schema")
    return message


def _told(read: Callable[[Json], Json], message: Json) -> Json:
    try:
        return read(message)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise Invalid("The message does not fit the schema.", code="schema") from None


def _refusal(error: SdtError, declines: bool) -> Response:
    code = f"E-{error.code.upper().replace('_', '-')}"
    if declines and isinstance(error, Unprocessable):
        return _json({"declined": {"code": code}})
    status = CONFLICT if isinstance(error, Conflict) else error.kind.http_status
    return _json({"error": {"type": code}}, status)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
