"""What the role of a region's processes may do on PostgreSQL, where another owns the tables and migrates them later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playhouse.migrations import Runner

import postgres
from sdt.store import Store, accounts, former_parties, migration
from sdt.store.accounts import UserRow
from sdt.store.database import connect
from sdt.store.migration import migrate_open
from store_rig import NOW_MS, address

pytestmark = pytest.mark.slow

OWNER, APP = "roles_owner", "roles_app"
BEFORE: Final = "0053_sanctions_addresses"
TABLES = "GRANT SELECT, INSERT, UPDATE, DELETE ON"
GUIDE: Final = Path(__file__).parents[2] / "docs" / "aws.md"


@pytest.fixture
def opened(postgres_url: str) -> Iterator[tuple[Store, Store]]:
    """A database of the version before, as the one who owns it and as the region's processes reach it."""
    url = postgres.new_database(postgres_url, "roles")
    admin = connect(url)
    for role in (OWNER, APP):
        admin.execute(f"CREATE ROLE {role} LOGIN")
    admin.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}")
    admin.close()
    owner, app = (connect(url.replace("//sdt@", f"//{role}@")) for role in (OWNER, APP))
    with owner.transaction():
        Runner(owner.database, migration._FOLDER).up(BEFORE)
    yield owner, app
    app.close()
    owner.close()
    postgres.drop_database(postgres_url, "roles")
    admin = connect(postgres_url)
    for role in (OWNER, APP):
        admin.execute(f"DROP ROLE {role}")
    admin.close()


def test_who_was_granted_the_tables_to_come_but_no_sequence_writes_whom_an_account_named(
    opened: tuple[Store, Store],
) -> None:
    # Given a region whose processes were granted the sequences that there were, and tables for ever
    owner, app = opened
    owner.execute(f"{TABLES} ALL TABLES IN SCHEMA public TO {APP}")
    owner.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP}")
    owner.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public {TABLES} TABLES TO {APP}")
    # when it is migrated
    migrate_open(owner)
    # then they write there
    accounts.create_user(app, UserRow("u1", address(1), "user1", "US-TX", NOW_MS, person_sealed=b"sealed"))
    former_parties.keep(app, address(1), 1, passed=True, at_ms=NOW_MS)
    former_parties.keep(app, address(1), 2, passed=False, at_ms=NOW_MS)
    assert app.rows("SELECT n, round FROM former_parties ORDER BY n") == [(1, 1), (2, 2)]


def test_what_the_guide_grants_is_enough_for_what_later_migrations_make(opened: tuple[Store, Store]) -> None:
    # Given the grants of docs/aws.md
    owner, app = opened
    grants = re.findall(r"^(?:GRANT|ALTER DEFAULT PRIVILEGES) .*SCHEMA public .*;$", GUIDE.read_text(), re.M)
    assert len(grants) == 4
    for grant in grants:
        owner.execute(grant.replace("sdt_app", APP))
    # when the rest is migrated, and a version to come numbers the rows of another table
    migrate_open(owner)
    owner.execute("CREATE TABLE later (seq BIGSERIAL PRIMARY KEY, word TEXT)")
    # then whoever serves payments writes there, and in every table that there is
    app.execute("INSERT INTO later (word) VALUES ('said')")
    assert app.rows("SELECT seq FROM later") == [(1,)]
    assert (
        app.rows(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND CASE relkind "
            "WHEN 'r' THEN NOT has_table_privilege(oid, 'SELECT') OR NOT has_table_privilege(oid, 'INSERT') "
            "OR NOT has_table_privilege(oid, 'UPDATE') OR NOT has_table_privilege(oid, 'DELETE') "
            "WHEN 'S' THEN NOT has_sequence_privilege(oid, 'USAGE') ELSE FALSE END"
        )
        == []
    )
