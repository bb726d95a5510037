"""Functions under Amazon's runtime client for tests, a gateway in front: one home, the embedded queue."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from api_platform import NETWORK, Holder
from api_process import prepare

from databases import database_at
from sdt.domain.envelope import seal_envelope
from sdt.domain.message import format_time
from sdt.domain.proof import make_proof
from sdt.functions.local.gateway import PayloadFormat, gateway
from sdt.functions.local.sandbox import FunctionSpec
from sdt.functions.local.service import Function

PUBLIC_URL = "https://api.example.test"


def environment(home: Path) -> dict[str, str]:
    """What a function's process is told."""
    return {
        "SDT_HOME": str(home),
        "SDT_NETWORK": NETWORK,
        "SDT_API__URL": PUBLIC_URL,
        "SDT_ENV": "default",
        "SDT_DATABASE__URL": database_at(home / "sdt.db"),
    }


def function(name: str, home: Path, processes: int = 1, timeout_s: float = 29.0, **more: str) -> Function:
    """One of the platform's functions over a home that `prepare` made."""
    handler = f"sdt.functions.entry.{name}.handler"
    return Function(FunctionSpec(f"sdt-{name}", handler, timeout_s, 128, environment(home) | more), processes)


def signed_transfer(id_: str, payer: Holder, payee: Holder, **more: Any) -> bytes:
    """A transfer as a client signs it."""
    now_s = int(time.time())
    claims = {
        "type": "transfer",
        "version": 1,
        "network": NETWORK,
        "transaction_id": id_,
        "region": "US-TX",
        "issued_at": format_time(now_s),
        "token": "TXD",
        "payer": payer.account,
        "payee": payee.account,
        "payee_handle": payee.handle,
        "amount": "12000",
        "fee_max": "0",
        "memo": "",
        "expires_at": format_time(now_s + 3600),
    }
    return seal_envelope("transfer", claims | more, payer.key)


@dataclass
class Front:
    """A gateway on a loopback port, and a client of it."""

    url: str
    function: Function
    session: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, body: bytes | None = None, holder: Holder | None = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Send a request; return status, document and headers."""
        proof = {}
        if holder is not None:
            now_s = int(time.time())
            proof = {"SDT-Proof": make_proof(holder.key, method, PUBLIC_URL + path.partition("?")[0], now_s, NETWORK)}
        async with self.session.request(method, self.url + path, data=body, headers=headers | proof) as answer:
            text = await answer.read()
            try:
                return answer.status, json.loads(text), answer.headers
            except ValueError:
                return answer.status, text, answer.headers

    async def new_id(self) -> str:
        """Ask for an id."""
        status, answer, _ = await self.call("POST", "/v1/transactions")
        assert status == 200, answer
        return str(answer["transaction_id"])

    async def put(self, id_: str, message: bytes) -> tuple[int, Any]:
        """Send a signed message."""
        status, answer, _ = await self.call(
            "PUT", f"/v1/transactions/{id_}", message, **{"Content-Type": "application/jose"}
        )
        return status, answer


@asynccontextmanager
async def front(of: Function, version: PayloadFormat = "2.0") -> AsyncIterator[Front]:
    """Put a gateway in front of a function; both end with the block."""
    runner = web.AppRunner(gateway(of, version), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as session:
            yield Front(f"http://127.0.0.1:{runner.addresses[0][1]}", of, session)
    finally:
        await runner.cleanup()
        await of.close()


__all__ = ["PUBLIC_URL", "Front", "environment", "front", "function", "prepare", "signed_transfer"]
