"""The API as a function: one event of API Gateway is one call of the same ASGI application that a server runs.

Between two invocations the process is frozen, for milliseconds or for good. So nothing is left to tasks in the
background: before an invocation what may have aged is looked at again, and before its answer is returned everything
taken is committed and handed to the queue. What a function that was ended in between left, the sweeper sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from sdt.api.access import AccessLog
from sdt.api.edge import Edge, Watched
from sdt.api.engine import Runtime
from sdt.api.hot import Hot
from sdt.api.http import Receive, Scope, Send, send_problem
from sdt.api.problems import bug, problem_of
from sdt.api.services import Services
from sdt.domain.errors import NotFound, SdtError, Unavailable
from sdt.functions.context import Context
from sdt.functions.events import Answer, Request, answered, read_event

__all__ = ["ApiFunction"]

RESERVE_S: Final = 1.5
"""Kept from what is left of an invocation for its answer: whoever waits for a result is let go before that."""

_OF_ONE_PROCESS: Final = "/metrics"
"""What a server tells whoever scrapes it. A function stands on the internet, and one of many answers."""

log = logging.getLogger(__name__)


class _Framework:
    """The framework's part, from the first request that needs it: the hot ones do not."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._app: Callable[[Scope, Receive, Send], Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            from sdt.api.app import framework_of

            self._app = framework_of(self._runtime)
        await self._app(scope, receive, send)


class ApiFunction:
    """One region's API in one process of Lambda: an event loop that runs while an invocation does."""

    def __init__(self, services: Services) -> None:
        self.runtime = Runtime(services)
        self._edge = Edge(_Framework(self.runtime), Hot(self.runtime), self.runtime.metrics, AccessLog(services.access))
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self.runtime.start_on_demand())

    def handler(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Answer one request. Errors: ValueError for an event that is no HTTP request."""
        request = read_event(event)
        left_s = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
        return answered(self._loop.run_until_complete(self._answer(request, left_s)), request.version)

    def close(self) -> None:
        """End in order; Lambda never asks for it."""
        self._loop.run_until_complete(self.runtime.close())
        self._loop.close()

    async def _answer(self, request: Request, left_s: float) -> Answer:
        answer, answered_all = Answer(), False
        path = request.scope["path"]
        self.runtime.waiting.seconds_max = max(left_s, 0.0)
        try:
            async with asyncio.timeout(left_s + RESERVE_S / 2):
                if path == _OF_ONE_PROCESS:
                    raise NotFound(f"There is nothing at {path}.")
                await self.runtime.freshen()
                await self._edge(request.scope, _whole(request.body), answer)
                answered_all = True
                await self.runtime.finish()
        except TimeoutError:
            if answered_all:
                # What was answered is committed; that the queue does not take it is the sweeper's.
                log.warning("what was taken is not in the queue yet")
                return answer
            # Perhaps it was committed, perhaps not: whoever repeats the same bytes learns which.
            answer = Answer()
            late = Unavailable("This took too long; send the same again.", code="unavailable")
            await send_problem(Watched(answer), problem_of(late, instance=path))
        except SdtError as error:
            answer = Answer()
            await send_problem(Watched(answer), problem_of(error, instance=path))
        except Exception as error:
            answer = Answer()
            await send_problem(Watched(answer), bug(error, instance=path))
        return answer


def _whole(body: bytes) -> Receive:
    """Return ASGI's `receive` of a body that is all there; after it nothing comes."""
    given = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
