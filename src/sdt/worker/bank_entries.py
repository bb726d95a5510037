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
from sdt.domain.claims import day_of
from sdt.domain.ledger import (
    Posting,
    deposit_filed,
    deposit_returned,
    deposit_settled,
    dishonored_awaited,
    dishonored_settled,
    dishonored_surplus,
    payout_paid,
    payout_returned,
    returned_late,
    surplus_taken_back,
)
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.store import Store, ach, bank_facts, banking, blocked, cases, ledger, reserve_moves, transactions
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change, TransactionRow
from sdt.workflows import adjusting, blocking, debts, payouts
from sdt.workflows.ach_reversal import is_taken_back

__all__ = ["ACTOR", "UNASKED", "apply", "dishonor_arrived", "dishonor_taken", "reversal_came_back", "reversal_failed"]

ACTOR: Final = "worker:bank_entries"
UNASKED: Final = {"bank_account_closed": "debits_stopped", "bank_account_unverified": "not_verified"}
"""The code of a debit that no bank was asked for, by why its deposit may not debit the account any more."""
_UNASKED_BECAUSE: Final = {
    "debits_stopped": ("bank_account_closed", "This bank account takes no debits: its bank returned one."),
    "not_verified": ("bank_account_unverified", "This bank account must be verified before it is debited."),
}


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
        bank_facts.note(store, standing.id, event.value, code, on, at_ms)
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
    if blocked.get(store, fact.entry.transaction_id) is not None:
        blocking.funds_settled(store, _transaction(store, fact), fact.at_ms)


def _debit_outlasted(store: Store, region: Region, fact: _Fact) -> None:
    """The ordinary window is over: fund, then mint. What is blocked, or being reversed, goes nowhere."""
    row = _transaction(store, fact)
    if row.status is Status.AWAITING_FUNDS and not is_taken_back(store, fact.entry.id):
        reserve_moves.want(store, row.id, "in", fact.entry.token, fact.entry.units, "deposit", fact.at_ms)


def _debit_returned(store: Store, region: Region, fact: _Fact) -> None:
    """A debit came back (or we reversed it). Before its mint the deposit just ends; after it somebody owes it."""
    row = _transaction(store, fact)
    code = fact.code or fact.event.value
    if blocked.get(store, row.id) is not None and fact.settled:
        # The bank took back what the law has blocked: nobody may release it, so it is owed and an officer's.
        debts.receive(store, row, code, fact.at_ms)
        _open_case(store, fact, "receivable")
    elif row.status in (Status.SETTLED, Status.COMPLETED):
        debts.receive(store, row, code, fact.at_ms)
        debts.came_back(store, row, code, fact.on, fact.at_ms)
    elif debts.mints_on_the_way(store, row.id):
        # The chain may still mint: what that comes to is followed up when the batch is final.
        debts.receive(store, row, code, fact.at_ms)
    elif row.status in (Status.AWAITING_FUNDS, Status.IN_REVIEW):
        blocked.unblock(store, row.id, fact.at_ms)
        debts.stop_waiting_mint(store, row.id, fact.at_ms)
        _post(store, fact, deposit_returned(fact.entry.token, row.id, fact.entry.units, settled=fact.settled))
        debts.end_unminted(store, row, code, fact.at_ms)
    else:
        _open_case(store, fact, "ach_unmatched")


def _return_dishonored(store: Store, region: Region, fact: _Fact) -> None:
    """Our bank sent the return back: the dollars are here again, for the debt or, if that is paid, for an officer."""
    token, deposit = fact.entry.token, fact.entry.transaction_id
    debt = debts.owed(store, token, deposit)
    if debt:
        debts.repaid(store, token, deposit, debt, fact.at_ms)
    surplus = fact.entry.units - debt
    if surplus:
        _post(store, fact, dishonored_surplus(token, deposit, surplus))
        _open_case(store, fact, "ach_return")


def dishonor_taken(store: Store, region: Region, entry: BankEntryRow, *, code: str, on: date, at_ms: int) -> None:
    """Follow that the bank took the return of an entry back from us: it owes the dollars now, the depositor does not.

    In one database transaction. An entry that is not returned any more is a case, and nothing is owed.
    """
    with store.transaction():
        standing = banking.entry(store, entry.id, lock=True)
        assert standing is not None, f"there is no entry {entry.id}"
        apply(store, region, standing, EntryEvent.DISHONOR, code=code, on=on, at_ms=at_ms)
        if standing.status == EntryStatus.RETURNED:
            of_credit = standing.direction == "credit"
            awaited = dishonored_awaited(standing.token, standing.transaction_id, standing.units, of_credit=of_credit)
            ledger.post(store, [(standing.transaction_id, p) for p in awaited], release=[], at_ms=at_ms)


