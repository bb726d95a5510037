"""Keys are rotated under running processes, and whoever was killed in between goes on; with each kind of vault."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_process import prepare, process
from typer.testing import CliRunner

from aws_rig import aws_settings
from databases import database_at
from sdt import backends
from sdt.adapters.aws import client
from sdt.adapters.vault import Secret, VaultProtocol
from sdt.adapters.wrapping import VaultKey
from sdt.backends import IDS_KEY, PERSONAL_KEY, PERSONS_KEY, open_database, open_vault, open_wrapping
from sdt.cli.app import app
from sdt.config import Settings, load_settings
from sdt.domain.errors import Conflict, Invalid, NotFound
from sdt.domain.personal import Person, PersonAddress
from sdt.domain.sealing import SealBroken
from sdt.domain.transaction_id import IdIssuer
from sdt.store import Store, accounts, person_keys
from sdt.store.accounts import UserRow
from sdt.workflows.people import People
from sdt.workflows.rewrapping import Rewrapping
from store_rig import NOW_MS, address

pytestmark = pytest.mark.slow

SEEN_WITHIN_S = 0.4
REPOSITORY = Path(__file__).resolve().parents[2]
DORA = Person(
    given_name="Dora", family_name="Plantedname", born_on="1990-01-02", ssn_last4="7391", email="dora@example.com",
    address=PersonAddress(street="1 Planted Lane", city="Austin", state="TX", postal_code="78701"),
)  # fmt: skip


@dataclass
class Platform:
    """A home with a vault of one kind, as every process started on it reads its settings."""

    home: Path

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home)

    @property
    def vault(self) -> VaultProtocol:
        """The vault as a process sees it that has just started."""
        backends._secrets_manager.cache_clear()
        return open_vault(self.settings)

    def sdt(self, *arguments: str, value: str | None = None, fails: type[Exception] | None = None) -> Any:
        """Run `sdt secrets …` as a process of its own would, and return what it printed."""
        backends._secrets_manager.cache_clear()
        done = CliRunner().invoke(app, ["secrets", *arguments, "--home", str(self.home), "--json"], input=value)
        if fails is not None:
            assert isinstance(done.exception, fails), done.output
            return done.exception
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout)

    async def run(self, *arguments: str, fails: type[Exception] | None = None) -> Any:
        """Run it beside an event loop."""
        return await asyncio.to_thread(self.sdt, *arguments, fails=fails)


@pytest.fixture(params=["sealed_file", "moto_server"])
def platform(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SDT_DATABASE__URL", database_at(home / "sdt.db"))
    if request.param != "sealed_file":
        url = request.getfixturevalue(request.param)
        (home / "settings.toml").write_text(
            f'[default.vault]\nbackend = "secrets_manager"\nprefix = "sdt-{uuid.uuid4().hex}/"\n'
            f'seen_within_s = {SEEN_WITHIN_S}\n[default.aws]\nendpoint_url = "{url}"\n'
        )
    yield Platform(home)
    backends._secrets_manager.cache_clear()


def test_ids_follow_their_key_in_a_running_api(platform: Platform) -> None:
    prepare(platform.home)
    with process(platform.home) as api:
        (before,) = ids(api.url)
        old = platform.vault.get(IDS_KEY).reveal()
        # when the key is rotated, then ids that were given still count
        platform.sdt("rotate", IDS_KEY, "--random")
        assert (known(api.url, before), known(api.url, before)) == (200, 200)
        # and one that another process gave, which has seen the new key first, counts at once
        new = platform.vault.get(IDS_KEY).reveal()
        assert new != old
        time.sleep(1.1)  # nobody makes the vault be asked more than once a second
        elsewhere = IdIssuer("US-TX", (new, old)).issue(time.time_ns() // 1_000_000, b"elsewhere!")
        assert known(api.url, elsewhere) == 200
        time.sleep(SEEN_WITHIN_S)
        (after,) = ids(api.url)
        IdIssuer("US-TX", (new,)).check(after)
        with pytest.raises(NotFound):
            IdIssuer("US-TX", (old,)).check(after)
        # an id that nobody gave is still nobody's, whatever is looked for again
        forged = IdIssuer("US-TX", (b"f" * 32,)).issue(time.time_ns() // 1_000_000, b"nobody's!!")
        assert known(api.url, forged) == 404
        # and after one more rotation the oldest key counts no more
        platform.sdt("rotate", IDS_KEY, "--random")
        time.sleep(1.1)
        assert (known(api.url, before), known(api.url, after)) == (404, 200)


def ids(url: str) -> list[str]:
    return list(ask(url + "/v1/transactions", b"{}")[1]["transaction_ids"])


def known(url: str, transaction_id: str) -> int:
    return ask(f"{url}/v1/transactions/{transaction_id}")[0]


def ask(url: str, body: bytes | None = None) -> tuple[int, Any]:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def register(store: Store, people: People, *numbers: int) -> None:
    """Add users, each with what is known of them."""
    with store.transaction():
        for n in numbers:
            row = UserRow(f"user-{n:05}", address(n), f"user{n}.tx", "US-TX", NOW_MS + n, registered=True)
            accounts.create_user(store, row)
            accounts.set_person(store, row.account, people.seal(store, row.account, DORA, NOW_MS))


async def test_everybodys_key_is_wrapped_anew_though_killed_in_between(platform: Platform) -> None:
    # given a worker that runs all the time, and people it has sealed
    store = open_database(platform.settings, migrate=True)
    people = People(store, open_wrapping(platform.settings))
    old = open_vault(platform.settings).get(PERSONAL_KEY).reveal()
    register(store, people, *range(1, 301))
    # when the key is rotated, then nobody notices
    await platform.run("rotate", PERSONAL_KEY, "--random")
    assert await people.party(address(1)) == DORA
    # and it is not rotated again while something needs the key before
    refused = await platform.run("rotate", PERSONAL_KEY, "--random", fails=Conflict)
    assert refused.code == "rewrap_first"
    # when whoever wraps them anew is killed
    await asyncio.to_thread(killed_midway, platform.home)
    left = await Rewrapping(store, open_wrapping(platform.settings)).left()
    assert 0 < left < 300
    # and meanwhile somebody registers, and somebody is erased
    register(store, people, 301)
    with store.transaction():
        assert person_keys.erase(store, "user-00299", NOW_MS)
    # then it goes on, with whoever was left
    assert (await platform.run("rewrap"))["broken"] == []
    assert await Rewrapping(store, open_wrapping(platform.settings)).left() == 0
    # and everybody opens with the newest key alone, but whoever was erased
    newest = platform.vault.get(PERSONAL_KEY).reveal()
    assert newest != old
    alone = People(store, VaultKey(lambda: (newest,)))
    for n in (1, 2, 150, 298, 300, 301):
        assert await alone.party(address(n)) == DORA
        with pytest.raises(SealBroken):
            await People(store, VaultKey(lambda: (old,))).party(address(n))
    assert await alone.party(address(299)) is None
    row = person_keys.of_account(store, address(299))
    assert row is not None
    assert row.wrapped is None
    # and the worker that ran all the time reads and registers on
    assert await people.party(address(1)) == DORA
    await platform.run("rotate", PERSONAL_KEY, "--random")
    assert await people.party(address(300)) == DORA
    store.close()


def killed_midway(home: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "tests" / "rewrap_process.py"), str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as rewrapping:
        assert rewrapping.stdout is not None
        done = 0
        while done < 60:
            done += int(rewrapping.stdout.readline())
        rewrapping.kill()


async def test_one_that_does_not_open_keeps_nobody_else(platform: Platform) -> None:
    store = open_database(platform.settings, migrate=True)
    people = People(store, open_wrapping(platform.settings))
    register(store, people, 1, 2, 3)
    store.execute("UPDATE person_keys SET wrapped = ? WHERE user_id = 'user-00002'", (b"\x02" + b"x" * 90,))
    # given a broken key, then it is a typed error, and a page of everybody leaves that one out
    with pytest.raises(SealBroken):
        await people.party(address(2))
    page, _ = await people.parties(None, 10)
    assert [account for account, _ in page] == [address(1), address(3)]
    # when all is wrapped anew, then it is named, left as it is, and the exit status says so
    command = ["secrets", "rewrap", "--home", str(platform.home), "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"rewrapped": 0, "broken": ["user-00002"], "scrubbed": True}
    store.close()


async def test_kms_takes_over_while_the_platform_runs(moto_server: str, tmp_path: Path) -> None:
    kms = client("kms", aws_settings(moto_server))
    key = kms.create_key(KeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]["Arn"]
    told = {"aws.endpoint_url": moto_server, "database.url": database_at(tmp_path / "sdt.db"), "personal.kms_key": key}
    before = load_settings(overrides=told, home=tmp_path)
    store = open_database(before, migrate=True)
    # given a platform on the vault's key that can open what KMS wrapped, before anything is
    running = People(store, open_wrapping(before))
    register(store, running, *range(1, 51))
    # when settings name KMS, and everything is wrapped anew
    after = load_settings(overrides=told | {"personal.wrapped_by": "kms"}, home=tmp_path)
    rewrapping = Rewrapping(store, open_wrapping(after), at_once=20)
    assert await rewrapping.left() == 50
    assert sum([count async for count in rewrapping.run(NOW_MS)]) == 50
    # then both read everybody, and the vault's key alone nobody
    for people in (running, People(store, open_wrapping(after))):
        assert await people.party(address(50)) == DORA
    vaults = open_vault(before).get(PERSONAL_KEY).reveal()
    with pytest.raises(SealBroken):
        await People(store, VaultKey(lambda: (vaults,))).party(address(50))
    store.close()


def test_values_come_from_standard_input_and_show_nowhere(platform: Platform) -> None:
    platform.sdt("put", "vendors/new/key", value="full:s3cret-one\n")
    assert platform.vault.get("vendors/new/key") == Secret(b"full:s3cret-one"), "without the line break"
    platform.sdt("rotate", "vendors/new/key", value="full:s3cret-two\n")
    assert platform.vault.previous("vendors/new/key") == Secret(b"full:s3cret-one")
    listed = CliRunner().invoke(app, ["secrets", "list", "--home", str(platform.home)])
    assert "vendors/new/key" in listed.output
    assert "vendors/kyc/key  missing" in listed.output
    assert "s3cret" not in listed.output
    platform.sdt("put", "vendors/new/key", value="other", fails=Conflict)
    platform.sdt("put", "empty", value="\n", fails=Invalid)
    platform.sdt("rotate", "nothing", value="x", fails=NotFound)
    # the keys with rules of their own
    platform.sdt("rotate", PERSONS_KEY, "--random", fails=Conflict)
    platform.sdt("rotate", PERSONAL_KEY, value="mine", fails=Invalid)


def test_people_are_recognised_across_a_rotation(platform: Platform) -> None:
    """Monitoring tells people apart by digests under a key that stays when the other is rotated."""
    open_database(platform.settings, migrate=True).close()
    open_wrapping(platform.settings)
    persons: Callable[[], bytes] = backends.open_persons_key(platform.settings)
    first = persons()
    platform.sdt("rotate", PERSONAL_KEY, "--random")
    assert persons() == first
    assert backends.open_persons_key(platform.settings)() == first
