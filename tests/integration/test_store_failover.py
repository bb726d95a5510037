"""What a server that goes away does: the next use connects anew, and what became of a commit is asked, not guessed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

import outside
import postgres
from commit_proxy import CommitProxy, What
from postgres import Cluster
from sdt.domain.errors import Unavailable
from sdt.store import Access, Store, open_store, transactions
from store_rig import accepted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A cluster that may be stopped, with its disk in earnest: a kill must lose nothing."""
    binaries = postgres.binaries()
    if binaries is None:
        outside.lacking(postgres.HOW_TO_GET_IT)
    with postgres.own_cluster(binaries, ("shared_buffers=32MB", "max_connections=30")) as made:
        open_store(made.url, migrate=True).close()
        yield made


async def test_a_connection_that_the_server_ended_is_replaced_unnoticed(postgres_store_url: str) -> None:
    store, admin = open_store(postgres_store_url), open_store(postgres_store_url)
    await store.run(transactions.counts_by_status)
    await store.read(transactions.counts_by_status)
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await store.run(transactions.insert_accepted, [accepted(1)])
    assert sum((await store.read(transactions.counts_by_status)).values()) == 1
    # And it is one that only reads again.
    with pytest.raises(Exception, match="read-only"):
        await store.read(transactions.insert_accepted, [accepted(2)])
    store.close()
    admin.close()


@pytest.mark.parametrize(("lost", "runs"), [("answer", 1), ("commit", 2)])
async def test_what_became_of_a_commit_is_asked_of_the_server(postgres_store_url: str, lost: What, runs: int) -> None:
    # Given a store behind a network that loses one commit, or only the answer to it
    address, _, name = postgres_store_url.rpartition("/")
    proxy = CommitProxy(int(address.rpartition(":")[2]))
    store = open_store(f"{address.rpartition(':')[0]}:{proxy.port}/{name}")
    ran: list[int] = []

    def insert(store: Store) -> str:
        ran.append(1)
        store.execute("INSERT INTO proofs_seen (jti, expires_at_s) VALUES ('once', 1)")
        proxy.lose = lost if len(ran) == 1 else "nothing"
        return "done"

    # When it writes, then it is written once: run again only if the server says that nothing was written
    assert await store.run(insert) == "done"
    assert len(ran) == runs
    assert store.rows("SELECT jti FROM proofs_seen") == [("once",)]
    store.close()
    proxy.close()


async def test_a_server_that_was_killed_and_started_again_is_used_again(own: Cluster) -> None:
    # Given a server that dies in the middle of the day
    store = open_store(own.url)
    await store.run(transactions.insert_accepted, [accepted(1)])
    own.stop(signal.SIGQUIT)
    with pytest.raises(Unavailable):
        await store.run(transactions.insert_accepted, [accepted(2)])
    # When it is back, then the same store goes on, and what was committed is there
    own.start()
    began_s = time.monotonic()
    await store.run(transactions.insert_accepted, [accepted(2)])
    assert sum((await store.read(transactions.counts_by_status)).values()) == 2
    print(f"after the restart the first commit took {time.monotonic() - began_s:.3f} s")
    store.close()


async def test_limits_end_what_takes_too_long(postgres_store_url: str) -> None:
    limited = open_store(postgres_store_url, access=Access(statement_s=0.2, lock_s=0.2, idle_in_transaction_s=0.3))
    other = open_store(postgres_store_url)
    transactions.insert_accepted(other, [accepted(1)])

    # A statement
    with pytest.raises(Unavailable):
        await limited.read(lambda store: store.rows("SELECT pg_sleep(2)"))
    # A lock
    with other.transaction():
        other.execute("UPDATE transactions SET detail = 'x'")
        began_s = time.monotonic()
        with pytest.raises(Unavailable):
            await limited.run(lambda store: store.execute("UPDATE transactions SET detail = 'y'"))
        assert time.monotonic() - began_s < 1.5
    # A transaction in which nothing happens: it is ended, and others go on
    inside, go_on = threading.Event(), threading.Event()

    def stopped(store: Store) -> None:
        store.execute("UPDATE transactions SET detail = 'z'")
        if not inside.is_set():
            inside.set()
            go_on.wait(5)
        store.execute("UPDATE transactions SET detail = 'zz'")

    import asyncio

    task = asyncio.create_task(limited.run(stopped))
    await asyncio.to_thread(inside.wait, 5)
    await other.run(lambda store: store.execute("UPDATE transactions SET code = 'went_on'"))
    go_on.set()
    await task
    assert other.rows("SELECT detail, code FROM transactions") == [("zz", "went_on")]
    limited.close()
    other.close()
