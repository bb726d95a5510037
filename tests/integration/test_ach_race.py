"""A freeze or a block, and a file that is being gathered at that moment: whichever commits first counts for both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import pytest
from ach_rig import Rig

from sdt.domain.ach.calendar import EASTERN
from sdt.domain.errors import Conflict
from sdt.store import Store, ach, open_store, registry
from sdt.store.registry import FreezeRow
from sdt.workflows import blocking
from store_rig import NOW_MS, TOKEN, address, transaction_id

NOW = datetime(2026, 11, 30, 10, 11, tzinfo=EASTERN)
WAITS_S = 0.3


@pytest.fixture
def rig(store: Store) -> Rig:
    rig = Rig(store, None, None, None)  # type: ignore[arg-type]
    rig.payout(1, rig.user(1))
    return rig


@pytest.fixture
def other(store: Store, store_url: str) -> Iterator[Store]:
    """The same database, as another process has it."""
    opened = open_store(store_url)
    yield opened
    opened.close()


def freeze(store: Store) -> None:
    registry.set_freeze(store, FreezeRow(address(1), TOKEN, b"\1" * 32, NOW_MS // 1000 + 10**8))


def block(store: Store) -> None:
    blocking.block_payout(store, transaction_id(1), reference="case", actor="x", at_ms=NOW_MS)


def gather(rig: Rig, store: Store) -> object:
    with store.transaction():
        return rig.desk.gatherer.close(store, TOKEN, NOW, NOW)


def late(wait: Future[object]) -> bool:
    """Whether it still waits for the other one's commit."""
    with pytest.raises(TimeoutError):
        wait.result(WAITS_S)
    return True


@pytest.mark.parametrize("stop", [freeze, block])
def test_what_stops_a_payout_before_the_file_keeps_it_out(
    rig: Rig, store: Store, other: Store, stop: Callable[[Store], None]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with other.transaction():
            stop(other)
            gathering = pool.submit(gather, rig, store)
            assert late(gathering)
        assert gathering.result(10) is None
    assert ach.wanted(store, TOKEN, 9, NOW_MS // 1000) == []
    found = ach.entry(store, f"ach:{transaction_id(1)}")
    assert found is not None
    assert (found.stage, found.file_name) == ("wanted", None)


@pytest.mark.parametrize("stop", [freeze, block])
def test_what_stops_a_payout_after_the_file_sees_that_it_is_in_it(
    rig: Rig, store: Store, other: Store, stop: Callable[[Store], None]
) -> None:
    gathered = threading.Event()

    def stopped() -> str | None:
        assert gathered.wait(10)
        with other.transaction():
            try:
                stop(other)
            except Conflict as error:
                return error.code
            return None

    with ThreadPoolExecutor(1) as pool:
        with store.transaction():
            assert rig.desk.gatherer.close(store, TOKEN, NOW, NOW) is not None
            stopping = pool.submit(stopped)
            gathered.set()
            assert late(stopping)
        # A freeze is an order all the same; dollars that are on their way to the bank are not blocked any more.
        assert stopping.result(10) == ("too_late_to_block" if stop is block else None)
    found = ach.entry(store, f"ach:{transaction_id(1)}")
    assert found is not None
    assert found.stage == "in_file"
