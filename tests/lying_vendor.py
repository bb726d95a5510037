"""A vendor that misbehaves: a real server whose next answers the test writes, and a folder to speak to it by."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from sdt.adapters.vendor.folder import Folder, load_folder
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.adapters.vendor.shipped import SHIPPED
from sdt.domain.money import USD, Amount
from sdt.ports.bank import BookTransferOrder

ORDER = BookTransferOrder("TXD-clearing", "TXD-reserve", Amount(5, USD), "r")
DONE = json.dumps(
    {
        "transfer_id": "t",
        "source": ORDER.source,
        "destination": ORDER.destination,
        "amount_cents": "5",
        "reference": "r",
        "status": "confirmed",
        "confirmed_at": "2026-01-02T03:04:05Z",
    }
)


@dataclass
class Vendor:
    """Answers what it is told, in turn, and notes what it was asked."""

    answers: list[tuple[int, str] | str | bytes] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, request.headers.get("Idempotency-Key", "")))
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        answer = self.answers.pop(0)
        if answer == "silence":
            await asyncio.sleep(3)
        if answer == "hang up":
            assert request.transport is not None
            request.transport.close()
        if answer == "drip":
            return await self._drip(request)
        if answer == "squeezed":
            return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        if isinstance(answer, str):
            return web.Response()
        status, body = answer
        headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}
        return web.Response(status=status, text=body, headers=headers)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        """A byte now and then, for ever: each arrives in time, and the whole never does."""
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response


@asynccontextmanager
async def lying_vendor() -> AsyncIterator[Vendor]:
    vendor, app = Vendor(), web.Application()
    app.router.add_route("*", "/{path:.*}", vendor.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    await runner.cleanup()


def quick_folder(name: str = "sandbox-treasury", **changes: Any) -> Folder:
    """A shipped folder that waits for nothing, with some of vendor.toml changed."""
    folder = load_folder(SHIPPED / name)
    spec = msgspec.structs.replace(folder.spec, **{"timeout_s": 1.0, "pause_s": 0.01, **changes})
    return replace(folder, spec=spec)


def speaker(
    url: str,
    folder: Folder | None = None,
    secret: str = "key",  # noqa: S107
    *,
    trace: Path | None = None,
    clock: Callable[[], float] | None = None,
) -> MappedVendor:
    more: dict[str, Any] = {"clock": clock} if clock else {}
    return MappedVendor(folder or quick_folder(), url, lambda: secret, trace_folder=trace, **more)
