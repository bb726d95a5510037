"""The sandbox's second door lets in who proves it, and nobody else; what one door did, the other shows."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from sandbox_servers import Sandbox, sandbox

pytestmark = pytest.mark.slow
CHECK = {
    "requestId": "r-1",
    "party": {
        "displayName": "Viktor Falsename",
        "location": {"line1": "1 Congress Ave", "town": "Austin", "stateCode": "TX", "zip": "78701"},
    },
    "stage": "ONBOARD",
    "clientRef": "acct-1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home: Path = tmp_path_factory.mktemp("vendors")
    with sandbox(home, "vendors") as (running, _):
        yield running


def signed(
    server: Sandbox, method: str, path: str, body: bytes, *, who: str = "full", ahead_s: int = 0
) -> dict[str, str]:
    moment = str(int(time.time()) + ahead_s)
    key = server.key("aml", read_only=who == "read")
    signature = hmac.new(key.encode(), f"{moment}\n{method}\n{path}\n".encode() + body, "sha256").hexdigest()
    return {"X-Plains-Client": who, "X-Plains-Time": moment, "X-Plains-Signature": signature}


async def post(server: Sandbox, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url('aml')}/plains/aml/v1/checks", data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_signature_counts_for_these_bytes_at_this_time_by_this_key_alone(server: Sandbox) -> None:
    body, path = json.dumps(CHECK).encode(), "/plains/aml/v1/checks"
    good = signed(server, "POST", path, body)
    bad = [
        {},
        signed(server, "POST", path, body + b" "),
        signed(server, "GET", path, body),
        signed(server, "POST", path + "?a", body),
        signed(server, "POST", path, body, ahead_s=400),
        signed(server, "POST", path, body, ahead_s=-400),
        good | {"X-Plains-Client": "nobody"},
        good | {"X-Plains-Client": "read"},
        good | {"X-Plains-Time": "soon"},
    ]
    for headers in bad:
        assert (await post(server, body, headers))[0] == 401, headers
    assert (await post(server, body, signed(server, "POST", path, body, who="read")))[0] == 403
    status, answer = await post(server, body, good)
    assert status == 200

    # and the first door shows what was done at the second
    first = server.client("aml")
    kept = json.loads(await first.get(f"/v1/screenings/{answer['checkId']}"))
    assert (kept["outcome"], kept["reference"]) == ("match", "acct-1")
    await first.close()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b'{"requestId":"r-2"}', json.dumps(CHECK | {"stage": 1}).encode()]
)
async def test_a_message_in_another_form_is_refused_in_this_doors_words(server: Sandbox, body: bytes) -> None:
    status, answer = await post(server, body, signed(server, "POST", "/plains/aml/v1/checks", body))
    assert (status, answer) == (400, {"error": {"type": "E-SCHEMA"}})


async def test_a_token_is_given_for_the_right_key_and_counts_as_it_was_given(server: Sandbox) -> None:
    url = f"{server.url('kyc')}/plains/kyc"
    form = {"grant_type": "client_credentials"}
    async with aiohttp.ClientSession() as session:

        def basic(pair: str) -> dict[str, str]:
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if pair else {}

        async def ask(auth: str, data: dict[str, str] = form) -> tuple[int, dict[str, str]]:
            async with session.post(f"{url}/oauth/token", data=data, headers=basic(auth)) as answer:
                return answer.status, await answer.json()

        async def look(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(f"{url}/v2/subjects/none", headers=headers) as answer:
                return answer.status

        right = f"full:{server.key('kyc')}"
        for auth in ("", "full:x", f"read:{server.key('kyc')}"):
            assert (await ask(auth))[0] == 401
        assert (await ask(right, {"grant_type": "password"}))[0] == 401
        status, given = await ask(right)
        assert status == 200
        token = given["access_token"]
        assert await look(token) == 404
        who, until, seal = token.split(".")
        for forged in ("", f"{who}.{int(until) + 60}.{seal}", f"read.{until}.{seal}", token[:-1]):
            assert await look(forged) == 401, forged
