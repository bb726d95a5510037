"""The files we originate: PPD, CCD, WEB and TEL entries, in batches of one class, under limits.

Nothing here knows a clock: dates come from `domain/ach/calendar.py`, trace sequences from the caller, who never gives
one twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal

from sdt.domain.errors import Unprocessable
from sdt.domain.nacha.addenda import Addenda05
from sdt.domain.nacha.controls import Totals, block_count, check_digit, service_class, totals_of
from sdt.domain.nacha.dishonor import Dishonored, dishonored_entry
from sdt.domain.nacha.file import BLOCK_LINES, Batch, Entry, NachaFile
from sdt.domain.nacha.layout import BadRecord
from sdt.domain.nacha.records import BatchControl, BatchHeader, EntryDetail, FileControl, FileHeader

__all__ = ["Limits", "NotOriginated", "Order", "Originator", "Receiver", "SecCode", "Stamp", "build_file", "fault_of"]

SecCode = Literal["PPD", "CCD", "WEB", "TEL"]
ENTRIES_IN_A_BATCH_MAX: Final = 100_000
ENTRY_CENTS_MAX: Final = 9_999_999_999
"""What ten digits hold."""
SEQUENCE_MAX: Final = 9_999_999
_CODES: Final = {
    ("checking", True, False): "22",
    ("checking", True, True): "23",
    ("checking", False, False): "27",
    ("checking", False, True): "28",
    ("savings", True, False): "32",
    ("savings", True, True): "33",
    ("savings", False, False): "37",
    ("savings", False, True): "38",
}
"""(kind, credit, prenote) -> transaction code."""


class NotOriginated(Unprocessable):
    """An order that the rules or our limits do not let into a file; nothing was built."""

    code = "ach_not_originated"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whose account an entry names. Shape: routing nine digits; kind "checking" or "savings". Never printed."""

    routing: str = field(repr=False)
    account: str = field(repr=False)
    kind: Literal["checking", "savings"]
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """One entry to make. `credit` pays the receiver. Units: cents, 0 for a prenote and nothing else.

    `sequence` makes the trace number, with the bank's eight digits before it: never the same twice.
    """

    sec_code: SecCode
    credit: bool
    receiver: Receiver
    cents: int
    sequence: int
    individual_id: str = ""
    addenda: str = ""
    prenote: bool = False
    recurring: bool = False
    """One of several debits that were authorised together: WEB and TEL say so."""
    description: str = ""
    """What the receiver's statement says, where it is not the file's."""
    effective_on: date | None = None
    """When it should settle, where that is not the file's: same-day entries beside others."""
    dishonors: Dishonored | None = None
    """The return that this sends back. It goes to whom the return came from, whatever became of the account since."""


