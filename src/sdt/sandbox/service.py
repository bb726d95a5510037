"""What all sandbox services share: routes over one store, API keys, idempotency, checked bodies, problem details.

Source: RFC 9457 (problem details); draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sdt.domain.errors import Forbidden, Invalid, NotFound, SdtError, Unauthenticated
from sdt.sandbox.store import Store, earlier_answer, keep_answer

BODY_BYTES_MAX: Final = 64 * 1024
STALL_S: Final = 15.0
"""How long a request with the time-out magic stays unanswered: longer than any client should wait."""

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler is given: the open transaction, path and query values, and the idempotency key of a POST."""

    connection: sqlite3.Connection
    params: Params
    key: str


@dataclass(frozen=True, slots=True)
class Get:
    """A route that reads."""

    path: str
    handle: Callable[[Call], msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Post:
    """A route that changes something; for bodies that `stalls` names the work is done and no answer comes."""

    path: str
    body: type[msgspec.Struct]
    handle: Callable[[Call, Any], msgspec.Struct]
    stalls: Callable[[Any], bool] = lambda _: False
    bytes_max: int = BODY_BYTES_MAX


class Service(Protocol):
    """A stand-in vendor."""

    name: str
    schema: str

    def routes(self) -> Sequence[Get | Post]:
        """Return its routes."""
        ...

    def advance(self, connection: sqlite3.Connection) -> None:
        """Do what has become due; called first in every transaction."""
        ...

    def health(self) -> dict[str, Any]:
        """Return what to add to the health answer."""
        ...


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Two keys: `full` may do everything, `read` only look (for a desk that checks and never orders)."""

    full: str
    read: str

    def check(self, request: Request) -> None:
        """Errors: Unauthenticated; Forbidden when the read key tries to change something."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), self.full.encode()):
            return
        if scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), self.read.encode()):
            if request.method != "GET":
                raise Forbidden("This API key may only read.", code="read_only_key")
            return
        raise Unauthenticated("The Authorization header carries no known API key.", code="api_key")


def build_app(service: Service, store: Store, keys: ApiKeys, more: Sequence[Route] = ()) -> Starlette:
    """Return the ASGI application of one service, with more doors to it if there are any."""

    async def health(_: Request) -> Response:
        return _json({"service": service.name, "status": "ok", **service.health()})

    async def schemas(_: Request) -> Response:
        posts = [route for route in service.routes() if isinstance(route, Post)]
        return _json({route.path: msgspec.json.schema(route.body) for route in posts})

    async def asked(request: Request) -> Response:
        keys.check(request)
        answer = await run_in_threadpool(answered, store, request.path_params["key"])
        return Response(answer, media_type="application/json")

    routes = [Route("/healthz", health), Route("/v1/schemas", schemas), Route("/v1/requests/{key}", asked)]
    for route in service.routes():
        if isinstance(route, Get):
            routes.append(Route(route.path, _get(service, store, keys, route), methods=["GET"]))
        else:
            routes.append(Route(route.path, _post(service, store, keys, route), methods=["POST"]))
    return Starlette(routes=[*routes, *more], exception_handlers={SdtError: _problem, HTTPException: _http_problem})


Endpoint = Callable[[Request], Any]


def _get(service: Service, store: Store, keys: ApiKeys, route: Get) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        keys.check(request)
        params = {**request.query_params, **request.path_params}
        return Response(await run_in_threadpool(look, service, store, route, params), media_type="application/json")

    return endpoint


def look(service: Service, store: Store, route: Get, params: Params) -> bytes:
    """Answer a route that reads."""
    with store.transaction() as connection:
        service.advance(connection)
        return msgspec.json.encode(route.handle(Call(connection, params, "")))


def order(
    service: Service, store: Store, route: Post, path: str, params: Params, key: str, body: bytes
) -> tuple[bytes, bool]:
    """Do what a route that changes something is asked, once for each key; say whether its answer is to stall.

    Errors: Conflict, Invalid, and those of the service.
    """
    _checked_key(key)
    request = path.encode() + b"\n" + body
    with store.transaction() as connection:
        answer = earlier_answer(connection, key, request)
        if answer is not None:
            return answer, False
        wanted = _decode(route.body, body)
        service.advance(connection)
        answer = msgspec.json.encode(route.handle(Call(connection, params, key), wanted))
        keep_answer(connection, key, request, answer)
        return answer, route.stalls(wanted)


def _post(service: Service, store: Store, keys: ApiKeys, route: Post) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        keys.check(request)
        key = _checked_key(request.headers.get("idempotency-key", ""))
        body = await read_body(request, route.bytes_max)
        params = dict(request.path_params)
        answer, stalls = await run_in_threadpool(order, service, store, route, request.url.path, params, key, body)
        if stalls:
            await asyncio.sleep(STALL_S)
        return Response(answer, 201, media_type="application/json")

    return endpoint


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise Invalid("Idempotency-Key is 1 to 128 of A-Z a-z 0-9 . _ : -", code="idempotency_key")
    return key


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return a body. Errors: Invalid for one too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise Invalid(f"A body has at most {bytes_max} bytes.", code="body_too_large")
    return body


def _decode(form: type[msgspec.Struct], body: bytes) -> Any:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The text names the field and the form it should have, never the value.
        raise Invalid(f"The body does not fit the schema: {error}", code="schema") from None


def answered(store: Store, key: str) -> bytes:
    """Return what a key was answered. Errors: NotFound when nothing was done under it."""
    with store.transaction() as connection:
        row = connection.execute("select answer from answered where key = ?", (_checked_key(key),)).fetchone()
    if row is None:
        raise NotFound("Nothing was done under this idempotency key.", code="request_unknown")
    answer: bytes = row[0]
    return answer


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, SdtError)
    return _problem_response(request, error.kind.http_status, error.kind.label, error.code, error.detail)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem_response(request, error.status_code, "http", "http", error.detail)


def _problem_response(request: Request, status: int, title: str, code: str, detail: str) -> Response:
    problem = {
        "type": f"urn:sdt-sandbox:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
    }
    return Response(msgspec.json.encode(problem), status, media_type="application/problem+json")
