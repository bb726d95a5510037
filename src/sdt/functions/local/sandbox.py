"""One execution environment of a function: a process of Amazon's own runtime client, and the Runtime API that feeds it.

It takes one invocation at a time. When its process ends, however that happens, it is gone; the service starts another.
Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" and "Lambda quotas".
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from sdt.functions.local.outcome import FunctionDied, FunctionError, InitFailed, PayloadTooLarge, TimedOut

__all__ = ["PAYLOAD_BYTES_MAX", "FunctionSpec", "Sandbox"]

PAYLOAD_BYTES_MAX: Final = 6 * 1024 * 1024
"""Of an event, and of an answer, when somebody waits for it."""
_ROOT: Final = "/2018-06-01/runtime"
_ACCOUNT: Final = "000000000000"
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """What Lambda is told of a function. Units: seconds, and megabytes that it only tells the function."""

    name: str
    handler: str
    timeout_s: float = 29.0
    memory_mb: int = 512
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class _Invocation:
    id: str
    payload: bytes
    deadline_ms: int
    answer: asyncio.Future[bytes]


class Sandbox:
    """Start it, invoke it, and close it. `alive` is false once its process has ended."""

    def __init__(self, spec: FunctionSpec) -> None:
        self._spec = spec
        self._next: asyncio.Queue[_Invocation] = asyncio.Queue()
        self._current: _Invocation | None = None
        self._problem = ""
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return not self._ended.is_set()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it asks for work. Errors: InitFailed."""
        app = web.Application(client_max_size=2 * PAYLOAD_BYTES_MAX)
        app.router.add_get(f"{_ROOT}/invocation/next", self._give)
        app.router.add_post(f"{_ROOT}/invocation/{{id}}/response", self._take)
        app.router.add_post(f"{_ROOT}/invocation/{{id}}/error", self._take_error)
        app.router.add_post(f"{_ROOT}/init/error", self._take_init_error)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        spec = self._spec
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "awslambdaric",
            spec.handler,
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
                "AWS_LAMBDA_FUNCTION_NAME": spec.name,
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "PYTHONUNBUFFERED": "1",
                **spec.env,
            },
            preexec_fn=_die_with_us,
        )
        self._watching = asyncio.create_task(self._watch())
        ready = asyncio.create_task(self._ready.wait())
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
        for task in (ready, ended):
            task.cancel()
        if not self._ready.is_set():
            await self._runner.cleanup()
            raise InitFailed(self._problem or f"{spec.name} ended with {self._process.returncode} while it started.")

    async def invoke(self, payload: bytes) -> bytes:
        """Return the handler's answer. Errors: FunctionError, FunctionDied, TimedOut, PayloadTooLarge."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise PayloadTooLarge(f"An event has at most {PAYLOAD_BYTES_MAX} bytes.")
        if not self.alive:
            raise FunctionDied(f"{self._spec.name} is not there.")
        deadline_ms = int((time.time() + self._spec.timeout_s) * 1000)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._current = _Invocation(str(uuid.uuid4()), payload, deadline_ms, answer)
        self._next.put_nowait(self._current)
        try:
            return await asyncio.wait_for(answer, self._spec.timeout_s)
        except TimeoutError:
            # Like the service: what a handler goes on with after its time is stopped with its process.
            self.kill()
            raise TimedOut(f"{self._spec.name} timed out after {self._spec.timeout_s} seconds.") from None
        finally:
            self._current = None

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def close(self) -> None:
        """End the process and the Runtime API."""
        self.kill()
        await self._ended.wait()
        await self._runner.cleanup()

    async def _watch(self) -> None:
        code = await self._process.wait()
        self._ended.set()
        current = self._current
        if current is not None and not current.answer.done():
            current.answer.set_exception(FunctionDied(f"{self._spec.name} exited with {code}."))

    async def _give(self, request: web.Request) -> web.Response:
        self._ready.set()
        invocation = await self._next.get()
        return web.Response(
            body=invocation.payload,
            content_type="application/json",
            headers={
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": (
                    f"arn:aws:lambda:us-east-1:{_ACCOUNT}:function:{self._spec.name}"
                ),
            },
        )

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        current = self._of(request)
        if current is None:
            return web.json_response({"errorType": "InvalidRequestID"}, status=400)
        if len(body) > PAYLOAD_BYTES_MAX:
            current.answer.set_exception(PayloadTooLarge(f"An answer has at most {PAYLOAD_BYTES_MAX} bytes."))
            return web.json_response({"errorType": "RequestEntityTooLarge"}, status=413)
        current.answer.set_result(body)
        return web.json_response({"status": "OK"}, status=202)

    async def _take_error(self, request: web.Request) -> web.Response:
        kind = _error_type(await request.read())
        current = self._of(request)
        if current is None:
            return web.json_response({"errorType": "InvalidRequestID"}, status=400)
        current.answer.set_exception(FunctionError(f"{self._spec.name} failed: {kind}.", error_type=kind))
        return web.json_response({"status": "OK"}, status=202)

    async def _take_init_error(self, request: web.Request) -> web.Response:
        self._problem = f"{self._spec.name} does not start: {_error_type(await request.read())}."
        return web.json_response({"status": "OK"}, status=202)

    def _of(self, request: web.Request) -> _Invocation | None:
        current = self._current
        if current is None or current.id != request.match_info["id"] or current.answer.done():
            return None
        return current


def _error_type(body: bytes) -> str:
    """Return the name of an error; its message stays in the function's own log."""
    try:
        return str(json.loads(body)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Unknown"


def _die_with_us() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