@dataclass(frozen=True, slots=True)
class Originator:
    """Who sends. `offset`, where the bank wants balanced files, is our own account, which every batch is settled
    against. Shape: routings nine digits, `company_id` ten characters.
    """

    odfi_routing: str
    odfi_name: str
    destination_routing: str
    destination_name: str
    company_name: str
    company_id: str
    offset: Receiver | None = None
    company_data: str = ""
    """For our own use: the account that our bank settles unbalanced batches against."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold. Units: cents. Same-day entries have a limit of their own: $1,000,000."""

    entry_cents_max: int = ENTRY_CENTS_MAX
    file_cents_max: int = 9_999_999_999_99
    entries_max: int = 200_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a file is made and when its entries should settle. Shape: `at` HHMM; `modifier` one of A to Z, 0 to 9."""

    on: date
    at: str
    modifier: str
    effective_on: date
    description: str = "SDT"


def build_file(
    originator: Originator,
    orders: Sequence[Order],
    stamp: Stamp,
    limits: Limits | None = None,
    *,
    judged: bool = False,
) -> NachaFile:
    """Return the file that carries these orders: a batch for each class, description and effective date, in the order
    of their trace numbers.

    `judged`: the caller asked `fault_of` about every order, with the same stamp and limits.
    Errors: NotOriginated, naming the trace sequence of the order; nothing is left out silently.
    """
    limits = limits or Limits()
    _check(orders, limits)
    together: dict[tuple[SecCode, str, date], list[Order]] = {}
    for order in sorted(orders, key=lambda order: order.sequence):
        if not judged and (fault := fault_of(order, stamp, limits)):
            raise NotOriginated(f"Entry {order.sequence}: {fault}.", sequence=order.sequence)
        key = (order.sec_code, order.description or stamp.description, order.effective_on or stamp.effective_on)
        together.setdefault(key, []).append(order)
    spare = max((order.sequence for order in orders), default=0)
    batches: list[Batch] = []
    for (sec_code, description, effective_on), alike in sorted(together.items()):
        for start in range(0, len(alike), ENTRIES_IN_A_BATCH_MAX):
            part = alike[start : start + ENTRIES_IN_A_BATCH_MAX]
            offsets = _offsets(originator, part, spare)
            spare += len(offsets)
            of_batch = replace(stamp, description=description, effective_on=effective_on)
            batches.append(_batch(originator, sec_code, [*part, *offsets], of_batch, len(batches) + 1))
    return _file(originator, batches, stamp)


def _check(orders: Sequence[Order], limits: Limits) -> None:
    if not orders:
        raise NotOriginated("A file without entries is not sent.", code="ach_empty")
    if len(orders) > limits.entries_max:
        raise NotOriginated(f"{len(orders)} entries are more than the {limits.entries_max} of one file.")
    if len({order.sequence for order in orders}) != len(orders):
        raise NotOriginated("Two orders share a trace sequence.")
    for credit in (True, False):
        cents = sum(order.cents for order in orders if order.credit is credit)
        if cents > limits.file_cents_max:
            raise NotOriginated("The entries of one direction are above the limit of a file.")


def fault_of(order: Order, stamp: Stamp, limits: Limits) -> str:
    """Say what the rules have against an order, or nothing: one that is refused must not keep a day's others back.

    Source: Nacha Operating Rules, Article Two, per class.
    """
    routing = order.receiver.routing
    if not 1 <= order.sequence <= SEQUENCE_MAX:
        return "the trace sequence has at most seven digits and is not zero"
    if order.prenote != (order.cents == 0):
        return "an entry of zero is a prenote, and a prenote is of zero"
    if not 0 <= order.cents <= limits.entry_cents_max:
        return "the amount is above the limit of an entry"
    if len(routing) != 9 or not (routing.isascii() and routing.isdigit()) or routing[8] != check_digit(routing[:8]):
        return "the routing number's check digit does not fit"
    if not order.receiver.account.strip() or not order.receiver.name.strip():
        return "account number and name may not be blank"
    if order.sec_code in ("WEB", "TEL") and order.credit:
        return f"{order.sec_code} is for debits that a consumer authorised"
    if order.sec_code == "TEL" and order.addenda:
        return "TEL carries no addenda"
    if (order.effective_on or stamp.effective_on) < stamp.on:
        return "the effective date lies before the file's"
    try:
        entry = _entry(order, "0" * 8)
        for record in (entry.detail, *entry.addenda):
            record.line()
    except BadRecord as error:
        return error.detail.rstrip(".")
    return ""


def _offsets(originator: Originator, orders: Sequence[Order], spare: int) -> list[Order]:
    """Return the entries against our own account that make a batch balance; none where the bank does that itself.

    Their sequences follow the highest of the orders, so the caller counts on from the file's last.
    """
    if originator.offset is None:
        return []
    offsets: list[Order] = []
    for credit in (True, False):
        cents = sum(order.cents for order in orders if order.credit is not credit)
        while cents:
            part = min(cents, ENTRY_CENTS_MAX)
            cents -= part
            sequence = spare + 1 + len(offsets)
            # In the class of the batch, whose rules are about receivers: this line is between us and our bank.
            offsets.append(Order(orders[0].sec_code, credit, originator.offset, part, sequence, "OFFSET"))
    if offsets and offsets[-1].sequence > SEQUENCE_MAX:
        raise NotOriginated("No trace sequence is left for the entries that balance the file.")
    return offsets


def _batch(originator: Originator, sec_code: SecCode, orders: Sequence[Order], stamp: Stamp, number: int) -> Batch:
    odfi = originator.odfi_routing[:8]
    entries = tuple(_entry(order, odfi) for order in orders)
    service = service_class(entries)
    header = BatchHeader(
        service_class=service,
        company_name=originator.company_name,
        company_data=originator.company_data,
        company_id=originator.company_id,
        sec_code=sec_code,
        description=stamp.description,
        descriptive_date="",
        effective_on=f"{stamp.effective_on:%y%m%d}",
        settlement_day="   ",
        originator_status="1",
        odfi=odfi,
        batch_number=number,
    )
    control = BatchControl(service, *totals_of(entries), originator.company_id, "", "", odfi, number)
    return Batch(header, entries, control)


def _entry(order: Order, odfi: str) -> Entry:
    trace = f"{odfi}{order.sequence:07d}"
    if order.dishonors is not None:
        return dishonored_entry(order.dishonors, trace)
    addenda = (Addenda05(order.addenda, 1, trace[8:]),) if order.addenda else ()
    detail = EntryDetail(
        transaction_code=_CODES[order.receiver.kind, order.credit, order.prenote],
        rdfi=order.receiver.routing[:8],
        check_digit=order.receiver.routing[8],
        account=order.receiver.account,
        cents=order.cents,
        individual_id=order.individual_id,
        name=order.receiver.name[:22].rstrip(),
        # WEB and TEL say whether the payment is single (S) or recurring (R).
        discretionary=("R " if order.recurring else "S ") if order.sec_code in ("WEB", "TEL") else "  ",
        addenda_indicator="1" if addenda else "0",
        trace_number=trace,
    )
    return Entry(detail, addenda)


def _file(originator: Originator, batches: Sequence[Batch], stamp: Stamp) -> NachaFile:
    header = FileHeader(
        priority="01",
        destination=f" {originator.destination_routing}",
        origin=f" {originator.odfi_routing}",
        created_on=f"{stamp.on:%y%m%d}",
        created_at=stamp.at,
        modifier=stamp.modifier,
        record_size="094",
        blocking_factor="10",
        format_code="1",
        destination_name=originator.destination_name,
        origin_name=originator.odfi_name,
        reference="",
    )
    totals = _sum(totals_of(batch.entries) for batch in batches)
    lines = 2 + sum(2 + batch.control.entry_addenda_count for batch in batches)
    control = FileControl(len(batches), block_count(lines), *totals, "")
    return NachaFile(header, tuple(batches), control, -lines % BLOCK_LINES)


def _sum(all_totals: Iterable[Totals]) -> Totals:
    count, hash_, debit, credit = (sum(column) for column in zip(*all_totals, strict=True))
    return Totals(count, hash_ % 10**10, debit, credit)
