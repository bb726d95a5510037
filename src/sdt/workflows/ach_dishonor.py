"""A return that came late or wrong goes back to its bank: by a custodian, and a second officer who agrees.

The dishonored return goes into the next file. It is judged again when that file is closed: what has become too late,
or was dishonored by our bank meanwhile, is not sent.
Source: Nacha Operating Rules, Article Three (dishonor of return entries), Appendix Four (R61 to R70).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from msgspec import Meta

from sdt.domain.ach import dishonor
from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.claims import Reason
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.office import Act
from sdt.domain.registry import Role
from sdt.store import Store, ach, bank_facts, banking, dishonors, ledger, outbox, transactions
from sdt.store.ach import AchEntryRow
from sdt.store.ach_files import RecordRow
from sdt.store.banking import BankEntryRow
from sdt.store.dishonors import DishonorRow
from sdt.workflows import adjusting, payouts
from sdt.workflows.ach_reversal import bank_day, of_entry
from sdt.workflows.office import Acting, Entry

__all__ = ["ENTRIES", "DishonorReturn", "disputed", "fault_of"]


_ON_THE_WAY: Final = (EntryStatus.CREATED, EntryStatus.UNKNOWN, EntryStatus.FILED, EntryStatus.ACKNOWLEDGED)
CONTESTED_WITHIN_BANKING_DAYS: Final = 2
"""Source: Nacha Operating Rules, Article Three (contested dishonored returns)."""


class DishonorReturn(Act, frozen=True, tag="dishonor_return"):
    """Send back the return of an entry, named by the entry's trace number: `code` says what is wrong with the return.

    `fields` are the numbers of the fields that are wrong, for R69 alone.
    """

    trace: Annotated[str, Meta(pattern=r"^[0-9]{15}\Z")]
    code: dishonor.Reason
    reason: Reason
    fields: Annotated[tuple[Annotated[str, Meta(pattern=r"^[0-9]{2}\Z")], ...], Meta(max_length=7)] = ()

    @property
    def subject(self) -> str:
        """The entry."""
        return f"ach:{self.trace}"


def disputed(store: Store, token: str, transaction_id: str, today: date) -> bool:
    """Return whether a dishonored return of a transaction's entries is under way, or may still be contested.

    Dollars that it brought, or that it takes, are nobody's to dispose of before that.
    """
    awaited = ledger.account_balance(store, f"DueFromBank:{token}:{transaction_id}")
    return awaited.debits != awaited.credits or any(
        _undecided(store, entry, today) for entry in banking.entries_of(store, [transaction_id])
    )


def _undecided(store: Store, entry: BankEntryRow, today: date) -> bool:
    if entry.status not in (EntryStatus.RETURNED, EntryStatus.DISHONORED):
        return False
    # The dishonor of a duplicate (R67) moves nothing that is in the books.
    ours = [one for one in dishonors.of_entry(store, entry.id) if one.stage != "refused" and one.reason != "R67"]
    under_way = [one for one in ours if one.status not in (EntryStatus.REFUSED, EntryStatus.WINDOW_PASSED)]
    if under_way or entry.status == EntryStatus.RETURNED:
        return bool(under_way)
    on = bank_facts.day_of(store, entry.id, EntryEvent.DISHONOR.value)
    # Where our bank sent it back by itself there is no entry of ours to follow: the calendar alone says when.
    return not ours and on is not None and today <= add_banking_days(on, CONTESTED_WITHIN_BANKING_DAYS)


def fault_of(store: Store, row: DishonorRow, today: date) -> str:
    """Say what is against sending a return back on a day, or nothing."""
    original = ach.entry(store, row.entry_id)
    assert original is not None, "a return is of an entry"
    if ach.standing(store, [original])[original.id] is not EntryStatus.RETURNED:
        return "the entry does not stand as returned any more"
    answered = next(one for one in dishonors.returns_of(store, row.entry_id) if one.record == row.record)
    fields = tuple(row.fields.split("*")) if row.fields else ()
    return _against(store, original, answered, row.reason, fields, today)


def _against(
    store: Store, original: AchEntryRow, answered: RecordRow, reason: str, fields: tuple[str, ...], today: date
) -> str:
    returned = dishonor.Returned(
        code=answered.code,
        entry_settled_on=date.fromisoformat(original.settled_on) if original.settled_on else None,
        settled_on=date.fromisoformat(answered.day),
        returns=len(dishonors.returns_of(store, original.id)),
    )
    return dishonor.fault_of_dishonor(reason, fields, returned, today)  # type: ignore[arg-type]


def _checked(acting: Acting, act: DishonorReturn) -> tuple[AchEntryRow, RecordRow, int]:
    """Return the entry, the return that goes back, and how many tries came before.

    Errors: NotFound; Forbidden for another token's custodian; Conflict for what is no returned debit or was dishonored;
    Unprocessable for what the rules forbid.
    """
    store = acting.store
    row = ach.by_trace(store, act.trace)
    if row is None or row.purpose != "payment":
        raise NotFound("No payment has this trace number.", code="ach_entry_unknown")
    acting.check_token(row.token)
    before = dishonors.of_entry(store, row.id)
    if any(one.stage != "refused" and one.status != EntryStatus.REFUSED for one in before):
        raise Conflict("A return of this entry was sent back already.", code="ach_dishonored_already")
    returns = dishonors.returns_of(store, row.id)
    if not returns or ach.standing(store, [row])[row.id] is not EntryStatus.RETURNED:
        raise Conflict("This is nothing that a file of returns brought back.", code="ach_not_dishonorable")
    # The dishonor of a duplicate (R67) takes nothing that its owner was given back.
    if row.is_credit and act.code != "R67" and not _still_here(store, row):
        raise Conflict("What came back was minted or paid to its owner again.", code="ach_not_dishonorable")
    # Of two returns the first one was booked: a duplicate is the one that came last.
    answered = returns[-1] if act.code == "R67" else returns[0]
    if fault := _against(store, row, answered, act.code, act.fields, bank_day(acting)):
        raise Unprocessable(f"{fault[0].upper()}{fault[1:]}.", code="ach_dishonor_refused")
    return row, answered, len(before)


def _still_here(store: Store, row: AchEntryRow) -> bool:
    """Return whether all that a payout brought back is still with us, and neither a mint nor a credit is on its way.

    What is paid out of suspense is owed until it settles. Whoever carries it out writes the entry before it is done
    with the instruction, so that one of the two is seen.
    """
    if outbox.is_open(store, "instruct", f"ach:{row.reference}:"):
        return False
    of = banking.entries_of(store, [row.reference])
    if any(one.direction == "credit" and one.id != row.id and EntryStatus(one.status) in _ON_THE_WAY for one in of):
        return False
    kept = payouts.suspended(store, row.token, row.reference).suspense
    return not adjusting.live_for(store, row.reference) and (
        payouts.due(store, row.token, row.reference) + kept >= row.units
    )


def _judged(acting: Acting, act: DishonorReturn) -> bool:
    """Refuse what could never be carried out, before it waits for anybody."""
    _checked(acting, act)
    return True


def _dishonor(acting: Acting, act: DishonorReturn) -> Mapping[str, Any]:
    row, answered, before = _checked(acting, act)
    wanted = row.anew(
        id=f"dishonor:{before + 1}:{row.id}",
        purpose="dishonor",
        same_day=False,
        created_at_ms=acting.now_ms,
        return_code=act.code,
    )
    fresh = ach.want(acting.store, wanted)
    assert fresh, "a dishonor is numbered anew"
    if row.is_credit and act.code != "R67":
        # From here on nobody is given what the bank is to pay again.
        of = transactions.get_many(acting.store, [row.reference], lock=True)[row.reference]
        payouts.suspend(acting.store, of, "dishonor", bank_day(acting), acting.now_ms, key=wanted.id)
    dishonors.add(acting.store, DishonorRow(wanted.id, row.id, answered.record, act.code, "*".join(act.fields)))
    last = dishonor.last_day(date.fromisoformat(answered.day))
    return {"entry": row.id, "dishonor": wanted.id, "amount": str(row.units), "file_by": last.isoformat()}


ENTRIES: Final = (
    Entry(
        DishonorReturn,
        Role.CUSTODIAN,
        _dishonor,
        _judged,
        seconds=Role.CUSTODIAN | Role.APPROVER,
        concerns=of_entry,
    ),
)
"""Another bank's money is asked for, so it takes two."""
