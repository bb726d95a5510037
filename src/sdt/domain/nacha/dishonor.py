"""Dishonored returns: an entry that came back goes to its bank once more, with the reason.

Source: Nacha Operating Rules, Appendix Four, "Dishonored returns": the entry repeats the return, its addenda name the
original entry's trace and the return's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sdt.domain.nacha.addenda import Addenda99, DishonoredReturn
from sdt.domain.nacha.controls import check_digit
from sdt.domain.nacha.file import Entry, NachaFile
from sdt.domain.nacha.records import BatchHeader, EntryDetail

__all__ = ["INFORMATION", "Dishonored", "dishonored_entry", "find_return"]

INFORMATION: Final = {
    "R61": "Misrouted return",
    "R67": "Duplicate return",
    "R68": "Untimely return",
    "R70": "Permission not given",
}
"""What the addenda say in words; those of R69 are numbers of fields."""


@dataclass(frozen=True, slots=True)
class Dishonored:
    """A return as its bank sent it, and why it is sent back. Never printed: it repeats whose account it is.

    Shape: `settled_on_day` is the day of the year, three digits; `information` at most 21 characters.
    """

    reason: str
    information: str
    settled_on_day: str
    detail: EntryDetail = field(repr=False)
    addenda: Addenda99 = field(repr=False)


def find_return(file: NachaFile, key: str, day_of_year: str) -> tuple[EntryDetail, Addenda99, str] | None:
    """Return the entry of a file that `Return.key` names, its addenda, and the day of the year on which it settled.

    The operator writes that day into the batch; where it did not, it is the day the file is of.
    """
    for batch in file.batches:
        for entry in batch.entries:
            for addenda in entry.addenda:
                if isinstance(addenda, Addenda99) and isinstance(entry.detail, EntryDetail):
                    if f"{addenda.return_code}:{addenda.original_trace}:{addenda.trace_number}" != key:
                        continue
                    header = batch.header
                    settled = header.settlement_day if isinstance(header, BatchHeader) else ""
                    return entry.detail, addenda, settled if settled.isdigit() else day_of_year
    return None


def dishonored_entry(dishonored: Dishonored, trace: str) -> Entry:
    """Return the entry that sends a return back, under a trace number of ours.

    Errors: BadRecord for text that no record holds, once it is written.
    """
    back, returned = dishonored.detail, dishonored.addenda
    rdfi = returned.original_rdfi
    detail = EntryDetail(
        transaction_code=back.transaction_code,
        rdfi=rdfi,
        check_digit=check_digit(rdfi),
        account=back.account,
        cents=back.cents,
        individual_id=back.individual_id,
        name=back.name,
        discretionary=back.discretionary,
        addenda_indicator="1",
        trace_number=trace,
    )
    addenda = DishonoredReturn(
        return_code=dishonored.reason,
        original_trace=returned.original_trace,
        reserved="",
        original_rdfi=rdfi,
        reserved_2="",
        return_trace=returned.trace_number,
        return_settlement_day=dishonored.settled_on_day,
        return_reason=returned.return_code[1:],
        information=dishonored.information,
        trace_number=trace,
    )
    return Entry(detail, (addenda,))
