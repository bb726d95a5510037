"""Of the key changes of one account one is on its way at a time, however many come at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from sdt.domain.registry import NEVER_S, Role
from sdt.domain.transaction import Event
from sdt.store import Store, batches, open_store, registry, transactions
from sdt.store.intake import AcceptedRow, insert_accepted
from sdt.store.registry import KeyRow
from sdt.store.transactions import Change
from store_rig import NOW_MS, accepted, address, formed, transaction_id

AT_ONCE = 8


def rotation(n: int, account: int = 1) -> AcceptedRow:
    return accepted(n, payer=account, type="rotate_key", administrative=True)


def store_each(store: Store, *rows: AcceptedRow) -> list[str]:
    return [stored.outcome for stored in insert_accepted(store, rows)]


def test_the_second_waits_until_the_first_is_over(store: Store) -> None:
    # given one that came in, and others of the same account, of another, and a payment
    assert store_each(store, rotation(1), rotation(2), rotation(3, account=7), accepted(4)) == [
        "new", "waits", "new", "new",
    ]  # fmt: skip
    # then what waits is not stored, and what came in is answered as ever
    assert transactions.get(store, transaction_id(2)) is None
    assert store_each(store, rotation(2), rotation(1), rotation(1)._replace(digest=b"other")) == [
        "waits", "same", "conflict",
    ]  # fmt: skip
    # and so it stays until that is final on chain
    transactions.move(store, [Change(transaction_id(1), Event.SCREEN)], actor="screening", at_ms=NOW_MS)
    assert store_each(store, rotation(2)) == ["waits"]
    batches.form(store, replace(formed(1), kind="admin"))
    transactions.place_in_batch(store, [transaction_id(1)], 1, actor="lane", at_ms=NOW_MS)
    assert store_each(store, rotation(2)) == ["waits"]
    sent = {"gas": 1, "chain_tx_hash": bytes(32), "raw_tx": b"raw", "signed_at_ms": NOW_MS}
    batches.mark_signed(store, 1, root=bytes(32), head=bytes(32), **sent)  # type: ignore[arg-type]
    assert store_each(store, rotation(2)) == ["waits"]
    batches.mark_final(store, 1, block_number=9, block_hash=bytes(32), skipped_count=0, final_at_ms=NOW_MS)
    assert store_each(store, rotation(2), rotation(5)) == ["new", "waits"]


@pytest.mark.parametrize("end", [Event.REJECT, Event.EXPIRE, Event.CANCEL])
def test_one_that_ended_frees_the_next(store: Store, end: Event) -> None:
    assert store_each(store, rotation(1)) == ["new"]
    transactions.move(store, [Change(transaction_id(1), end)], actor="screening", at_ms=NOW_MS)
    assert store_each(store, rotation(2)) == ["new"]
    # The first, sent again, is the first still.
    assert insert_accepted(store, [rotation(1)])[0].outcome == "same"


def test_of_many_at_once_one_comes_in(store_url: str) -> None:
    stores = [open_store(store_url) for _ in range(AT_ONCE)]
    registry.upsert_key(
        stores[0], KeyRow("k" * 43, bytes(32), address(1), int(Role.CLIENT), 0, "active", NEVER_S, None)
    )
    together = Barrier(AT_ONCE)

    def one(n: int) -> str:
        together.wait(10)
        return insert_accepted(stores[n], [rotation(n + 1)])[0].outcome

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert sorted(pool.map(one, range(AT_ONCE))) == ["new"] + ["waits"] * (AT_ONCE - 1)
    finally:
        for each in stores:
            each.close()
