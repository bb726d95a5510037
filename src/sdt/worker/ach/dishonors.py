"""Returns that go back to their bank: read from the file they came in, and followed until their dollars are here."""

from __future__ import annotations

from datetime import date
from typing import Final

from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.nacha import Dishonored, Order, Receiver, find_return, read_file
from sdt.domain.nacha.controls import check_digit
from sdt.domain.nacha.dishonor import INFORMATION
from sdt.domain.region import Region
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, banking, dishonors
from sdt.store.ach import AchEntryRow, Wanted
from sdt.worker import bank_entries
from sdt.workflows.ach_dishonor import fault_of
from sdt.workflows.sealed_files import INBOUND_LABEL, open_file

__all__ = ["followed", "order_of"]

DESCRIPTION: Final = "DISHONORED"


def order_of(store: Store, row: Wanted, sequence: int, keys: Wrapping, today: date) -> Order | str:
    """Return the order that sends a return back, or what is against it today.

    It repeats the return as its own bank sent it, from the file that is kept, not the account as we know it now.
    """
    answers = dishonors.get(store, row.id)
    assert answers is not None, f"{row.id} answers no return"
    if fault := fault_of(store, answers, today):
        return fault
    source = dishonors.source_of(store, answers.record)
    if source is None:
        return "the file that brought the return is not kept any more"
    digest, day, sealed = source
    file = read_file(open_file(keys, sealed, INBOUND_LABEL + digest))
    found = find_return(file, answers.record, f"{date.fromisoformat(day):%j}")
    assert found is not None, f"{digest} does not hold what was read in it"
    detail, addenda, settled_on_day = found
    rdfi = addenda.original_rdfi
    if not rdfi.isdigit():
        return "the return does not say which bank it is from"
    return Order(
        sec_code=row.sec_code,  # type: ignore[arg-type]
        credit=bool(row.is_credit),
        receiver=Receiver(
            rdfi + check_digit(rdfi),
            detail.account,
            "savings" if detail.transaction_code.startswith("3") else "checking",
            detail.name,
        ),
        cents=row.units,
        sequence=sequence,
        description=DESCRIPTION,
        dishonors=Dishonored(
            answers.reason, answers.fields or INFORMATION[answers.reason], settled_on_day, detail, addenda
        ),
    )


def followed(store: Store, region: Region, row: AchEntryRow, event: EntryEvent, *, on: date, at_ms: int) -> bool:
    """Follow what happened to a dishonored return of ours; returns whether an officer must look.

    Once the bank took it the entry is dishonored; what it brings is here when it settles. A duplicate return (R67)
    was never booked, so that its dishonor changes nothing of the entry: the first return stands.
    """
    answers = dishonors.get(store, row.id)
    assert answers is not None, f"{row.id} answers no return"
    if event is EntryEvent.RETURN:
        return True  # A bank that insists contests; a return of a dishonored return is none of the rules.
    original = banking.entry(store, answers.entry_id)
    assert original is not None, "what came back was a payment"
    if answers.reason == "R67":
        return False
    took = EntryStatus(row.status or EntryStatus.CREATED) in (EntryStatus.ACKNOWLEDGED, EntryStatus.SETTLED)
    if event in (EntryEvent.ACKNOWLEDGE, EntryEvent.SETTLE) and not took:
        bank_entries.dishonor_taken(store, region, original, code=answers.reason, on=on, at_ms=at_ms)
    if event is EntryEvent.SETTLE:
        bank_entries.dishonor_arrived(store, original, at_ms=at_ms)
    elif event is EntryEvent.REFUSE and took:
        # The bank had taken it and does not after all: what it came back for is owed again.
        bank_entries.apply(store, region, original, EntryEvent.CONTEST, code=answers.reason, on=on, at_ms=at_ms)
    return False
