"""API Gateway in front of a function: an HTTP request becomes an event, and its answer an HTTP response.

Payload format 2.0 as an HTTP API sends it, 1.0 as a REST API does; both with their limits, and with the answers that
the gateway gives itself when the function gives none.
Source: Amazon API Gateway Developer Guide, "AWS Lambda proxy integrations", "Quotas".
"""

from __future__ import annotations

import base64
import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDict

from sdt.domain.errors import SdtError
from sdt.functions.local.outcome import PayloadTooLarge, TimedOut
from sdt.functions.local.service import Function

__all__ = ["BODY_BYTES_MAX", "PayloadFormat", "event_of", "gateway"]

BODY_BYTES_MAX: Final = 10 * 1024 * 1024
_TEXTS: Final = ("application/json", "application/javascript", "application/xml", "application/vnd.api+json")
_TOO_LONG: Final = "Request Too Long"
log = logging.getLogger(__name__)

PayloadFormat = Literal["2.0", "1.0"]


def gateway(function: Function, version: PayloadFormat) -> web.Application:
    """Return the HTTP application in front of a function."""

    async def serve(request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _own(413, _TOO_LONG)
        payload = json.dumps(event_of(request, body, version)).encode()
        try:
            answer = json.loads(await function.invoke(payload))
            return _response(answer)
        except TimedOut:
            return _own(504, "Endpoint request timed out") if version == "1.0" else _own(503, "Service Unavailable")
        except PayloadTooLarge:
            return _own(413, _TOO_LONG)
        except (SdtError, ValueError, KeyError, TypeError) as error:
            log.warning("no answer: %s", error.detail if isinstance(error, SdtError) else type(error).__name__)
            return _own(502 if version == "1.0" else 500, "Internal Server Error")

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_route("*", "/{path:.*}", serve)
    return app


def event_of(request: web.Request, body: bytes, version: PayloadFormat) -> dict[str, Any]:
    """Return the event that a function is handed for a request."""
    text = _text(request.content_type, body)
    event: dict[str, Any] = {
        "version": version,
        "body": (base64.b64encode(body).decode() if text is None else text) if body else None,
        "isBase64Encoded": bool(body) and text is None,
    }
    path, _, query = request.raw_path.partition("?")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
    if version == "1.0":
        return event | _of_rest(request.method, path, query, headers, request.remote or "")
    return event | _of_http(request.method, path, query, headers, request.remote or "")


def _of_http(method: str, path: str, query: str, headers: list[tuple[str, str]], ip: str) -> dict[str, Any]:
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in ((name.lower(), value) for name, value in headers):
        if name == "cookie":
            cookies += value.split("; ")
        else:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    http = {
        "method": method,
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": ip,
        "userAgent": joined.get("user-agent", ""),
    }
    event: dict[str, Any] = {
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": joined.get("host", ""),
            "http": http,
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": time.time_ns() // 1_000_000,
        },
    }
    return event | ({"cookies": cookies} if cookies else {})


def _of_rest(method: str, path: str, query: str, headers: list[tuple[str, str]], ip: str) -> dict[str, Any]:
    many: dict[str, list[str]] = {}
    for name, value in headers:
        many.setdefault(name, []).append(value)
    asked: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        asked.setdefault(name, []).append(value)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
        "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": method,
            "identity": {"sourceIp": ip},
            "path": f"/local{path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "stage": "local",
        },
    }


def _text(media: str, body: bytes) -> str | None:
    """Return a body as text where the gateway passes it so; None where it goes in base64."""
    if not (media.startswith("text/") or media in _TEXTS):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _response(answer: Mapping[str, Any]) -> web.Response:
    body = answer.get("body") or ""
    many = answer.get("multiValueHeaders", {})
    headers = [(name, value) for name, values in many.items() for value in values]
    headers += list(answer.get("headers", {}).items())
    headers += [("set-cookie", cookie) for cookie in answer.get("cookies", [])]
    return web.Response(
        status=answer["statusCode"],
        headers=CIMultiDict(headers),
        body=base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode(),
    )


def _own(status: int, message: str) -> web.Response:
    """Answer in the gateway's own words."""
    return web.json_response({"message": message}, status=status)
