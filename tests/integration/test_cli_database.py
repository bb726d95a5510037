"""What `sdt db` says of a database and does to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sdt.cli.app import app
from sdt.store import lease, migration, open_store
from sdt.store.lease_lock import lease_lock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database that the settings name."""
    chosen = f"sqlite:///{tmp_path}/sdt.db"
    if request.param == "postgresql":
        chosen = request.getfixturevalue("postgres_database")
    monkeypatch.setenv("SDT_DATABASE__URL", chosen)
    return chosen


def said(home: Path, *words: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["db", *words, "--home", str(home), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_a_database_is_migrated_and_says_who_settles(url: str, tmp_path: Path) -> None:
    code, before = said(tmp_path, "status")
    assert code == 1 and before["missing"] == migration.known() and before["applied"] == 0

    assert said(tmp_path, "migrate")[1]["applied"] == migration.known()
    assert said(tmp_path, "migrate")[1]["applied"] == []

    store = open_store(url)
    assert lease.take(store, lease_lock(store, "7919/0x5e"), "7919/0x5e", "host/1/ab", 60_000)
    code, after = said(tmp_path, "status")
    store.close()
    assert code == 0 and after["missing"] == []
    assert [(one["name"], one["holder"], one["epoch"]) for one in after["leases"]] == [("7919/0x5e", "host/1/ab", 1)]
    assert after["server"].startswith("PostgreSQL" if url.startswith("postgresql") else "SQLite")


def test_a_poolers_role_is_given_the_limits_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDT_DATABASE__STATEMENT_TIMEOUT_S", "12")
    printed = CliRunner().invoke(app, ["db", "role", 'of"fice', "--home", str(tmp_path)]).stdout
    assert """ALTER ROLE "of""fice" SET statement_timeout = '12000ms';""" in printed.splitlines()
    assert "rds_iam" not in printed
