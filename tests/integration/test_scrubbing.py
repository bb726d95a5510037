"""Clearing overwritten rows on PostgreSQL, where the role that serves payments owns no table, as on RDS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import postgres
from sdt.cli.app import app
from sdt.store import Store, open_store, outbox
from sdt.store.database import OwnerOnly, connect
from sdt.worker.clock import Clock
from sdt.worker.erasures import Erasures
from sdt.workflows.documents import Documents
from sdt.workflows.erasure import TOPIC
from sdt.workflows.rewrapping import Rewrapping
from sdt.workflows.scrubbing import TABLES, WRAPPED

pytestmark = pytest.mark.slow

OWNER, APP = "scrub_owner", "scrub_app"


@dataclass
class Roles:
    """One database as each of two roles reaches it."""

    owner: str
    app: str


@pytest.fixture
def roles(postgres_url: str) -> Iterator[Roles]:
    """A database that one role owns, and whose rows another reads and writes: what docs/aws.md says of step 6."""
    url = postgres.new_database(postgres_url, "scrubbing")
    made = Roles(*(url.replace("//sdt@", f"//{role}@") for role in (OWNER, APP)))
    admin = connect(url)
    for role in (OWNER, APP):
        admin.execute(f"CREATE ROLE {role} LOGIN")
    admin.execute(f"ALTER DATABASE scrubbing OWNER TO {OWNER}")
    admin.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}")
    admin.close()
    owner = open_store(made.owner, migrate=True)
    owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP}")
    owner.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP}")
    owner.close()
    yield made
    postgres.drop_database(postgres_url, "scrubbing")
    admin = connect(postgres_url)
    for role in (OWNER, APP):
        admin.execute(f"DROP ROLE {role}")
    admin.close()


def vacuumed(store: Store) -> set[str]:
    """Return which tables were vacuumed on somebody's word."""
    return {name for (name,) in store.rows("SELECT relname FROM pg_stat_user_tables WHERE vacuum_count > 0")}


def sdt_db_scrub(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SDT_DATABASE__URL", url)
    return CliRunner().invoke(app, ["db", "scrub", "--home", str(home), "--json"])


async def test_an_erasure_is_done_with_when_the_owner_of_the_tables_has_cleared_them(
    roles: Roles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(roles.app)
    people: Any = None
    erasures = Erasures(store, Documents(store, people, tmp_path), Clock())
    # Given an erasure that was committed, and a worker whose role may not vacuum
    (tmp_path / "paper").touch()
    await store.run(outbox.put, TOPIC, "user-1", {"files": ["paper"]}, 0)
    assert await erasures.work() == 0
    # then files are gone, nothing is noted as done, and what waits can be told
    assert not (tmp_path / "paper").exists()
    (waiting,) = await store.read(outbox.failing, TOPIC, OwnerOnly.code)
    assert vacuumed(store) == set()
    assert store.row("SHOW statement_timeout") == ("0",)
    # When the wrong role tries, then it is refused and nothing is done
    refused = await asyncio.to_thread(sdt_db_scrub, roles.app, tmp_path, monkeypatch)
    assert isinstance(refused.exception, OwnerOnly)
    assert await store.read(outbox.failing, TOPIC, OwnerOnly.code) == [waiting]
    # When the owner runs it, then all tables are vacuumed and the erasure is done with
    done = await asyncio.to_thread(sdt_db_scrub, roles.owner, tmp_path, monkeypatch)
    assert json.loads(done.stdout) == {"erasures": 1}
    assert vacuumed(store) == {*TABLES, *WRAPPED}
    assert not await store.read(outbox.is_open, TOPIC, "user-1")
    assert await erasures.work() == 0
    store.close()


async def test_who_wraps_anew_is_told_that_old_wraps_are_left(roles: Roles) -> None:
    for url, scrubbed in ((roles.app, False), (roles.owner, True)):
        store = open_store(url)
        rewrapping = Rewrapping(store, _Wraps())  # type: ignore[arg-type]
        assert [count async for count in rewrapping.run(0)] == [0]
        assert rewrapping.scrubbed is scrubbed
        store.close()


class _Wraps:
    def prefix(self) -> bytes:
        return b"\x01"
