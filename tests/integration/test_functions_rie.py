"""The API's function through the Runtime Interface Emulator, with which Amazon has images of functions tried."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import Holder
from functions_rig import environment, prepare, signed_transfer

import outside
from ports import free_port

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "aws-lambda-rie"
START_S = 30


class _Rie:
    """The emulator's own door: an event in, an answer out, one at a time."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def invoke(self, event: dict[str, Any]) -> Any:
        with self._opener.open(self._url, json.dumps(event).encode(), timeout=30) as answer:
            return json.loads(answer.read())


@pytest.fixture
def holders() -> tuple[Holder, Holder]:
    return Holder("alice"), Holder("bob")


@pytest.fixture
def rie(tmp_path: Path, holders: tuple[Holder, Holder]) -> Iterator[_Rie]:
    if not PROGRAM.exists():
        outside.lacking("the Runtime Interface Emulator, which `make rie` installs into .tools/bin")
    prepare(tmp_path, *holders)
    door, inside = free_port(), free_port()
    with (tmp_path / "rie.log").open("wb") as log:
        process = subprocess.Popen(
            [
                PROGRAM,
                *("--runtime-interface-emulator-address", f"127.0.0.1:{door}"),
                *("--runtime-api-address", f"127.0.0.1:{inside}"),
                *(sys.executable, "-m", "awslambdaric", "sdt.functions.entry.api.handler"),
            ],
            cwd=tmp_path,
            env={**os.environ, **environment(tmp_path), "AWS_LAMBDA_FUNCTION_TIMEOUT": "29"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _listens(door, process)
        yield _Rie(door)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the emulator does not listen")


def _event(method: str, path: str, body: str = "", version: str = "2.0", **headers: str) -> dict[str, Any]:
    if version == "1.0":
        rest = {"multiValueHeaders": {name: [value] for name, value in headers.items()}, "requestContext": {}}
        return {"version": "1.0", "httpMethod": method, "path": path, "body": body, **rest}
    http = {"method": method, "path": path, "sourceIp": "192.0.2.1"}
    context = {"http": http, "stage": "$default"}
    return {"version": "2.0", "rawPath": path, "headers": headers, "requestContext": context, "body": body}


@pytest.mark.parametrize("version", ["2.0", "1.0"])
def test_a_payment_through_the_emulator(rie: _Rie, holders: tuple[Holder, Holder], version: str) -> None:
    given = rie.invoke(_event("POST", "/v1/transactions", version=version))
    id_ = json.loads(given["body"])["transaction_id"]
    message = signed_transfer(id_, *holders).decode()
    jose = {"content-type": "application/jose"}
    taken = rie.invoke(_event("PUT", f"/v1/transactions/{id_}", message, version, **jose))
    assert (taken["statusCode"], json.loads(taken["body"])["status"]) == (202, "accepted")
    refused = rie.invoke(_event("GET", "/v1/transactions/short", version=version))
    assert (refused["statusCode"], json.loads(refused["body"])["code"]) == (400, "transaction_id")
    kinds = refused["headers"]["content-type"] if version == "2.0" else refused["multiValueHeaders"]["content-type"][0]
    assert kinds == "application/problem+json"
