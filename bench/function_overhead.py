"""What a warm function of the API adds to the work itself: `python -m bench.function_overhead`.

CPU time of one process, all its threads, the best of many calls in turns: a signed message taken, and a look at where
it stands by one of its parties; once through the handler, from event to answer, and once by the functions under it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.intake import NETWORK, _payer, _prepare, _signed
from sdt.api.callers import caller_of
from sdt.api.hot import put_one
from sdt.api.standing import standing_of
from sdt.domain.proof import make_proof
from sdt.functions.api import ApiFunction
from sdt.functions.opening import open_api

__all__ = ["Overhead", "measure"]

URL = "https://api.example.test"
ROUNDS = 5
CALLS = 60


@dataclass(frozen=True, slots=True)
class Overhead:
    """Units: milliseconds of CPU."""

    put_ms: float
    get_ms: float


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def _event(method: str, path: str, body: str, headers: dict[str, str]) -> dict[str, Any]:
    context = {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}, "stage": "$default"}
    return {"version": "2.0", "rawPath": path, "headers": headers, "requestContext": context, "body": body}


def _best_ms(call: Callable[[str, bytes], Any], api: ApiFunction, known: str = "") -> float:
    """Return the CPU time of the quickest of many calls. `known`: the id to ask about, else each has a new one."""
    issuer, now_ms, took = api.runtime.services.ids.issuer(), api.runtime.services.now_ms(), []
    for _ in range(CALLS):
        id_ = known or issuer.issue(now_ms, secrets.token_bytes(10))
        path = f"{URL}/v1/transactions/{id_}"
        carried = (
            make_proof(_payer(1)[0], "GET", path, int(time.time()), NETWORK).encode() if known else _signed(id_, 0)
        )
        begun = time.process_time_ns()
        call(id_, carried)
        took.append(time.process_time_ns() - begun)
    return min(took) / 1e6


def _overhead(api: ApiFunction) -> Overhead:
    runtime, context, run = api.runtime, _Context(), api._loop.run_until_complete

    async def put(id_: str, message: bytes) -> None:
        await put_one(runtime.intake, id_, message)
        await runtime.finish()

    async def get(id_: str, proof: bytes) -> None:
        path = f"/v1/transactions/{id_}"
        caller = await caller_of(runtime.services, runtime.keys, proof.decode(), "GET", path)
        json.dumps(await standing_of(runtime.services, runtime.waiting, id_, 0.0, caller))

    def handled_put(id_: str, message: bytes) -> None:
        headers = {"content-type": "application/jose"}
        answer = api.handler(_event("PUT", f"/v1/transactions/{id_}", message.decode(), headers), context)
        assert answer["statusCode"] == 202, answer

    def handled_get(id_: str, proof: bytes) -> None:
        answer = api.handler(_event("GET", f"/v1/transactions/{id_}", "", {"sdt-proof": proof.decode()}), context)
        assert answer["statusCode"] == 200, answer

    known = runtime.services.ids.issuer().issue(runtime.services.now_ms(), secrets.token_bytes(10))
    handled_put(known, _signed(known, 0))
    bare: dict[str, float] = {"put": 1e9, "get": 1e9}
    handled = dict(bare)
    for _ in range(ROUNDS):
        bare["put"] = min(bare["put"], _best_ms(lambda i, m: run(put(i, m)), api))
        handled["put"] = min(handled["put"], _best_ms(handled_put, api))
        bare["get"] = min(bare["get"], _best_ms(lambda i, p: run(get(i, p)), api, known))
        handled["get"] = min(handled["get"], _best_ms(handled_get, api, known))
    return Overhead(handled["put"] - bare["put"], handled["get"] - bare["get"])


def measure() -> Overhead:
    """Return the overhead of a function over a fresh home on SQLite."""
    with tempfile.TemporaryDirectory(prefix="sdt-bench-") as name:
        _prepare(Path(name))
        told = {"SDT_HOME": name, "SDT_NETWORK": NETWORK, "SDT_API__URL": URL, "SDT_LOGGING__LEVEL": "warning"}
        before = {key: os.environ.get(key) for key in told}
        os.environ.update(told)
        try:
            api = open_api()
            try:
                return _overhead(api)
            finally:
                api.close()
                asyncio.run(api.runtime.services.queue.close())
                api.runtime.services.store.close()
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})


if __name__ == "__main__":
    print(measure())
