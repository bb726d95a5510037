"""The sandbox as processes: what it writes, how it stops, what it prints."""

from __future__ import annotations

import stat
from pathlib import Path

import aiohttp
import pytest
from sandbox_servers import sandbox

pytestmark = pytest.mark.slow


async def test_all_services_run_in_one_process_each_on_a_port_of_its_own(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--program", "TXD", "--vault", "TXG:XAU") as (running, _):
        urls = {name: running.url(name) for name in ("bank", "depository", "kyc", "aml")}
        async with aiohttp.ClientSession() as session:
            for name, url in urls.items():
                async with session.get(f"{url}/healthz") as response:
                    health = await response.json()
                    assert (health["service"], health["status"]) == (name, "ok")
                async with session.get(f"{url}/v1/schemas") as response:
                    assert all("$defs" in schema for schema in (await response.json()).values())

    assert len(set(urls.values())) == 4


def test_keys_and_books_are_for_their_owner_alone_and_stay_the_same(tmp_path: Path) -> None:
    with sandbox(tmp_path, "kyc") as (running, process):
        key = running.key("kyc")
        listed = process.args
    secrets = [file for file in tmp_path.iterdir() if file.suffix in (".key", ".db")]
    with sandbox(tmp_path, "kyc") as (running, _):
        assert running.key("kyc") == key

    assert len(secrets) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}
    assert key not in str(listed)


def test_a_terminated_sandbox_ends_cleanly(tmp_path: Path) -> None:
    with sandbox(tmp_path, "depository", "--vault", "TXG:XAU") as (_, process):
        process.terminate()
        code = process.wait(10)

    assert code in (0, -15)