def dishonor_arrived(store: Store, entry: BankEntryRow, *, at_ms: int) -> None:
    """Book that the dollars of a dishonored return moved, once; none are awaited where the bank made it."""
    token, deposit = entry.token, entry.transaction_id
    with store.transaction():
        awaited = ledger.account_balance(store, f"DueFromBank:{token}:{deposit}")
        if units := awaited.debits - awaited.credits:
            here = dishonored_settled(token, deposit, abs(units), of_credit=units < 0)
            ledger.post(store, [(deposit, p) for p in here], release=[], at_ms=at_ms)


def _return_contested(store: Store, region: Region, fact: _Fact) -> None:
    """The other bank insists: the dollars are gone again, first those that an officer had not disposed of."""
    # They came before they went, whatever the calendar has told so far.
    dishonor_arrived(store, fact.entry, at_ms=fact.at_ms)
    row = _transaction(store, fact)
    if _gone_again(store, fact):
        debts.owes_again(store, row, fact.code, fact.at_ms)
    _open_case(store, fact, "ach_return")


def _gone_again(store: Store, fact: _Fact) -> int:
    """Book dollars that left once more, first those in suspense; return what is owed for the others."""
    token, of = fact.entry.token, fact.entry.transaction_id
    kept = ledger.account_balance(store, f"Suspense:{token}:{of}")
    surplus = min(kept.credits - kept.debits, fact.entry.units)
    if surplus:
        _post(store, fact, surplus_taken_back(token, of, surplus))
    if fact.entry.units > surplus:
        _post(store, fact, returned_late(token, of, fact.entry.units - surplus))
    return fact.entry.units - surplus


def _debit_refused(store: Store, region: Region, fact: _Fact) -> None:
    """The bank did not take the debit, or was not asked: nothing moved, and the deposit ends."""
    entry = fact.entry
    if EntryStatus(entry.status) in (EntryStatus.FILED, EntryStatus.ACKNOWLEDGED):
        _post(store, fact, deposit_returned(entry.token, entry.transaction_id, entry.units, settled=False))
    row = transactions.get(store, entry.transaction_id)
    if row is not None and row.status in (Status.AWAITING_FUNDS, Status.IN_REVIEW):
        blocked.unblock(store, row.id, fact.at_ms)
        code, detail = _UNASKED_BECAUSE.get(fact.code or "", ("bank_refused", "The bank did not take the debit."))
        _move(store, fact, Change(row.id, Event.REJECT, code=code, detail=detail))


def _credit_settled(store: Store, region: Region, fact: _Fact) -> None:
    _post(store, fact, payout_paid(fact.entry.token, fact.entry.transaction_id, fact.entry.units))
    row = transactions.get(store, fact.entry.transaction_id)
    if row is not None and row.status is Status.SETTLED:
        _move(store, fact, Change(row.id, Event.COMPLETE))


def _credit_returned(store: Store, region: Region, fact: _Fact) -> None:
    """A payout came back: what is owed stands in Payout again."""
    if fact.settled:
        _post(store, fact, payout_returned(fact.entry.token, fact.entry.transaction_id, fact.entry.units))
    code = fact.event.value if fact.event is EntryEvent.REVERSE else fact.code
    row = _transaction(store, fact)
    gone = payouts.due(store, fact.entry.token, row.id) < fact.entry.units
    if row.type == "deposit" or gone:
        # It was paid out of a deposit's suspense, and nothing is minted for that; or its dollars are not owed any more.
        payouts.suspend(store, row, "returned", fact.on, fact.at_ms, key=fact.entry.id)
    else:
        payouts.came_back(store, region, row, code, fact.on, fact.at_ms)


