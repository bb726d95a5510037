"""An open store on each database, and the few rows most tests of it begin with."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
from sdt.domain.ledger import issue_postings, token_account
from sdt.domain.transaction import Event, Status
from sdt.domain.transaction_id import uuid7
from sdt.store import Store, ledger, open_store, transactions
from sdt.store.batches import FormedBatch
from sdt.store.tables import TABLES
from sdt.store.transactions import AcceptedRow, Change

TOKEN = "TXD"
FEE_ACCOUNT = "0x" + "fe" * 20
NOW_MS = 1_800_000_000_000
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def migrated_postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of one migrated PostgreSQL database; emptied before each test, which is quicker than a new one."""
    server_url = request.getfixturevalue("postgres_url")
    url = postgres.new_database(server_url, "store_tests")
    open_store(url, migrate=True).close()
    yield url
    postgres.drop_database(server_url, "store_tests")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("store") / "migrated.db"
    open_store(f"sqlite:///{path}", migrate=True).close()
    return path


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database without rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "sdt.db")
        return f"sqlite:///{tmp_path}/sdt.db"
    url = request.getfixturevalue("migrated_postgres")
    store = open_store(url)
    empty(store)
    store.close()
    return url


@pytest.fixture
def postgres_store_url(migrated_postgres: str) -> str:
    """The address of a migrated PostgreSQL database without rows, for what SQLite has no counterpart of."""
    store = open_store(migrated_postgres)
    empty(store)
    store.close()
    return migrated_postgres


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A migrated store without rows."""
    store = open_store(store_url)
    yield store
    store.close()


def empty(store: Store) -> None:
    """Remove all rows and begin counting anew."""
    # Not TRUNCATE: for a few rows it costs PostgreSQL ten times as much.
    with store.transaction():
        for table in TABLES:
            store.execute(f"DELETE FROM {table._meta.table_name}")
            if store.postgres and table._meta.auto_increment:
                key = table._meta.primary_key.column_name
                store.execute(f"ALTER SEQUENCE {table._meta.table_name}_{key}_seq RESTART")


def address(n: int) -> str:
    """Return the n-th user's address."""
    return f"0x{n:040x}"


def transaction_id(n: int) -> str:
    """Return the n-th transaction's id."""
    return uuid7(NOW_MS + n, n.to_bytes(10, "big"))


def accepted(
    n: int,
    payer: int = 1,
    payee: int = 2,
    units: int = 100,
    fee: int = 0,
    type: str = "transfer",
    administrative: bool = False,
    linked_id: str | None = None,
) -> AcceptedRow:
    """Return the n-th message, verified and ready to be stored."""
    raw = f"eyJhbGciOiJFZDI1NTE5In0.{type}.{n}".encode() * 8
    return AcceptedRow(
        id=transaction_id(n),
        type=type,
        administrative=administrative,
        kid=f"{payer:0>43}",
        account=address(payer),
        counterparty=address(payee),
        token=None if administrative else TOKEN,
        units=units,
        fee_units=fee,
        digest=hashlib.sha256(raw).digest(),
        raw=raw,
        issued_at_s=NOW_MS // 1000,
        expires_at_s=NOW_MS // 1000 + 900,
        accepted_at_ms=NOW_MS + n,
        linked_id=linked_id,
    )


def fund(store: Store, user: int, units: int, deposit: str | None = None) -> str:
    """Give a user tokens and return the name of the ledger account."""
    deposit = deposit or transaction_id(1_000_000 + user)
    ledger.post(
        store,
        [(deposit, posting) for posting in issue_postings(TOKEN, deposit, address(user), units)],
        release=[],
        at_ms=NOW_MS,
    )
    return token_account(TOKEN, address(user))


def screened(store: Store, *rows: AcceptedRow) -> list[str]:
    """Store messages and let screening pass them, without a hold."""
    transactions.insert_accepted(store, rows)
    ids = [row.id for row in rows]
    transactions.move(store, [Change(id, Event.SCREEN) for id in ids], actor="screening", at_ms=NOW_MS)
    return ids


def formed(number: int, parent: bytes = bytes(32), count: int = 1, nonce: int | None = None) -> FormedBatch:
    """Return a batch as the lane numbers it."""
    return FormedBatch(
        number=number,
        kind="value",
        parent=parent,
        deadline_s=NOW_MS // 1000 + 60,
        nonce=number - 1 if nonce is None else nonce,
        count=count,
        formed_at_ms=NOW_MS,
    )


def status_of(store: Store, id: str) -> Status:
    """Return where a transaction stands."""
    row = transactions.get(store, id)
    assert row is not None
    return row.status
