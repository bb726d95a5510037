"""The application: framework routes and plain hot routes behind one edge, over one runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from sdt import __doc__ as about
from sdt.api import (
    attestation,
    bank_accounts,
    bank_proof,
    cases,
    desk,
    health,
    holdings,
    identity,
    money,
    office,
    office_ach,
    office_identities,
    office_instructions,
    receipts,
    region,
    sanctions,
    transactions,
    travel,
    users,
)
from sdt.api.access import AccessLog
from sdt.api.catalog import PROBLEMS_PATH, errors_page
from sdt.api.edge import Edge
from sdt.api.engine import Runtime
from sdt.api.hot import Hot
from sdt.api.http import Receive, Scope, Send
from sdt.api.problems import PROBLEM_TYPE, Problem, bug, problem_of
from sdt.api.services import Services
from sdt.domain.errors import Invalid, SdtError

__all__ = ["Application", "create_app", "create_framework", "framework_of"]

_ROUTERS: Final = (
    transactions.router,
    receipts.router,
    users.router,
    identity.router,
    office_identities.router,
    holdings.router,
    bank_accounts.router,
    bank_proof.router,
    region.router,
    attestation.router,
    desk.router,
    cases.router,
    travel.router,
    office.router,
    money.router,
    office_ach.router,
    office_instructions.router,
    sanctions.router,
    health.router,
)


def _answer(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, PROBLEM_TYPE)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, SdtError)
    transaction_id = request.path_params.get("transaction_id")
    return _answer(problem_of(error, instance=request.url.path, transaction_id=transaction_id))


async def _of_framework(request: Request, error: Exception) -> Response:
    """Give the framework's own refusals the form of all others."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    if error.status_code == 404:
        ours = Invalid(f"There is nothing at {path}.", code="not_found")
    elif error.status_code == 405:
        ours = Invalid(f"{path} does not take {method}.", code="method_not_allowed", allow=_methods_of(path))
    else:
        ours = Invalid("The request is not well formed.", code="request")
    return _answer(problem_of(ours, instance=path))


def _methods_of(path: str) -> str:
    """Return every method of an address: the framework knows those of one route at a time, and no hot ones."""
    routes = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    if path.startswith("/v1/transactions/") and path.count("/") == 3:
        methods.add("PUT")
    return ", ".join(sorted(methods)) or "GET"


async def _of_fields(request: Request, error: Exception) -> Response:
    """Name the fields that are wrong; their values are not repeated: they may be personal."""
    assert isinstance(error, RequestValidationError)
    fields = [{"field": ".".join(str(part) for part in one["loc"]), "reason": one["msg"]} for one in error.errors()]
    detail = f"{fields[0]['field']}: {fields[0]['reason']}." if fields else "A field is wrong."
    return _answer(problem_of(Invalid(detail, code="request", errors=fields), instance=request.url.path))


async def _of_bug(request: Request, error: Exception) -> Response:
    return _answer(bug(error, instance=request.url.path))


def create_framework() -> FastAPI:
    """Return the framework's part: routes, their models and the form of their errors."""
    app = FastAPI(
        title="State Depository Token API",
        version="1",
        description=about or "",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            SdtError: _expected,
            HTTPException: _of_framework,
            RequestValidationError: _of_fields,
            Exception: _of_bug,
        },
    )
    for router in _ROUTERS:
        app.include_router(router)
    return app


def framework_of(runtime: Runtime) -> FastAPI:
    """Return the framework's part over a running API, with the documents that it serves."""
    framework = create_framework()
    framework.state.runtime = runtime
    _serve_documents(framework)
    return framework


class Application:
    """One region's API as an ASGI application. `runtime` is there for those who embed it."""

    def __init__(self, services: Services) -> None:
        self.runtime = Runtime(services)
        self.framework = framework_of(self.runtime)
        self._edge = Edge(self.framework, Hot(self.runtime), self.runtime.metrics, AccessLog(services.access))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve HTTP; start and end with the server."""
        if scope["type"] == "http":
            await self._edge(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        await self.runtime.start()
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await self.runtime.close()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Runtime]:
        """Work without a server, as a Lambda handler or a test does."""
        await self.runtime.start()
        try:
            yield self.runtime
        finally:
            await self.runtime.close()


def _serve_documents(app: FastAPI) -> None:
    """Serve the description and the list of problems that every problem's `type` points at."""
    from sdt.api.docs_page import docs_page
    from sdt.api.openapi import document, document_yaml

    pages: dict[str, Any] = {}

    def once(name: str, make: Any) -> Any:
        if name not in pages:
            pages[name] = make()
        return pages[name]

    async def errors() -> Response:
        return PlainTextResponse(once("errors", errors_page), media_type="text/markdown; charset=utf-8")

    async def openapi() -> Response:
        return Response(once("openapi", document_yaml), media_type="application/yaml")

    async def docs() -> Response:
        page = once("docs", lambda: docs_page(document()))
        return Response(page, media_type="text/html; charset=utf-8")

    app.add_api_route(PROBLEMS_PATH, errors, include_in_schema=False)
    app.add_api_route("/openapi.yaml", openapi, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)


def create_app(services: Services) -> Application:
    """Return the API of one region over explicit services."""
    return Application(services)
