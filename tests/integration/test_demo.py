"""The demo as a newcomer runs it: once, twice in the same folder, and two at the same time."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import log_sweep
from sdt.cli.app import app
from sdt.client import ApiProblem, public_key_text
from sdt.demo.people import PEOPLE, Actor
from sdt.demo.story import Story
from sdt.desk.desk import desk_key
from sdt.domain.errors import Forbidden
from sdt.local.books import settled_books
from sdt.local.platform import Platform, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

EMBEDDED = True


async def _demo_once(folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("sdt"), "demo", "--once"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_two_demos_at_once_both_end_well(tmp_path: Path) -> None:
    # Given one machine, when the whole story is told twice at the same time, in two folders
    told = await asyncio.gather(_demo_once(tmp_path), _demo_once(tmp_path))

    # Then each found ports of its own, refused every attack and balanced its books
    for code, output in told:
        assert code == 0, output[-2_000:]
        assert "Every balance agrees, every attack was refused." in output
    # and neither wrote anything where it was called
    assert list(tmp_path.iterdir()) == []


async def test_a_second_run_goes_on_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a platform on which the story was told, and that was stopped
    monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")
    monkeypatch.setenv("SDT_ENV", "test")
    monkeypatch.setenv("SDT_LOGGING__LEVEL", "debug")
    monkeypatch.setenv("SDT_LOGGING__ACCESS", "all")
    home = tmp_path / "home"
    async with running(home) as platform:
        story = Story(platform, lambda *_: None)
        await story.run()
        await story.close()
        before = await settled_books(platform.settings, platform.region)
        ports = (home / "ports.json").read_text()

    # When it is started again in the same folder
    steps: list[str] = []
    async with running(home, steps.append) as platform:
        outcomes: list[str] = []
        story = Story(platform, lambda _, outcome: outcomes.append(outcome))
        await story.run()

        # Then nothing is told or opened twice, and the books stand where they stood
        assert set(outcomes) == {"told before"}
        assert not any(step.startswith("region") for step in steps)
        assert (home / "ports.json").read_text() == ports
        after = await settled_books(platform.settings, platform.region)
        assert all(one.agree and one.covered for one in after), after
        assert [(one.supply, one.holders) for one in after] == [(one.supply, one.holders) for one in before]
        # and money moves on
        paid = await story.pay("bob", "alice", "TXD", 100)
        found = await story.actors["bob"].client.wait(paid, until=("completed",))
        assert found["status"] == "completed"
        await _officials_act(platform, story)
        await story.close()
    # and of all that happened no log line names anybody or shows a secret
    said = "\n".join(file.read_text() for file in (home / "log").iterdir())
    people = [
        (f"{one.name}'s {what}", value)
        for one in PEOPLE.values()
        for what, value in (
            ("full name", f"{one.given_name} {one.family_name}"),
            ("family name", one.family_name),
            ("account number", one.account_number),
            ("town", one.city),
            ("e-mail", f"{one.name}@example.com"),
        )
    ]
    log_sweep.sweep(said, [*people, ("a routing number", "021000021")])
    log_sweep.sweep(said, log_sweep.secrets_of(platform.settings).items())
    assert {event["process"] for event in log_sweep.lines(home)} >= {"api", "worker", "signer-1"}


async def _officials_act(platform: Platform, story: Story) -> None:
    """A court's order against Bob, a stop of the gold token, and an issuer held short, all by command; the books agree
    after all.
    """
    settings = platform.settings
    bob, alice = story.actors["bob"], story.actors["alice"]
    order = (f"account={bob.account}", "token=TXD", "order=C-26-1", "authority=District Court")

    async def sdt(*words: str) -> Result:
        options = ("--home", str(settings.home), "--yes", "--json")
        return await asyncio.to_thread(CliRunner().invoke, app, ["office", *words, *options])

    async def signed(kind: str, *claims: str, by: str = "compliance", until: str = "completed") -> str:
        result = await sdt("sign", kind, *claims, "--as", by)
        assert result.exit_code == 0, (result.output, result.exception)
        found = json.loads(result.stdout)
        assert found["status"] == until, found
        return str(found["transaction_id"])

    async def approved(transaction_id: str, by: str) -> None:
        result = await sdt("approve", transaction_id, "--as", by)
        assert result.exit_code == 0, (result.output, result.exception)
        found = json.loads(result.stdout)
        assert (found["transaction_id"], found["status"]) == (transaction_id, "completed"), found

    # When Bob's dollars are frozen and a part of them is seized by two officers
    before = await _dollars(bob)
    await signed("freeze", *order, "expires_at=2033-05-18T03:33:20Z")
    seizure = await signed("seize", *order, "amount=70", f"to={alice.account}", until="held")
    # (another compliance officer is no approver, whatever they sign)
    refused = await sdt("approve", seizure, "--as", "compliance-2")
    assert isinstance(refused.exception, ApiProblem)
    assert refused.exception.code == "wrong_role"
    await approved(seizure, "approver")
    # Then they are gone from his account, and he can pay nobody
    assert await _dollars(bob) == before - 70
    stuck = await bob.client.wait(await story.pay("bob", "alice", "TXD", 1), until=("completed",))
    assert (stuck["status"], stuck["code"]) == ("rejected", "frozen")
    # until the order is lifted
    await signed("unfreeze", *order)
    paid = await bob.client.wait(await story.pay("bob", "alice", "TXD", 1), until=("completed",))
    assert paid["status"] == "completed"
    # When one officer stops gold and two administrators let it go on
    stop = ("token=TXG", "reason=assay")
    await signed("pause", *stop)
    stopped = await story.actors["carol"].client.wait(await story.pay("carol", "dan", "TXG", 5), until=("completed",))
    assert (stopped["status"], stopped["code"]) == ("rejected", "paused")
    resume = await signed("resume", *stop, by="administrator-1", until="held")
    # (nobody is their own second officer)
    alone = await sdt("approve", resume, "--as", "administrator-1")
    assert isinstance(alone.exception, Forbidden)
    assert alone.exception.code == "same_officer"
    await approved(resume, "administrator-2")
    # and when they set what the issuer may mint in a week
    issuer = f"public_key={public_key_text(desk_key(settings, 'issuer'))}"
    claims = (issuer, "token=TXD", "limit=1000", f"period_s:={7 * 86_400}")
    allowance = await signed("set_mint_allowance", *claims, by="administrator-1", until="held")
    await approved(allowance, "administrator-2")
    # Then every book says the same
    books = await settled_books(settings, platform.region)
    assert all(one.agree and one.covered for one in books), books


async def _dollars(who: Actor) -> int:
    balances = (await who.client.get(f"/v1/accounts/{who.account}/balances"))["balances"]
    return next(int(one["settled"]) for one in balances if one["token"] == "TXD")
