"""Database addresses and DDL: what needs no database."""

from __future__ import annotations

import pytest

from sdt.store import Store, open_store
from sdt.store.database import database_of
from sdt.store.ddl import ddl
from sdt.store.tables.core import LIVE, TABLES, UNFINISHED


@pytest.mark.parametrize(
    "url",
    ["mysql://user:hunter2@host/name", "sqlite:relative.db", "sqlite://", "sqlite:///", "", "hunter2"],
)
def test_an_address_of_another_form_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="database URL|SQLite URL") as refused:
        database_of(url)
    assert "hunter2" not in str(refused.value)


def test_a_store_does_not_print_its_address() -> None:
    store = Store(database_of("postgresql://user:hunter2@host/name"))
    assert repr(store) == "Store(postgresql)"
    store.close()


def test_both_spellings_of_postgresql_are_one() -> None:
    assert database_of("postgres://host/name").database == database_of("postgresql://host/name").database


def test_a_sqlite_address_is_relative_or_absolute() -> None:
    assert database_of("sqlite:///a/b.db").database == "a/b.db"
    assert database_of("sqlite:////a/b%20c.db").database == "/a/b c.db"


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: object) -> None:
    from sdt.domain.errors import Unavailable

    with pytest.raises(Unavailable) as refused:
        open_store(f"sqlite:///{tmp_path}/nowhere/sdt.db", migrate=True)
    assert refused.value.code == "database_unavailable"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_ddl_names_every_table_once(kind: str) -> None:
    text = ddl(kind)
    for table in TABLES:
        assert text.count(f'CREATE TABLE "{table._meta.table_name}"') == 1
    assert ("BIGSERIAL" in text) == (kind == "postgresql")


def test_ddl_of_an_unknown_database_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlite and postgresql"):
        ddl("oracle")


def test_every_amount_is_checked_by_the_table() -> None:
    text = ddl("sqlite")
    for column in ("units", "fee_units", "held_units", "debits", "credits", "held", "attested", "funded", "released"):
        assert f"{column} >= 0" in text or f"{column} > 0" in text


def test_a_frozen_migration_has_todays_live_statuses() -> None:
    """A new live status needs a migration that rebuilds the index: queries repeat its condition word for word."""
    from pathlib import Path

    import sdt.store

    newest = Path(sdt.store.__file__).with_name("migrations") / "0003_batch_says.py"
    assert LIVE in newest.read_text()
    assert UNFINISHED in newest.read_text()
