"""What must hold of payments once they have ended, whatever happened meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sdt.domain.message import read_message
from sdt.store import Store, events, ledger


def balances_after(before: Mapping[str, int], messages: Iterable[bytes]) -> dict[str, int]:
    """Return what each account must hold once each of these payments has moved its money exactly once."""
    after = dict(before)
    for raw in messages:
        message = read_message(raw).message
        after[message.payer] -= int(message.amount)
        after[message.payee] += int(message.amount)
    return after


def check_books(store: Store) -> None:
    """The ledger adds up, the event log is whole, and no payment was posted twice."""
    assert ledger.discrepancies(store) == []
    assert events.verify_seals(store) > 0
    (doubled,) = store.row(
        "SELECT count(*) FROM (SELECT transaction_id FROM postings JOIN transactions t ON t.id = transaction_id "
        "WHERE t.type = 'transfer' GROUP BY transaction_id HAVING count(*) <> 1) AS doubled"
    )
    assert doubled == 0, "a payment was posted twice"
