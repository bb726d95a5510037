"""A region opened by command on parts that run: in two parts, killed on the way, and once more when all is done."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from sdt.backends import open_database
from sdt.client import Network
from sdt.config import Settings
from sdt.demo.acts import deposit, link_bank, pay
from sdt.demo.people import PEOPLE, Actor, actor, person_of, sign_up
from sdt.desk.desk import desk_key
from sdt.domain.envelope import kid_of
from sdt.local import processes
from sdt.local.platform import INVENTED_LIST, prepare
from sdt.local.secrets import DESKS, take_vendor_keys
from sdt.store import registry
from sdt.store.registry import KeyRow
from sdt.supervise import Supervisor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

BEFORE_SERVICES = ["keys", "database", "sanctions", "chain-key", "contracts", "administrators"]
THROUGH_THE_API = ["roles", "rules", "attestation"]


async def _begun(home: Path, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("sdt")), "region", "open", "--home", str(home), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _opened(home: Path, *words: str) -> dict[str, str]:
    """Run the command to its end; return each step's state."""
    process = await _begun(home, *words, "--json")
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return {step["name"]: step["state"] for step in json.loads(output)["steps"]}


async def _stopped(home: Path, *words: str) -> tuple[dict[str, str], str]:
    """Run the command to the step at which it gives up; return each step's state before that, and the error."""
    process = await _begun(home, *words)
    output, errors = await process.communicate()
    assert process.returncode == 1
    lines = (re.fullmatch(r"  (done before|done|to do) +([a-z-]+) .*", line) for line in output.decode().splitlines())
    return {line[2]: line[1] for line in lines if line}, errors.decode()


def _files(home: Path) -> set[str]:
    return {str(file.relative_to(home)) for file in home.rglob("*") if file.is_file()}


async def test_a_region_opens_on_running_parts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDT_ENV", "test")
    home = tmp_path / "home"
    async with Supervisor(home) as supervisor:
        # Given chain, locations and vendors that somebody else started, administrators with keys elsewhere
        settings, region = prepare(supervisor, home)
        held = []
        for name in ("administrator-1", "administrator-2"):
            (settings.desks.keys_folder / f"{name}.key").rename(tmp_path / f"{name}.key")
            held += ["--administrator", str(tmp_path / f"{name}.key")]
        await supervisor.start(processes.foundations(settings, region))
        take_vendor_keys(settings, home / "sandbox")
        sanctions = ["--sanctions", str(INVENTED_LIST), "--sanctions-date", "2026-01-05"]

        # When the plan is asked for, then it says all that is missing, and does nothing
        before = _files(home)
        planned = await _opened(home, *held, "--plan")
        assert [name for name, state in planned.items() if state == "to do"] == [
            *BEFORE_SERVICES[1:],
            *THROUGH_THE_API,
        ]
        assert planned["keys"] == "done before"
        assert {name for name in _files(home) - before if not name.startswith("log/")} == set()

        # When the command is killed once the chain key stands, and begun again
        process = await _begun(home, *held, *sanctions)
        assert process.stdout is not None
        while b"chain-key" not in await asyncio.wait_for(process.stdout.readline(), 60):
            pass
        process.kill()
        await process.wait()
        first, error = await _stopped(home, *held, *sanctions)

        # Then it goes on where it stopped, as far as the parts go that run
        assert list(first) == BEFORE_SERVICES
        assert first["chain-key"] == "done before" and first["administrators"] == "done"
        assert "api_unreachable" in error

        # When the other parts run too
        await supervisor.start(processes.services(settings))
        await supervisor.start(processes.desks(settings))
        second = await _opened(home, *held)
        assert second == dict.fromkeys(BEFORE_SERVICES, "done before") | {
            "roles": "done",
            "rules": "done",
            "attestation": second["attestation"],
        }
        assert second["attestation"] in ("done", "done before")

        # Then people are admitted, and one pays the other
        network = Network(settings.api.url, settings.network, region.id)
        alice, bob = actor(home, network, "alice"), actor(home, network, "bob")
        await _paid(alice, bob)
        await alice.client.close()
        await bob.client.close()

        # and once more nothing changes
        granted = _roles(settings)
        contracts = (home / "deployment.json").read_text()
        assert set((await _opened(home, *held)).values()) == {"done before"}
        assert (home / "deployment.json").read_text() == contracts
        assert _roles(settings) == granted
        # but for others than its administrators it opens nothing
        stranger = tmp_path / "stranger.key"
        stranger.write_text("11" * 32)
        stranger.chmod(0o600)
        assert "not_administrator" in (await _stopped(home, *held[:2], "--administrator", str(stranger)))[1]


async def _paid(alice: Actor, bob: Actor) -> None:
    await asyncio.gather(*(sign_up(who, person_of(PEOPLE[who.wallet.name])) for who in (alice, bob)))
    source = await link_bank(alice, PEOPLE["alice"].account_number, "Alice Archer")
    put_in = await deposit(alice, "TXD", 50_000, source)
    assert (await alice.client.wait(put_in, until=("completed",), timeout_s=120))["status"] == "completed"
    paid = await pay(alice, bob, "TXD", 12_000)
    assert (await alice.client.wait(paid, until=("completed",)))["status"] == "completed"
    assert await bob.balance("TXD") == 12_000


def _roles(settings: Settings) -> list[KeyRow | None]:
    """What the database knows of each official's key: a grant that was sent again would show a later end."""
    store = open_database(settings)
    try:
        kids = [kid_of(bytes(desk_key(settings, name).verify_key)) for name in DESKS]
        return [registry.key(store, kid) for kid in kids]
    finally:
        store.close()
