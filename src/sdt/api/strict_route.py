"""FastAPI routes whose JSON is read by the same strict parser as the messages, before any model sees it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from sdt.api.http import media_type
from sdt.domain import strict_json
from sdt.domain.errors import Invalid

__all__ = ["StrictRoute"]


class _StrictRequest(Request):
    """A request whose JSON was parsed strictly already."""

    document: dict[str, Any]

    async def json(self) -> Any:
        """Return the document."""
        return self.document


class StrictRoute(APIRoute):
    """Refuses other media types, duplicate keys, floats and everything else that two parsers read differently."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that parses first."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            body = await request.body()
            if self.body_field is None or not (body or self.body_field.field_info.is_required()):
                return await handler(request)
            if media_type(request.scope) != "application/json":
                raise Invalid("The body is application/json.", code="unsupported_media_type")
            strict = _StrictRequest(request.scope, _replay(body))
            strict.document = strict_json.parse_object(body)
            return await handler(strict)

        return handle


def _replay(body: bytes) -> Callable[[], Coroutine[Any, Any, dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
