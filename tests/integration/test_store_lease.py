"""Who settles, as the database says it: taken once, renewed by its holder alone, and a fence before every write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdt.domain.errors import Unavailable
from sdt.store import Store, lease, open_store
from sdt.store.database import database_of
from sdt.store.lease import Fence, LeaseLost
from sdt.store.lease_lock import LeaseLock, lease_lock

NAME = "7919/0x" + "5e" * 20
LONG_MS = 60_000


@pytest.fixture
def other(store_url: str) -> Iterator[Store]:
    """The same database, as another process would open it."""
    store = open_store(store_url)
    yield store
    store.close()


def taken(store: Store, lock: LeaseLock, holder: str, length_ms: int = LONG_MS) -> Fence:
    fence = lease.take(store, lock, NAME, holder, length_ms)
    assert fence is not None
    return fence


def test_one_has_it_and_another_does_not(store: Store, other: Store) -> None:
    first = taken(store, lease_lock(store, NAME), "first")
    assert lease.take(other, lease_lock(other, NAME), NAME, "second", LONG_MS) is None
    row = lease.look(other, NAME)
    assert row is not None and (row.holder, row.epoch, row.held) == ("first", first.epoch, True)


def test_what_is_given_up_is_taken_in_the_next_epoch(store: Store, other: Store) -> None:
    lock = lease_lock(store, NAME)
    first = taken(store, lock, "first")
    lease.give_up(store, lock, first)
    assert taken(other, lease_lock(other, NAME), "second").epoch == first.epoch + 1


def test_a_holder_whose_connection_or_process_is_gone_is_not_waited_for(store: Store, other: Store) -> None:
    lock = lease_lock(store, NAME)
    first = taken(store, lock, "first")
    if store.postgres:
        store.database.close()
    else:
        lock.release(store)
    assert taken(other, lease_lock(other, NAME), "second").epoch == first.epoch + 1


def test_a_lease_that_ran_out_is_its_holders_until_another_takes_it(store: Store, other: Store) -> None:
    # Given a holder that could not renew in time
    lock = lease_lock(store, NAME)
    first = taken(store, lock, "first", length_ms=0)
    # When nobody came, then it goes on
    lease.renew(store, lock, first, length_ms=0)
    first(store)
    # When somebody came, then it is over: nothing is renewed, nothing written
    second = taken(other, lease_lock(other, NAME), "second")
    with pytest.raises(LeaseLost):
        lease.renew(store, lock, first, LONG_MS)
    store.fence = first
    with pytest.raises(LeaseLost), store.transaction():
        raise AssertionError("the transaction went on")
    other.fence = second
    with other.transaction():
        pass


def test_what_has_gone_on_is_not_given_up_by_a_former_holder(store: Store, other: Store) -> None:
    lock = lease_lock(store, NAME)
    first = taken(store, lock, "first", length_ms=0)
    taken(other, lease_lock(other, NAME), "second")
    lease.give_up(store, lock, first)
    row = lease.look(store, NAME)
    assert row is not None and row.holder == "second"


def test_an_epoch_that_a_restored_database_counts_again_is_not_the_old_holders(store: Store, other: Store) -> None:
    # Given a database restored from before the old holder's epoch, in which another holder got the same number
    old = Fence(NAME, "old", 1)
    assert taken(other, lease_lock(other, NAME), "new").epoch == old.epoch
    # Then the old holder's writes are refused by its name
    store.fence = old
    with pytest.raises(LeaseLost), store.transaction():
        raise AssertionError("the transaction went on")


@pytest.fixture
def two(postgres_store_url: str) -> Iterator[tuple[Store, Store]]:
    """Two on PostgreSQL: one writer at a time is SQLite's own rule."""
    both = open_store(postgres_store_url), open_store(postgres_store_url)
    yield both
    for store in both:
        store.close()


def test_renewing_does_not_wait_for_the_lanes_transactions(two: tuple[Store, Store]) -> None:
    store, other = two
    lock = lease_lock(other, NAME)
    fence = taken(other, lock, "first")
    other.execute("SET lock_timeout = 200")
    store.fence = fence
    with store.transaction():
        lease.renew(other, lock, fence, LONG_MS)


def test_taking_waits_for_the_transaction_that_the_fence_let_on(two: tuple[Store, Store]) -> None:
    store, other = two
    fence = taken(other, lease_lock(other, NAME), "first", length_ms=0)
    store.fence = fence
    with store.transaction():
        other.execute("SET lock_timeout = 200")
        with pytest.raises(Exception, match="lock timeout"):
            other.execute("UPDATE leases SET epoch = epoch + 1")
    other.execute("UPDATE leases SET epoch = epoch + 1")


def test_a_lease_is_not_held_through_a_pooler_whose_sessions_are_everybodys() -> None:
    store = Store(database_of("postgresql://sdt@127.0.0.1:1/none"), pooled=True)
    with pytest.raises(Unavailable) as refused:
        lease_lock(store, NAME)
    assert refused.value.code == "lease_through_pooler"
    store.close()
