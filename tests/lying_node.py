"""A node's JSON-RPC with answers changed on the way: what a location sees whose node was taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

Change = Callable[[str, list[Any], Any], Any]
"""From a method, its parameters and the true result to the result that is shown."""


def honest(method: str, params: list[Any], result: Any) -> Any:
    return result


class LyingNode:
    """`url` answers like the node behind it, through `change`."""

    def __init__(self, node_url: str) -> None:
        self.change: Change = honest
        self.url = ""
        self._node_url = node_url
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> LyingNode:
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None and self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.Response:
        assert self._session is not None
        asked = await request.json()
        async with self._session.post(self._node_url, json=asked) as response:
            answered = await response.json(content_type=None)
        if isinstance(asked, list):
            by_id = {one["id"]: one for one in asked}
            answered = [self._changed(by_id[one["id"]], one) for one in answered]
        else:
            answered = self._changed(asked, answered)
        return web.json_response(answered)

    def _changed(self, asked: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
        if "result" not in answered:
            return answered
        return {**answered, "result": self.change(asked["method"], list(asked.get("params", [])), answered["result"])}
