"""The outermost layer: sends hot requests past the framework, bounds what comes in, and answers every error.

Whatever goes wrong inside, a client gets a problem document; a bug's is opaque and names an incident of the log.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from sdt.api.access import AccessLog
from sdt.api.hot import BATCH_PATH, ONE_PATH, Hot, plain_wait
from sdt.api.http import ClientGone, Receive, Scope, Send, bounded, header, send_problem
from sdt.api.metrics import Metrics
from sdt.api.problems import bug, problem_of
from sdt.domain.document import DOCUMENT_BYTES_MAX
from sdt.domain.errors import Invalid, SdtError
from sdt.observing import tracing

__all__ = ["Edge", "Watched"]

HEADER_BYTES_MAX: Final = 16_384
SMALL_BODY_BYTES_MAX: Final = 65_536
_PREFIX: Final = "/v1/transactions/"
_ONE_CHARS: Final = len(_PREFIX) + 36
_DOCUMENTS: Final = "/identity/documents"
_SAFE: Final = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Watched:
    """Sends an answer with the headers that every answer has; knows whether one has begun, and its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *_SAFE]
        await self._send(message)


class Edge:
    """One region's API as an ASGI application for HTTP. `inner` serves what is not hot."""

    def __init__(self, inner: App, hot: Hot, metrics: Metrics, access: AccessLog) -> None:
        self._inner = inner
        self._hot = hot
        self._metrics = metrics
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = time.perf_counter()
        answer = Watched(send)
        path = scope["path"]
        route = ""
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES_MAX:
                raise Invalid(f"The headers have more than {HEADER_BYTES_MAX} bytes.", code="header_size")
            route = await (self._traced if tracing.started() else self._route)(scope, receive, answer)
        except SdtError as error:
            route = route or _hot_route(scope)
            await send_problem(answer, problem_of(error, instance=path, transaction_id=_id_in(route, path)))
        except ClientGone:
            return
        except Exception as error:
            # The framework answers its own routes' bugs and passes the error on; then all is said already.
            if not answer.status:
                await send_problem(answer, bug(error, instance=path))
        took_s = time.perf_counter() - begun
        self._metrics.took(route or "none", scope["method"], answer.status, took_s)
        self._access.took(route or "none", path, scope["method"], answer.status, took_s)

    async def _traced(self, scope: Scope, receive: Receive, answer: Watched) -> str:
        """Serve a request under a span: the caller's trace if it names one, else a new one, if it is sampled."""
        parent = tracing.traceparent_of(header(scope, b"traceparent").decode("latin-1"))
        with tracing.span("api.request", parent=parent, root=True, method=scope["method"]) as spanning:
            route = await self._route(scope, receive, answer)
            if spanning is not None:
                spanning.update_name(f"{scope['method']} {route}")
                spanning.set_attribute("http.route", route)
                spanning.set_attribute("http.response.status_code", answer.status)
        return route

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> str:
        path, method = scope["path"], scope["method"]
        if path == BATCH_PATH:
            if method != "POST":
                raise Invalid(f"{BATCH_PATH} takes POST.", code="method_not_allowed", allow="POST")
            await self._hot.batch(scope, receive, send)
            return BATCH_PATH
        if path.startswith(_PREFIX) and "/" not in path[len(_PREFIX) :]:
            if method == "PUT":
                await self._hot.put(scope, receive, send, path[len(_PREFIX) :])
                return ONE_PATH
            if method == "GET" and (wait_s := plain_wait(scope)) is not None and len(path) == _ONE_CHARS:
                await self._hot.get(scope, send, path[len(_PREFIX) :], wait_s)
                return ONE_PATH
        if method == "POST" and path.endswith(_DOCUMENTS):
            inner_receive = bounded(scope, receive, DOCUMENT_BYTES_MAX, "document_size")
        else:
            inner_receive = bounded(scope, receive, SMALL_BODY_BYTES_MAX, "request_size")
        await self._inner(scope, inner_receive, send)
        return str(getattr(scope.get("route"), "path", "none"))


def _hot_route(scope: Scope) -> str:
    path = scope["path"]
    if path == BATCH_PATH:
        return BATCH_PATH
    one = path.startswith(_PREFIX) and "/" not in path[len(_PREFIX) :]
    return ONE_PATH if scope["method"] in ("GET", "PUT") and one else ""


def _id_in(route: str, path: str) -> str | None:
    """Name the transaction in a problem only where the address has an id of the right length."""
    id_ = path[len(_PREFIX) :]
    return id_ if route == ONE_PATH and len(id_) == 36 else None
