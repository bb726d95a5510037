"""JSON-RPC 2.0 over HTTP, bare ASGI: single requests and batches, bounded in size.

Source: JSON-RPC 2.0 specification; limits as in geth (5 MiB in, 25 MiB out, batches of 1,000).
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from sdt.adapters.chain.embedded.errors import RpcError
from sdt.adapters.chain.embedded.methods import Methods
from sdt.domain.strict_json import nests_too_deep

__all__ = ["RpcApp"]

_log = logging.getLogger(__name__)
_REQUEST_BYTES_MAX = 5 * 1024 * 1024
_RESPONSE_BYTES_MAX = 25 * 1024 * 1024
_BATCH_MAX = 1_000
_HEAVY_THREADS = 4


class RpcApp:
    """The ASGI application."""

    def __init__(self, methods: Methods) -> None:
        self._table = methods.table
        self._threads = ThreadPoolExecutor(_HEAVY_THREADS, thread_name_prefix="rpc")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET" and scope["path"] == "/health":
            return await _reply(send, 200, b'{"status":"ok"}')
        if scope["method"] != "POST":
            return await _reply(send, 405, b'{"error":"use POST"}')
        body = await _body(scope, receive)
        if body is None:
            return await _reply(send, 413, b'{"error":"request body too large"}')
        await _reply(send, 200, await self.answer(body))

    async def answer(self, body: bytes) -> bytes:
        """Return the encoded answer to an encoded request or batch."""
        if nests_too_deep(body):
            return _failed(None, RpcError(-32700, "parse error: nested too deeply"))
        try:
            request = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return _failed(None, RpcError(-32700, "parse error"))
        if not isinstance(request, list):
            return await self._one(request)
        if not request:
            return _failed(None, RpcError(-32600, "empty batch"))
        if len(request) > _BATCH_MAX:
            return _failed(None, RpcError(-32600, "batch too large"))
        return await self._batch(request)

    async def _batch(self, requests: list[Any]) -> bytes:
        answers: list[bytes] = []
        size = 0
        for request in requests:
            answer = await self._one(request)
            size += len(answer)
            if size > _RESPONSE_BYTES_MAX:
                answer = _failed(_id_of(request), RpcError(-32003, "response too large"))
            if answer:
                answers.append(answer)
        return b"[" + b",".join(answers) + b"]" if answers else b""

    async def _one(self, request: Any) -> bytes:
        """Answer one request; a notification (no id) gets none."""
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failed(_id_of(request), RpcError(-32600, "invalid request"))
        try:
            answer = await self._result(request["method"], request.get("params"), request.get("id"))
        except RpcError as error:
            answer = _failed(request.get("id"), error)
        except Exception:
            _log.exception("method %s failed", request["method"])
            answer = _failed(request.get("id"), RpcError(-32603, "internal error"))
        return answer if "id" in request else b""

    async def _result(self, name: str, params: Any, request_id: Any) -> bytes:
        method = self._table.get(name)
        if method is None:
            raise RpcError(-32601, f"the method {name[:64]} does not exist/is not available")
        arguments = [] if params is None else params
        if not isinstance(arguments, list):
            raise RpcError(-32602, "non-array args")
        if method.heavy:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _run, method.run, arguments, request_id)
        return _run(method.run, arguments, request_id)


def _run(method: Any, arguments: list[Any], request_id: Any) -> bytes:
    try:
        result = method(*arguments)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise  # from inside the method: a bug
        raise RpcError(-32602, "wrong number of arguments") from error
    answer = msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "result": result})
    if len(answer) > _RESPONSE_BYTES_MAX:
        raise RpcError(-32003, "response too large")
    return answer


def _id_of(request: Any) -> Any:
    return request.get("id") if isinstance(request, dict) else None


def _failed(request_id: Any, error: RpcError) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": error.as_object()})


async def _body(scope: Any, receive: Any) -> bytes | None:
    """Return the request body, or None when it is larger than allowed."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > _REQUEST_BYTES_MAX):
            return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > _REQUEST_BYTES_MAX:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _reply(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
