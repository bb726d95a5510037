"""What one account has on its way is counted wherever it came in, until it is final."""

from __future__ import annotations

import pytest

from sdt.api import backlog as backlog_module
from sdt.api.backlog import Backlog
from sdt.domain.errors import RateLimited
from sdt.store import Store, batches, transactions
from sdt.store.intake import insert_accepted, waiting_of_accounts
from store_rig import NOW_MS, accepted, address, formed, screened, transaction_id

MOST = 4


def test_it_is_on_its_way_until_its_batch_is_final(store: Store) -> None:
    screened(store, *(accepted(n) for n in (1, 2)))
    insert_accepted(store, [accepted(3), accepted(4, payer=7)])
    assert waiting_of_accounts(store, 1) == {address(1): 3, address(7): 1}
    batches.form(store, formed(1, count=2))
    transactions.place_in_batch(store, [transaction_id(1), transaction_id(2)], 1, actor="lane", at_ms=NOW_MS)
    assert waiting_of_accounts(store, 2) == {address(1): 3}
    sent = {"gas": 1, "chain_tx_hash": bytes(32), "raw_tx": b"raw", "signed_at_ms": NOW_MS}
    batches.mark_signed(store, 1, root=bytes(32), head=bytes(32), **sent)  # type: ignore[arg-type]
    assert waiting_of_accounts(store, 1) == {address(1): 3, address(7): 1}
    batches.mark_final(store, 1, block_number=9, block_hash=bytes(32), skipped_count=0, final_at_ms=NOW_MS)
    assert waiting_of_accounts(store, 1) == {address(1): 1, address(7): 1}


async def test_what_came_in_elsewhere_counts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "ACCOUNTS_LOOK_S", 0.0)
    backlog = Backlog(store, 100, MOST)
    # Three came in by another process, which this one has seen; the fourth came in here.
    insert_accepted(store, [accepted(n) for n in range(3)])
    await backlog.look()
    backlog.check(address(1))
    backlog.add([address(1), None])
    with pytest.raises(RateLimited) as refused:
        backlog.check(address(1))
    assert refused.value.code == "account_backlog"
    backlog.check(address(2))
    backlog.check()
    # Once it is counted, it counts once.
    insert_accepted(store, [accepted(3)])
    await backlog.look()
    assert (backlog.size, backlog._added_of) == (4, {})
    with pytest.raises(RateLimited):
        backlog.check(address(1))
