"""A database of an older version, full and in use, is migrated forward: nothing is lost, and nobody waits long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playhouse.migrations import Runner

from sdt.store import Store, ledger, migrate, migration, open_store, transactions
from sdt.store.database import connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

OLD = "0010_deliveries"
ROWS = 30_000
ACCOUNTS = 500
WAIT_S = 4.0
"""What one statement may wait at most: the migration's own patience of one second, and a busy machine."""


def fill(store: Store) -> None:
    """Put the rows of a platform that has run for a while into tables of the old version."""
    store.execute(
        "INSERT INTO ledger_accounts (name, token, address, debits, credits, held) "
        "SELECT 'Token:TXD:' || n, 'TXD', 'a' || n, 0, 0, 0 FROM generate_series(1, ?) AS n",
        (ACCOUNTS,),
    )
    store.execute(
        "INSERT INTO users (user_id, account, handle, residency, created_at_ms, registered, kyc_reasons) "
        "SELECT 'u' || n, 'a' || n, 'h' || n, 'US-TX', 0, true, '[]' FROM generate_series(1, ?) AS n",
        (ACCOUNTS,),
    )
    pay(store, 1, ROWS)


def pay(store: Store, first: int, count: int) -> None:
    """Write payments as the old version would: transaction, event, posting, and both accounts."""
    with store.transaction():
        store.execute(
            "INSERT INTO transactions (id, type, status, administrative, kid, account, token, units, fee_units, "
            "held_units, digest, raw, issued_at_s, expires_at_s, accepted_at_ms, updated_at_ms) "
            "SELECT 't' || n, 'transfer', 'completed', false, 'k', 'a1', 'TXD', 1, 0, 0, '', '', 0, 0, n, n "
            "FROM generate_series(CAST(? AS bigint), ?) AS n",
            (first, first + count - 1),
        )
        store.execute(
            "INSERT INTO events (transaction_id, event, status, at_ms, actor) "
            "SELECT 't' || n, 'complete', 'completed', n, 'worker' FROM generate_series(CAST(? AS bigint), ?) AS n",
            (first, first + count - 1),
        )
        store.execute(
            "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) "
            "SELECT 't' || n, 'Pending:TXD', 'Token:TXD:1', 'TXD', 1, n "
            "FROM generate_series(CAST(? AS bigint), ?) AS n",
            (first, first + count - 1),
        )
        store.execute(
            "INSERT INTO ledger_accounts (name, token, debits, credits, held) VALUES ('Pending:TXD', 'TXD', ?, 0, 0) "
            "ON CONFLICT (name) DO UPDATE SET debits = ledger_accounts.debits + excluded.debits",
            (count,),
        )
        store.execute("UPDATE ledger_accounts SET credits = credits + ? WHERE name = 'Token:TXD:1'", (count,))


@dataclass
class Users:
    """Threads that write and read all the while, and how long the slowest of what they did took."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    paid: int = 0
    looked: int = 0
    slowest_s: float = 0.0
    failed: list[BaseException] = field(default_factory=list)

    def write(self, store: Store) -> None:
        pay(store, ROWS + 1 + self.paid, 1)
        self.paid += 1

    def look(self, store: Store) -> None:
        assert store.row("SELECT count(*) FROM users WHERE registered")[0] == ACCOUNTS
        store.rows("SELECT status FROM transactions ORDER BY seq DESC LIMIT 20")
        self.looked += 1

    def go_on(self, what: Callable[[Store], None]) -> None:
        store = connect(self.url)
        try:
            while not self.stop.is_set():
                began_s = time.monotonic()
                what(store)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
                time.sleep(0.002)
        except BaseException as error:
            self.failed.append(error)
        finally:
            store.close()


def test_a_database_in_use_is_migrated_and_nobody_waits_long(postgres_database: str) -> None:
    # Given a database several versions back, with a history, and people who use it
    store = connect(postgres_database)
    Runner(store.database, migration._FOLDER).up(OLD)
    fill(store)
    users = Users(postgres_database)
    threads = [threading.Thread(target=users.go_on, args=(what,)) for what in (users.write, users.look)]
    # And a report that looks at a table for three seconds, which the migration wants to change
    reported = threading.Event()

    def report() -> None:
        reader = connect(postgres_database)
        with reader.transaction():
            reader.rows("SELECT count(*) FROM users")
            reported.set()
            time.sleep(3)
        reader.close()

    reporting = threading.Thread(target=report)
    for thread in (*threads, reporting):
        thread.start()
    reported.wait()

    # When it is migrated
    began_s, before = time.monotonic(), users.paid
    applied = migrate(postgres_database)
    took_s = time.monotonic() - began_s
    during = users.paid - before
    time.sleep(0.3)
    users.stop.set()
    for thread in (*threads, reporting):
        thread.join()

    # Then they went on meanwhile, and nobody waited longer than a migration does
    assert applied[0] > OLD and len(applied) >= 5
    assert not users.failed, users.failed
    assert took_s > 1 and during > 20 and users.looked > 20
    assert users.slowest_s < WAIT_S
    print(
        f"{len(applied)} migrations in {took_s:.1f} s, {during} payments meanwhile, the slowest {users.slowest_s:.2f} s"
    )
    # And nothing is lost, for this version's eyes
    new = open_store(postgres_database)
    for table in ("transactions", "postings", "events"):
        assert new.row(f"SELECT count(*) FROM {table}") == (ROWS + users.paid,)
    assert ledger.discrepancies(new) == []
    assert len(transactions.get_many(new, ["t1", f"t{ROWS + users.paid}"])) == 2
    new.close()
    store.close()


POSTING = (
    "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) VALUES ('x', 'a', 'b', 'TXD', 1, 1)"
)
INDEX = """
atomic = False

def up(migrator, db):
    db.execute_sql("DROP INDEX IF EXISTS postings_at")
    how = "" if db.in_transaction() else "CONCURRENTLY"
    db.execute_sql(f"CREATE INDEX {how} postings_at ON postings (at_ms)")
"""


def test_an_index_is_made_without_stopping_writers(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a migrated database, a migration that makes an index, and a writer in the middle of a transaction
    open_store(postgres_database, migrate=True).close()
    for file in Path(migration._FOLDER).glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "9000_postings_at.py").write_text(INDEX)
    monkeypatch.setattr(migration, "_FOLDER", str(tmp_path))
    writer, other = connect(postgres_database), connect(postgres_database)
    fill(writer)
    done = threading.Thread(target=migrate, args=(postgres_database,))
    with writer.transaction():
        writer.execute(POSTING)
        # When it is made, then it waits for that writer, and others go on writing
        done.start()
        time.sleep(0.3)
        assert done.is_alive()
        other.execute("SET lock_timeout = 300")
        other.execute(POSTING)
    done.join()
    # And it is there, and valid; a new database gets it too
    assert other.row("SELECT indisvalid FROM pg_index WHERE indexrelid = CAST('postings_at' AS regclass)") == (True,)
    assert migration.pending(other) == []
    open_store(f"sqlite:///{tmp_path}/new.db", migrate=True).close()
    writer.close()
    other.close()
