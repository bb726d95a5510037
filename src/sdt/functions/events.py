"""What API Gateway hands a function for one HTTP request, as an ASGI request; and the answer in the form it takes back.

Payload format 2.0 (HTTP APIs) and 1.0 (REST APIs, and HTTP APIs told so).
Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs" and "Set up Lambda
proxy integrations in API Gateway".
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlencode

__all__ = ["Answer", "Request", "answered", "read_event"]

Headers = list[tuple[bytes, bytes]]
Event = Mapping[str, Any]

_TEXTS: Final = (b"application/json", b"application/problem+json", b"application/yaml")
"""Besides text/*: what goes back as text. Everything else is bytes, which an event carries in base64."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: its ASGI scope and its whole body. `version` is that of the event, and so of the answer."""

    scope: dict[str, Any]
    body: bytes
    version: str


@dataclass(slots=True)
class Answer:
    """What the application sends, gathered. Call it as ASGI's `send`."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def __call__(self, message: Mapping[str, Any]) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.lower(), value) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def read_event(event: Event) -> Request:
    """Return the request in an event of API Gateway. Errors: ValueError for an event of anything else."""
    version = event.get("version")
    if version == "2.0" and "http" in event.get("requestContext", {}):
        return _request(event, "2.0", *_of_http_api(event))
    if "httpMethod" in event and "path" in event:
        return _request(event, "1.0", *_of_rest_api(event))
    raise ValueError("This is no event of API Gateway with payload format 2.0 or 1.0.")


def _of_http_api(event: Event) -> tuple[str, str, bytes, Headers, str]:
    context = event["requestContext"]
    headers = [(_raw(name).lower(), _raw(value)) for name, value in event.get("headers", {}).items()]
    if cookies := event.get("cookies"):
        headers.append((b"cookie", _raw("; ".join(cookies))))
    path = event["rawPath"]
    # Every stage but the default one stands before the path, and is no part of what the client signed.
    stage = f"/{context.get('stage', '$default')}"
    if stage != "/$default" and (path + "/").startswith(stage + "/"):
        path = path.removeprefix(stage) or "/"
    http = context["http"]
    return http["method"], path, _raw(event.get("rawQueryString", "")), headers, http.get("sourceIp", "")


def _of_rest_api(event: Event) -> tuple[str, str, bytes, Headers, str]:
    many = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    headers = [(_raw(name).lower(), _raw(value)) for name, values in many.items() for value in values]
    asked = event.get("multiValueQueryStringParameters") or {
        name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
    }
    # The raw query is gone by then: it is written anew from its decoded parts.
    query = urlencode([(name, value) for name, values in asked.items() for value in values])
    identity = event.get("requestContext", {}).get("identity", {})
    return event["httpMethod"], event["path"], query.encode(), headers, identity.get("sourceIp", "")


def _request(event: Event, version: str, method: str, path: str, query: bytes, headers: Headers, ip: str) -> Request:
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": (ip, 0),
        "server": None,
    }
    return Request(scope, body, version)


def _raw(text: str) -> bytes:
    """Return a header's bytes: a gateway reads them as Latin-1, and some as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def answered(answer: Answer, version: str) -> dict[str, Any]:
    """Return an answer in the form of its event's version."""
    media = next((value for name, value in answer.headers if name == b"content-type"), b"")
    media = media.partition(b";")[0].strip().lower()
    shown: dict[str, Any] = {"statusCode": answer.status}
    if media.startswith(b"text/") or media in _TEXTS:
        shown |= {"body": answer.body.decode(), "isBase64Encoded": False}
    else:
        shown |= {"body": base64.b64encode(answer.body).decode(), "isBase64Encoded": bool(answer.body)}
    # The gateway measures the body itself.
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in answer.headers if n != b"content-length"]
    if version == "1.0":
        return shown | {"multiValueHeaders": _gathered(headers)}
    cookies = [value for name, value in headers if name == "set-cookie"]
    joined = _gathered((name, value) for name, value in headers if name != "set-cookie")
    shown["headers"] = {name: ",".join(values) for name, values in joined.items()}
    return shown | {"cookies": cookies} if cookies else shown


def _gathered(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    gathered: dict[str, list[str]] = {}
    for name, value in headers:
        gathered.setdefault(name, []).append(value)
    return gathered
