"""An entry of ours that was a mistake is taken back: by a custodian, and a second officer who agrees.

The reversing entry goes into the next file. An entry that came back, or comes back before that file is closed, is not
reversed: never a return and a reversal. From the order on nothing is minted for it, unless the reversal comes to
nothing.
Source: Nacha Operating Rules, Subsection 2.9 (reversing entries).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta

from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus, follow
from sdt.domain.claims import Reason, day_of
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.office import Act
from sdt.domain.registry import Role
from sdt.store import Store, ach, reserve_moves, transactions
from sdt.store.ach import AchEntryRow
from sdt.workflows import debts
from sdt.workflows.office import Acting, Entry

__all__ = [
    "BANK_DAY",
    "ENTRIES",
    "ReverseEntry",
    "bank_day",
    "bank_today",
    "is_taken_back",
    "may_reverse",
    "of_entry",
    "reversed_id",
    "taken_back",
]

BANK_DAY: Final = "bank-day"
"""The counter in which the worker keeps the bank's present day, as a proleptic ordinal."""
FILED_WITHIN_BANKING_DAYS: Final = 5
DISCOVERED_WITHIN: Final = timedelta(days=1)
_ID: Final = re.compile(r"reversal:(?:[0-9]+:)?", re.ASCII)
_FAILED: Final = (EntryStatus.REFUSED, EntryStatus.RETURNED)
Day = Annotated[str, Meta(pattern=r"^(20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]


class ReverseEntry(Act, frozen=True, tag="reverse_entry"):
    """Take an entry back, named by its trace number, that was found to be wrong on a day."""

    trace: Annotated[str, Meta(pattern=r"^[0-9]{15}\Z")]
    discovered_on: Day
    reason: Reason

    @property
    def subject(self) -> str:
        """The entry."""
        return f"ach:{self.trace}"


def reversed_id(id: str) -> str:
    """Return the entry that a reversing entry takes back."""
    return _ID.sub("", id, count=1)


def _reversals(store: Store, entry_id: str) -> list[AchEntryRow]:
    """Return every reversal of an entry that was ordered, the oldest first."""
    found: list[AchEntryRow] = []
    while (row := ach.entry(store, _numbered(entry_id, len(found) + 1))) is not None:
        found.append(row)
    return found


def _numbered(entry_id: str, nth: int) -> str:
    return f"reversal:{entry_id}" if nth == 1 else f"reversal:{nth}:{entry_id}"


def taken_back(store: Store, entry_ids: Collection[str]) -> set[str]:
    """Return which entries are being reversed, or were: a reversal was ordered that did not come to nothing."""
    taken: set[str] = set()
    left, nth = set(entry_ids), 1
    while left:
        of = {_numbered(one, nth): one for one in left}
        found = ach.entries(store, list(of))
        taken |= {of[id] for id, one in found.items() if one.stage != "refused" and one.status not in _FAILED}
        left, nth = {of[id] for id in found} - taken, nth + 1
    return taken


def is_taken_back(store: Store, entry_id: str) -> bool:
    """Return whether one entry is being reversed, or was."""
    return bool(taken_back(store, [entry_id]))


def may_reverse(store: Store, row: AchEntryRow) -> bool:
    """Return whether an entry's own life allows a reversal now."""
    return follow(ach.standing(store, [row])[row.id], EntryEvent.REVERSE) is not None


def of_entry(acting: Acting, act: Any) -> bool:
    """Return whether the officers' scope covers the entry that an act names by its trace number."""
    row = ach.by_trace(acting.store, act.trace)
    return row is not None and acting.covers(row.token)


def _checked(acting: Acting, act: ReverseEntry) -> AchEntryRow:
    """Return the entry, with its transaction locked.

    Errors: NotFound; Forbidden for another token's custodian; Conflict for one that came back, or is or was taken back,
    or whose mint is on the way; Unprocessable when it is too late.
    """
    row = ach.by_trace(acting.store, act.trace)
    if row is None or row.purpose != "payment":
        raise NotFound("No payment has this trace number.", code="ach_entry_unknown")
    acting.check_token(row.token)
    transactions.get_many(acting.store, [row.reference], lock=True)
    if not may_reverse(acting.store, row) or row.settled_on is None:
        raise Conflict("This entry has not settled, came back, or was taken back.", code="ach_not_reversible")
    today, settled = bank_day(acting), date.fromisoformat(row.settled_on)
    try:
        discovered = date.fromisoformat(act.discovered_on)
    except ValueError:
        raise Unprocessable("There is no such day.", code="ach_reversal_late") from None
    if today > add_banking_days(settled, FILED_WITHIN_BANKING_DAYS):
        raise Unprocessable("A reversal is filed within five banking days of settlement.", code="ach_reversal_late")
    if not settled <= discovered <= today or today > discovered + DISCOVERED_WITHIN:
        raise Unprocessable("A reversal is filed within a day of its discovery.", code="ach_reversal_late")
    if is_taken_back(acting.store, row.id):
        raise Conflict("A reversal of this entry is under way.", code="ach_not_reversible")
    if debts.mints_on_the_way(acting.store, row.reference):
        raise Conflict("Whether it was minted shows when that is final.", code="mint_on_the_way")
    return row


def bank_day(acting: Acting) -> date:
    """Return the bank's present day, as the worker last noted it."""
    return bank_today(acting.store, acting.now_ms)


def bank_today(store: Store, now_ms: int) -> date:
    """Return the bank's present day, as the worker last noted it; ours before it did."""
    kept = ach.counter(store, BANK_DAY)
    return date.fromordinal(kept) if kept else day_of(now_ms)


def _judged(acting: Acting, act: ReverseEntry) -> bool:
    """Refuse what could never be carried out, before it waits for anybody."""
    _checked(acting, act)
    return True


def _reverse(acting: Acting, act: ReverseEntry) -> Mapping[str, Any]:
    row = _checked(acting, act)
    wanted = row.anew(
        id=_numbered(row.id, len(_reversals(acting.store, row.id)) + 1),
        purpose="reversal",
        is_credit=not row.is_credit,
        # A reversal goes the other way in the class of what it takes back; WEB and TEL know debits alone.
        sec_code="PPD" if row.sec_code in ("WEB", "TEL") else row.sec_code,
        created_at_ms=acting.now_ms,
    )
    fresh = ach.want(acting.store, wanted)
    assert fresh, "a reversal is numbered anew"
    # Nothing is minted for what is being taken back; a reversal that comes to nothing lets it go on.
    ach.set_fields(acting.store, row.id, follow_at=None)
    if not row.is_credit:
        debts.stop_waiting_mint(acting.store, row.reference, acting.now_ms)
        reserve_moves.cancel(acting.store, row.reference, "in", acting.now_ms)
    return {"entry": row.id, "reversal": wanted.id, "amount": str(row.units)}


ENTRIES: Final = (
    Entry(
        ReverseEntry,
        Role.CUSTODIAN,
        _reverse,
        _judged,
        seconds=Role.CUSTODIAN | Role.APPROVER,
        concerns=of_entry,
    ),
)
"""Money goes back, so it takes two."""
