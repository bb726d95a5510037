"""From an empty database to today's tables, once, by whoever comes first; and the DDL export says the same."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError

from sdt.domain.errors import Unavailable
from sdt.store import Store, migrate, open_store, reserve_moves
from sdt.store.database import connect
from sdt.store.ddl import ddl
from sdt.store.migration import migrate_open, pending
from sdt.store.tables import TABLES
from store_rig import DATABASES


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that has nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sdt.db"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def bare(empty_url: str) -> Iterator[Store]:
    """An open database that has nothing in it."""
    store = connect(empty_url)
    yield store
    store.close()


def test_an_empty_database_is_migrated_once(empty_url: str) -> None:
    assert migrate(empty_url)[:1] == ["0001_initial"]
    assert migrate(empty_url) == []
    store = open_store(empty_url, migrate=True)
    assert {table._meta.table_name for table in TABLES} < set(store.database.get_tables())
    store.close()


def test_a_database_that_lacks_a_migration_is_refused_and_says_how_to_go_on(empty_url: str) -> None:
    with pytest.raises(Unavailable, match="0001_initial.*sdt db migrate") as refused:
        open_store(empty_url)
    assert refused.value.code == "database_not_migrated"


def test_what_is_there_survives_a_second_migration(empty_url: str) -> None:
    store = open_store(empty_url, migrate=True)
    store.execute("INSERT INTO proofs_seen (jti, expires_at_s) VALUES ('kept', 1)")
    store.close()
    store = open_store(empty_url, migrate=True)
    assert store.rows("SELECT jti FROM proofs_seen") == [("kept",)]
    store.close()


def test_transfers_that_were_asked_for_are_kept_when_the_way_back_becomes_known(empty_url: str) -> None:
    store = open_store(empty_url, migrate=True)
    freed = importlib.import_module("sdt.store.migrations.0057_freed_moves")
    reserve_moves.want(store, "t", "in", "TXD", 100, "deposit", 1)
    reserve_moves.done(store, "t", "in", 100, "book-1", 2)
    reserve_moves.want(store, "t", "blocked", "TXD", 100, "blocked", 3)
    kept = reserve_moves.of_transaction(store, "t")
    freed.down(None, store.database)
    with pytest.raises(IntegrityError):
        reserve_moves.want(store, "t", "freed", "TXD", 100, "unblocked", 4)
    freed.up(None, store.database)
    assert reserve_moves.of_transaction(store, "t") == kept
    reserve_moves.want(store, "t", "freed", "TXD", 100, "unblocked", 4)
    assert [move.direction for move in reserve_moves.open_moves(store, 9)] == ["blocked", "freed"]
    store.close()


def test_a_migration_that_fails_leaves_nothing_behind(bare: Store) -> None:
    bare.execute("CREATE TABLE proofs_seen (x INTEGER)")
    with pytest.raises(Exception, match="proofs_seen"):
        migrate_open(bare)
    assert bare.database.get_tables() == ["proofs_seen"]
    assert "0001_initial" in pending(bare)


@pytest.mark.slow
def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    program = f"from sdt.store import migrate; print(len(migrate({empty_url!r})))"
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    counts = sorted(int(out) for out, _ in said)
    assert counts[:2] == [0, 0]
    assert counts[2] > 0


def _shape_sqlite(store: Store) -> list[Any]:
    found = store.rows("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name <> 'schema_migration'")
    return sorted((kind, name, table, " ".join((sql or "").split())) for kind, name, table, sql in found)


def _shape_postgres(store: Store) -> list[Any]:
    columns = store.rows(
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_migration'"
    )
    indexes = store.rows(
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND tablename <> 'schema_migration'"
    )
    checks = store.rows(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' "
        "AND connamespace = 'public'::regnamespace"
    )
    return sorted(map(repr, [*columns, *indexes, *checks]))


def test_the_models_the_migrations_and_the_ddl_are_one(empty_url: str, tmp_path: Path) -> None:
    """Given one database made by the migrations and one by the exported DDL, then both have the same shape."""
    migrated = open_store(empty_url, migrate=True)
    if not migrated.postgres:
        exported = connect(f"sqlite:///{tmp_path}/exported.db")
        exported.database.connection().executescript(ddl("sqlite"))
        assert _shape_sqlite(exported) == _shape_sqlite(migrated)
        exported.close()
    else:
        expected = _shape_postgres(migrated)
        migrated.execute("DROP SCHEMA public CASCADE")
        migrated.execute("CREATE SCHEMA public")
        migrated.database.connection().execute(ddl("postgresql"))
        assert _shape_postgres(migrated) == expected
    migrated.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", DATABASES)
def test_the_ddl_is_printed_by_a_command(kind: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sdt.store.ddl", kind], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == ddl(kind)
    assert ran.stderr == ""


@pytest.mark.slow
def test_the_ddl_command_says_what_it_knows() -> None:
    ran = subprocess.run([sys.executable, "-m", "sdt.store.ddl", "oracle"], capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0
    assert "sqlite|postgresql" in ran.stderr
