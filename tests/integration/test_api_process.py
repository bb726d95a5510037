"""The API as a process: what it acknowledged outlives kill -9, and random requests meet nothing undeclared."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_platform import NETWORK, Holder
from api_process import prepare, process

from databases import database_at
from sdt.api.openapi import REPOSITORY
from sdt.domain.envelope import seal_envelope
from sdt.domain.message import format_time
from sdt.store import open_store, transactions

pytestmark = pytest.mark.slow


def _transfer(id_: str, payer: Holder, payee: Holder) -> bytes:
    now_s = int(time.time())
    claims = {
        "type": "transfer", "version": 1, "network": NETWORK, "transaction_id": id_, "region": "US-TX",
        "issued_at": format_time(now_s), "token": "TXD", "payer": payer.account, "payee": payee.account,
        "payee_handle": payee.handle, "amount": "1", "fee_max": "0", "memo": "", "expires_at": format_time(now_s + 600),
    }  # fmt: skip
    return seal_envelope("transfer", claims, payer.key)


async def _send_until_killed(url: str, payer: Holder, payee: Holder) -> set[str]:
    """Send without pause; return the ids that were acknowledged."""
    acknowledged: set[str] = set()

    async def lane(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/v1/transactions", json={"count": 200}) as answer:
            ids = (await answer.json())["transaction_ids"]
        for id_ in ids:
            async with session.put(
                f"{url}/v1/transactions/{id_}",
                data=_transfer(id_, payer, payee),
                headers={"Content-Type": "application/jose"},
            ) as answer:
                if answer.status == 202 and (await answer.json())["transaction_id"] == id_:
                    acknowledged.add(id_)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(lane(session) for _ in range(8)), return_exceptions=True)
    return acknowledged


async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    alice, bob = Holder("alice"), Holder("bob")
    prepare(tmp_path, alice, bob)
    seeded = random.Random(7)
    acknowledged: set[str] = set()
    # given an API that is killed three times in the middle of work
    for _ in range(3):
        with process(tmp_path) as api:
            sending = asyncio.create_task(_send_until_killed(api.url, alice, bob))
            await asyncio.sleep(0.3 + seeded.random() / 2)
            api.popen.send_signal(signal.SIGKILL)
            acknowledged |= await sending
    # then everything that it acknowledged is stored
    store = open_store(database_at(tmp_path / "sdt.db"))
    try:
        stored = transactions.get_many(store, sorted(acknowledged))
        assert len(acknowledged) > 50
        assert stored.keys() == acknowledged
        # and the next process hands what was left behind to the queue
        with process(tmp_path) as api:
            for _ in range(200):
                if not transactions.unqueued(store, 2**62, 10):
                    break
                await asyncio.sleep(0.05)
            assert transactions.unqueued(store, 2**62, 10) == []
            # and ends in order when it is told to
            assert api.stop() == 0
    finally:
        store.close()


async def test_who_waits_is_answered_before_it_ends(tmp_path: Path) -> None:
    # given an API and somebody who waits half a minute for an id
    prepare(tmp_path)
    with process(tmp_path) as api:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{api.url}/v1/transactions") as answer:
                id_ = (await answer.json())["transaction_id"]
            asking = asyncio.create_task(session.get(f"{api.url}/v1/transactions/{id_}?wait=30"))
            await asyncio.sleep(0.3)
            # when it is told to end, then the answer is what is known, and it ends at once
            begun = time.monotonic()
            api.popen.terminate()
            answer = await asking
            assert (answer.status, (await answer.json())["status"]) == (200, "requested")
        assert await asyncio.to_thread(api.popen.wait, 10) == 0
        assert time.monotonic() - begun < 4


def test_its_log_has_no_secret_and_its_folder_no_open_file(tmp_path: Path) -> None:
    # given an API over a new home
    prepare(tmp_path)
    with process(tmp_path) as api:
        assert api.stop() == 0
    # then its keys are readable by the owner alone, and nothing was logged of them
    for name in ("secrets.sealed", "secrets.key"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "api.log").read_text() == ""


@pytest.mark.timeout(240)
def test_random_requests_meet_nothing_undeclared(tmp_path: Path) -> None:
    # given the published description and a running API, with a user whose proofs are good
    alice = Holder("alice")
    prepare(tmp_path, alice)
    with process(tmp_path) as api:
        environment: dict[str, Any] = {
            **os.environ,
            "PROOF_SEED": bytes(alice.key).hex(),
            "PROOF_NETWORK": NETWORK,
            "PROOF_URL": api.url,
            "SCHEMATHESIS_HOOKS": "schemathesis_proofs",
            "PYTHONPATH": str(Path(__file__).parent),
        }
        # when schemathesis sends what the description allows and what it does not
        found = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                str(REPOSITORY / "openapi.yaml"),
                "--url",
                api.url,
                # No location runs here, and what says so is a 503.
                "--exclude-path",
                "/v1/attestation",
                "--phases",
                "examples,coverage,fuzzing",
                "--checks",
                "not_a_server_error,status_code_conformance,content_type_conformance,"
                "response_headers_conformance,response_schema_conformance,unsupported_method,"
                "allow_header_conformance,negative_data_rejection",
                "--max-examples",
                "12",
                "--seed",
                "7",
                "--generation-database",
                "none",
                "--warnings",
                "off",
            ],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        # then no answer is a 5xx, and none is other than described
        assert found.returncode == 0, found.stdout[-8_000:] + found.stderr[-2_000:]
        assert "incident" not in (tmp_path / "api.log").read_text()
