"""What each fact about a bank entry does: to the entry, to the books, and to the transaction it was made for.

Whoever learns a fact (an answer of the bank, a line of a return file) tells it here, once or again: a fact that is
known changes nothing, one that does not fit is shown to an officer and changes nothing either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from sdt.domain.ach.entry_life import EntryEvent, EntryStatus, follow
from sdt.domain.ledger import Posting, deposit_filed, deposit_returned, deposit_settled, payout_paid
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.store import Store, banking, cases, ledger, transactions
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change

__all__ = ["ACTOR", "apply"]

ACTOR: Final = "worker:bank_entries"


@dataclass(frozen=True, slots=True)
class _Fact:
    """One thing that happened to an entry, as its entry stood before. Units: at_ms in unix milliseconds."""

    entry: BankEntryRow
    event: EntryEvent
    code: str | None
    on: date
    at_ms: int

    @property
    def settled(self) -> bool:
        """Whether its money had moved before this."""
        return EntryStatus(self.entry.status) in (EntryStatus.SETTLED, EntryStatus.WINDOW_PASSED)


def apply(
    store: Store,
    region: Region,
    entry: BankEntryRow,
    event: EntryEvent,
    *,
    code: str | None,
    on: date,
    at_ms: int,
) -> None:
    """Follow what happened to a bank entry, in one database transaction.

    `entry` names it; how it stands is read anew. `on` is the banking day of the fact.
    """
    with store.transaction():
        standing = banking.entry(store, entry.id, lock=True)
        assert standing is not None, f"there is no entry {entry.id}"
        fact = _Fact(standing, event, code, on, at_ms)
        following = follow(EntryStatus(standing.status), event)
        if following is None:
            if not _known(fact):
                _open_case(store, fact, "ach_unmatched")
            return
        banking.update_entry(store, standing.id, status=following.value, code=code, at_ms=at_ms)
        if standing.status == EntryStatus.UNKNOWN and event in (EntryEvent.SETTLE, EntryEvent.RETURN):
            # It was in the bank's hands all along.
            _EFFECTS.get((standing.direction, EntryEvent.FILE), _nothing)(store, region, fact)
        _EFFECTS.get((standing.direction, event), _nothing)(store, region, fact)


def _known(fact: _Fact) -> bool:
    """Whether this was told before. A second return of one entry never was: each takes money."""
    reached = {
        EntryEvent.FILE: frozenset(EntryStatus) - {EntryStatus.CREATED, EntryStatus.UNKNOWN, EntryStatus.REFUSED},
        EntryEvent.ACKNOWLEDGE: _SETTLED | {EntryStatus.ACKNOWLEDGED},
        EntryEvent.SETTLE: _SETTLED,
        EntryEvent.OUTLAST: _SETTLED - {EntryStatus.SETTLED},
        EntryEvent.REFUSE: frozenset({EntryStatus.REFUSED}),
    }
    return EntryStatus(fact.entry.status) in reached.get(fact.event, frozenset())


_SETTLED: Final = frozenset(
    {
        EntryStatus.SETTLED,
        EntryStatus.WINDOW_PASSED,
        EntryStatus.RETURNED,
        EntryStatus.DISHONORED,
        EntryStatus.CONTESTED,
        EntryStatus.REVERSED,
    }
)


def _nothing(store: Store, region: Region, fact: _Fact) -> None:
    """A fact that moves no money."""


def _debit_filed(store: Store, region: Region, fact: _Fact) -> None:
    entry = fact.entry
    _post(store, fact, deposit_filed(entry.token, entry.transaction_id, entry.units))


def _debit_settled(store: Store, region: Region, fact: _Fact) -> None:
    _post(store, fact, deposit_settled(fact.entry.token, fact.entry.units))


def _debit_returned(store: Store, region: Region, fact: _Fact) -> None:
    """A debit that came back before it was minted ends here; a later return is an officer's case."""
    entry = fact.entry
    row = transactions.get(store, entry.transaction_id)
    assert row is not None, "an entry names its transaction"
    minting = any(t.type == "issue" and t.status is not Status.REJECTED for t in transactions.linked_to(store, row.id))
    if row.status is not Status.AWAITING_FUNDS or minting:
        _open_case(store, fact, "receivable")
        return
    _post(store, fact, deposit_returned(entry.token, row.id, entry.units, settled=fact.settled))
    detail = f"The bank returned the debit: {fact.code}."
    _move(store, fact, Change(row.id, Event.RETURN, code=fact.code, detail=detail))


def _debit_refused(store: Store, region: Region, fact: _Fact) -> None:
    """The bank did not take the debit: nothing moved, and the deposit ends."""
    entry = fact.entry
    if EntryStatus(entry.status) in (EntryStatus.FILED, EntryStatus.ACKNOWLEDGED):
        _post(store, fact, deposit_returned(entry.token, entry.transaction_id, entry.units, settled=False))
    row = transactions.get(store, entry.transaction_id)
    if row is not None and row.status is Status.AWAITING_FUNDS:
        _move(store, fact, Change(row.id, Event.REJECT, code="bank_refused", detail="The bank did not take the debit."))


def _credit_settled(store: Store, region: Region, fact: _Fact) -> None:
    _post(store, fact, payout_paid(fact.entry.token, fact.entry.transaction_id, fact.entry.units))
    row = transactions.get(store, fact.entry.transaction_id)
    if row is not None and row.status is Status.SETTLED:
        _move(store, fact, Change(row.id, Event.COMPLETE))


def _credit_returned(store: Store, region: Region, fact: _Fact) -> None:
    _open_case(store, fact, "payout_suspense")


def _post(store: Store, fact: _Fact, postings: list[Posting]) -> None:
    ledger.post(store, [(fact.entry.transaction_id, p) for p in postings], release=[], at_ms=fact.at_ms)


def _move(store: Store, fact: _Fact, *changes: Change) -> None:
    transactions.move(store, changes, actor=ACTOR, at_ms=fact.at_ms)


def _open_case(store: Store, fact: _Fact, kind: str) -> None:
    entry = fact.entry
    row = transactions.get(store, entry.transaction_id)
    cases.open_case(
        store,
        kind=kind,
        key=f"{entry.id}:{fact.event}",
        facts={
            "entry": entry.id,
            "stood": entry.status,
            "event": fact.event.value,
            "code": fact.code,
            "token": entry.token,
            "units": entry.units,
        },
        detected_on=fact.on,
        actor=ACTOR,
        at_ms=fact.at_ms,
        account=row.account if row else None,
        transaction_id=entry.transaction_id,
    )


_EFFECTS: Final[dict[tuple[str, EntryEvent], Callable[[Store, Region, _Fact], None]]] = {
    ("debit", EntryEvent.FILE): _debit_filed,
    ("debit", EntryEvent.FIND): _debit_filed,
    ("debit", EntryEvent.SETTLE): _debit_settled,
    ("debit", EntryEvent.RETURN): _debit_returned,
    ("debit", EntryEvent.REFUSE): _debit_refused,
    ("credit", EntryEvent.SETTLE): _credit_settled,
    ("credit", EntryEvent.RETURN): _credit_returned,
    ("credit", EntryEvent.REFUSE): _credit_returned,
}
"""What moves money. The other facts only say where an entry stands."""