def reversal_came_back(
    store: Store, region: Region, entry: BankEntryRow, *, code: str | None, on: date, at_ms: int
) -> None:
    """The other bank sent our reversal of an entry back, or never kept it: what had been taken back is not.

    The entry stays reversed. Its dollars are here again for the debt, or gone again, and an officer has the case.
    """
    with store.transaction():
        standing = banking.entry(store, entry.id, lock=True)
        assert standing is not None, f"there is no entry {entry.id}"
        fact = _Fact(standing, EntryEvent.RETURN, code, on, at_ms)
        if EntryStatus(standing.status) is not EntryStatus.REVERSED:
            _open_case(store, fact, "ach_unmatched")
        elif standing.direction == "debit":
            _return_dishonored(store, region, fact)
        else:
            _gone_again(store, fact)
            _open_case(store, fact, "ach_return")


def reversal_failed(store: Store, entry: BankEntryRow, *, on: date, at_ms: int) -> None:
    """Follow that a reversal came to nothing before it took anything: what passed its window goes on to its mint."""
    with store.transaction():
        standing = banking.entry(store, entry.id, lock=True)
        assert standing is not None, f"there is no entry {entry.id}"
        if standing.direction != "debit" or EntryStatus(standing.status) is not EntryStatus.WINDOW_PASSED:
            return
        row = _transaction(store, _Fact(standing, EntryEvent.OUTLAST, None, on, at_ms))
        asked = [move for move in reserve_moves.of_transaction(store, row.id) if move.direction == "in"]
        there = reserve_moves.stands_ahead(store, row.id) or any(move.done_at_ms is None for move in asked)
        if row.status is Status.AWAITING_FUNDS and not there:
            # A reason of its own: a transfer that crossed the order was made, and went back.
            reason = f"unreversed-{len(asked) + 1}"
            reserve_moves.want(store, row.id, "in", standing.token, standing.units, reason, at_ms)


def _credit_dishonored(store: Store, region: Region, fact: _Fact) -> None:
    """Our bank sent the return of a payout back: the dollars left again, and must not be minted as well."""
    row = _transaction(store, fact)
    if not adjusting.live_for(store, row.id):
        payouts.suspend(store, row, "dishonored", fact.on, fact.at_ms)
    _gone_again(store, fact)
    for other in banking.entries_of(store, [row.id]):
        # What had come back was to be paid again, and is in no file yet: it is paid already.
        if other.status == EntryStatus.CREATED and ach.refuse(store, other.id):
            apply(store, region, other, EntryEvent.REFUSE, code="not_filed", on=fact.on, at_ms=fact.at_ms)
    _open_case(store, fact, "ach_return")


def _credit_contested(store: Store, region: Region, fact: _Fact) -> None:
    """The other bank insists on its return of a payout: the dollars are here again, for an officer to dispose of."""
    # They went before they came, whatever the calendar has told so far.
    dishonor_arrived(store, fact.entry, at_ms=fact.at_ms)
    _return_dishonored(store, region, fact)


def _transaction(store: Store, fact: _Fact) -> TransactionRow:
    """Return what the entry was made for, which nobody else moves until the commit."""
    found = transactions.get_many(store, [fact.entry.transaction_id], lock=True)
    assert fact.entry.transaction_id in found, "an entry names its transaction"
    return found[fact.entry.transaction_id]


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
            "bank_day": fact.on.isoformat(),
        },
        detected_on=day_of(fact.at_ms),
        actor=ACTOR,
        at_ms=fact.at_ms,
        account=row.account if row else None,
        transaction_id=entry.transaction_id,
    )


_EFFECTS: Final[dict[tuple[str, EntryEvent], Callable[[Store, Region, _Fact], None]]] = {
    ("debit", EntryEvent.FILE): _debit_filed,
    ("debit", EntryEvent.FIND): _debit_filed,
    ("debit", EntryEvent.SETTLE): _debit_settled,
    ("debit", EntryEvent.OUTLAST): _debit_outlasted,
    ("debit", EntryEvent.RETURN): _debit_returned,
    ("debit", EntryEvent.REVERSE): _debit_returned,
    ("debit", EntryEvent.DISHONOR): _return_dishonored,
    ("debit", EntryEvent.CONTEST): _return_contested,
    ("debit", EntryEvent.REFUSE): _debit_refused,
    ("credit", EntryEvent.SETTLE): _credit_settled,
    ("credit", EntryEvent.RETURN): _credit_returned,
    ("credit", EntryEvent.REVERSE): _credit_returned,
    ("credit", EntryEvent.REFUSE): _credit_returned,
    ("credit", EntryEvent.DISHONOR): _credit_dishonored,
    ("credit", EntryEvent.CONTEST): _credit_contested,
}
"""What moves money. The other facts only say where an entry stands."""
