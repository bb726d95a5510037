"""Currency that was counted for a deposit before screening was done with it: in the books from then on, into the
reserve once the deposit goes on, and an officer's to give back once it ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sdt.domain.claims import day_of
from sdt.domain.ledger import currency_unused
from sdt.domain.transaction import Event
from sdt.store import Store, banking, cases, ledger, reserve_moves
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change, TransactionRow

__all__ = ["ENTRY", "counted_for", "follow"]

ENTRY: Final = "currency:"
"""How the entries of what was counted are named: by the bank's own number of it."""
_ENDED: Final = (Event.REJECT, Event.EXPIRE)


def counted_for(store: Store, deposits: Collection[str]) -> dict[str, BankEntryRow]:
    """Return what was counted for these deposits."""
    found = banking.entries_of(store, list(deposits)) if deposits else []
    return {entry.transaction_id: entry for entry in found if entry.id.startswith(ENTRY)}


def follow(
    store: Store, rows: Mapping[str, TransactionRow], changes: Sequence[Change], *, actor: str, at_ms: int
) -> None:
    """Follow changes that were made of transactions, in their database transaction, where currency was counted."""
    events = {one.id: one.event for one in changes if one.id in rows and rows[one.id].type == "deposit"}
    for id, entry in counted_for(store, events).items():
        if events[id] is Event.AWAIT_FUNDS:
            reserve_moves.want(store, id, "in", entry.token, entry.units, "deposit", at_ms)
        elif events[id] in _ENDED:
            _keep_apart(store, rows[id], entry, actor, at_ms)


def _keep_apart(store: Store, deposit: TransactionRow, entry: BankEntryRow, actor: str, at_ms: int) -> None:
    postings = currency_unused(entry.token, deposit.id, entry.units)
    ledger.post(store, [(deposit.id, p) for p in postings], release=[], at_ms=at_ms)
    reserve_moves.cancel(store, deposit.id, "in", at_ms)
    if reserve_moves.stands_ahead(store, deposit.id):
        reserve_moves.want(store, deposit.id, "out", entry.token, entry.units, "returned", at_ms)
    cases.open_case(
        store,
        kind="ach_unmatched",
        key=f"{entry.id}:ended",
        facts={"token": entry.token, "units": entry.units, "counted": entry.external_id},
        detected_on=day_of(at_ms),
        actor=actor,
        at_ms=at_ms,
        account=deposit.account,
        transaction_id=deposit.id,
    )
