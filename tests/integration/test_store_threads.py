"""How a store is used from asyncio and by two processes at once: nothing waits that need not, nothing is lost."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sdt.domain.errors import Unavailable
from sdt.domain.ledger import token_account, transfer_postings
from sdt.domain.transaction import Event, Status
from sdt.store import Access, Store, batches, events, ledger, open_store, transactions
from sdt.store.database import connect
from sdt.store.standing import STATUS
from sdt.store.transactions import Change
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, formed, fund, transaction_id


async def test_a_unit_of_work_is_one_commit(store: Store) -> None:
    def work(store: Store, n: int) -> int:
        transactions.insert_accepted(store, [accepted(n)])
        if n == 2:
            raise RuntimeError("after the insert")
        return n

    assert await store.run(work, 1) == 1
    with pytest.raises(RuntimeError, match="after"):
        await store.run(work, 2)
    found = await store.read(transactions.get_many, [transaction_id(1), transaction_id(2)])
    assert list(found) == [transaction_id(1)]


async def test_reads_do_not_wait_behind_a_writer(store: Store) -> None:
    await store.run(transactions.insert_accepted, [accepted(1)])
    inside, go_on = threading.Event(), threading.Event()

    def slow(store: Store) -> None:
        transactions.insert_accepted(store, [accepted(2)])
        inside.set()
        go_on.wait(10)

    writing = asyncio.create_task(store.run(slow))
    await asyncio.to_thread(inside.wait, 10)
    assert await asyncio.wait_for(store.read(transactions.counts_by_status), 5) == {Status.ACCEPTED: 1}
    go_on.set()
    await writing
    assert await store.read(transactions.counts_by_status) == {Status.ACCEPTED: 2}


async def test_the_reading_thread_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        await store.read(transactions.insert_accepted, [accepted(1)])
    assert await store.read(transactions.counts_by_status) == {}


async def test_a_busy_sqlite_is_unavailable_and_later_is_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sdt.db"
    store, other = open_store(url, migrate=True), open_store(url)
    await store.run(lambda s: s.execute("PRAGMA busy_timeout = 50") and None)
    store.execute("PRAGMA busy_timeout = 50")
    with other.transaction():
        with pytest.raises(Unavailable) as refused:
            transactions.insert_accepted(store, [accepted(1)])
        assert refused.value.code == "database_unavailable"
    assert transactions.insert_accepted(store, [accepted(1)])[0].outcome == "new"
    store.close()
    other.close()


async def test_postgresql_undoes_one_of_two_that_block_each_other_and_it_runs_again(migrated_postgres: str) -> None:
    store, other = open_store(migrated_postgres), open_store(migrated_postgres)
    await store.run(_two_accounts)
    both = threading.Barrier(2, timeout=10)
    runs = []

    def cross(store: Store, first: str, second: str) -> None:
        runs.append(first)
        store.execute("UPDATE ledger_accounts SET credits = credits + 1 WHERE name = ?", (first,))
        if len(runs) <= 2:
            both.wait()
        store.execute("UPDATE ledger_accounts SET credits = credits + 1 WHERE name = ?", (second,))

    await asyncio.gather(store.run(cross, "X", "Y"), other.run(cross, "Y", "X"))
    assert len(runs) >= 3
    assert store.rows("SELECT credits FROM ledger_accounts WHERE name IN ('X', 'Y')") == [(2,), (2,)]
    store.close()
    other.close()


def _two_accounts(store: Store) -> None:
    store.execute("DELETE FROM ledger_accounts WHERE name IN ('X', 'Y')")
    for name in ("X", "Y"):
        store.execute(
            "INSERT INTO ledger_accounts (name, token, debits, credits, held) VALUES (?, 'TXD', 0, 0, 0)", (name,)
        )


async def test_a_password_comes_beside_the_address(migrated_postgres: str) -> None:
    admin = open_store(migrated_postgres)
    admin.execute("DROP ROLE IF EXISTS clerk")
    admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'hunter2'")
    store = connect(migrated_postgres.replace("//sdt@", "//clerk@"), Access(lambda: "hunter2"))
    assert store.database.connection().info.password == "hunter2"
    assert "hunter2" not in repr(store) + repr(vars(store))
    assert store.rows("SELECT current_user::text") == [("clerk",)]
    store.close()
    admin.execute("DROP ROLE clerk")
    admin.close()


PAYMENTS, USERS, UNITS = 600, 8, 10


def _api(url: str) -> None:
    """Insert payments in groups of uneven size, some of them twice."""
    store = open_store(url)
    n = 0
    while n < PAYMENTS:
        rows = [accepted(i, payer=1 + i % USERS, payee=1 + (i + 3) % USERS, units=UNITS, fee=1)
                for i in range(n, min(n + 1 + n % 37, PAYMENTS))]  # fmt: skip
        transactions.insert_accepted(store, rows)
        transactions.insert_accepted(store, rows[:2])
        n += len(rows)
    store.close()


def _worker(url: str) -> None:
    """Screen, batch, submit and settle until every payment has ended; may be killed and begun again."""
    store = open_store(url)
    while True:
        with store.transaction():
            _screen(store)
        with store.transaction():
            _batch(store)
        with store.transaction():
            _settle(store)
        events.seal(store, NOW_MS)
        if _completed(store) == PAYMENTS:
            break
    store.close()


def _completed(store: Store) -> int:
    (count,) = store.row(f"SELECT count(*) FROM transactions WHERE {STATUS} = 'completed'")
    return int(count)


def _screen(store: Store) -> None:
    rows = transactions.in_status(store, Status.ACCEPTED, 50)
    granted = ledger.hold(store, [(row.id, row.ledger_account, UNITS + 1) for row in rows])
    changes = [
        Change(row.id, Event.SCREEN, held_units=UNITS + 1) for row, enough in zip(rows, granted, strict=True) if enough
    ]
    transactions.move(store, changes, actor="screening", at_ms=NOW_MS)


def _batch(store: Store) -> None:
    rows = transactions.claim_screened(store, 40)
    if not rows:
        return
    last = batches.last_standing(store)
    number, parent = (last.number + 1, last.head or b"") if last else (1, bytes(32))
    batches.form(store, formed(number, parent=parent, count=len(rows)))
    ids = [row.id for row in rows]
    transactions.place_in_batch(store, ids, number, actor="lane", at_ms=NOW_MS)
    head = number.to_bytes(32, "big")
    batches.mark_signed(
        store, number, root=head, head=head, gas=1, chain_tx_hash=head, raw_tx=head, signed_at_ms=NOW_MS
    )
    transactions.advance_whole_batch(
        store, number, Event.SUBMIT, from_status=Status.BATCHED, actor="lane", at_ms=NOW_MS
    )


def _settle(store: Store) -> None:
    for batch in batches.unfinished(store):
        rows = transactions.in_batch(store, batch.number)
        postings = [
            (row.id, posting)
            for row in rows
            for posting in transfer_postings(
                TOKEN, row.account or "", row.counterparty or "", row.units, row.fee_units, FEE_ACCOUNT
            )
        ]
        release = [(row.ledger_account, row.held_units) for row in rows]
        ledger.post(store, postings, release=release, at_ms=NOW_MS)
        assert transactions.left_to_batch(store, batch.number) == len(rows)
        transactions.advance_whole_batch(
            store,
            batch.number,
            [Event.SETTLE, Event.COMPLETE],
            from_status=Status.SUBMITTED,
            actor="lane",
            at_ms=NOW_MS,
        )
        batches.mark_final(store, batch.number, block_number=1, block_hash=b"", skipped_count=0, final_at_ms=NOW_MS)


@pytest.mark.slow
def test_api_and_worker_share_one_database_and_a_killed_worker_goes_on(store: Store, store_url: str) -> None:
    """Given an API process that inserts and a worker process that is killed twice: none lost, none twice."""
    for n in range(1, USERS + 1):
        fund(store, n, PAYMENTS * (UNITS + 1))
    supply = ledger.supply(store, TOKEN)
    spawn = multiprocessing.get_context("spawn")
    api = spawn.Process(target=_api, args=(store_url,))
    worker = spawn.Process(target=_worker, args=(store_url,))
    api.start()
    worker.start()
    for share in (0.2, 0.5):
        _wait_until_completed(store, int(PAYMENTS * share))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join(30)
        worker = spawn.Process(target=_worker, args=(store_url,))
        worker.start()
    api.join(90)
    worker.join(90)
    assert (api.exitcode, worker.exitcode) == (0, 0)
    assert ledger.discrepancies(store) == []
    assert ledger.supply(store, TOKEN) == supply
    assert sum(b.posted for b in ledger.balances(store, FEE_ACCOUNT)) == PAYMENTS
    assert sum(b.held for n in range(1, USERS + 1) for b in ledger.balances(store, address(n))) == 0
    events.seal(store, NOW_MS)
    assert events.verify_seals(store) > 1
    (counted,) = store.row("SELECT count(*) FROM events")
    (formed_,) = store.row("SELECT count(*) FROM batches")
    assert counted == PAYMENTS * 3 + formed_ * 3
    assert token_account(TOKEN, address(1)) in {f"Token:{TOKEN}:{a}" for a in ledger.token_balances(store, TOKEN)}


def _wait_until_completed(store: Store, count: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if _completed(store) >= count:
            return
        time.sleep(0.02)
    raise AssertionError("the worker does not go on")
