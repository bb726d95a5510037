"""Every total of a file computed anew: what does not fit is named, so nothing passes that was changed on its way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from sdt.domain.nacha.file import BLOCK_LINES, Batch, Entry, NachaFile
from sdt.domain.nacha.records import AdvEntryDetail, EntryDetail, is_credit

__all__ = ["Fault", "Totals", "block_count", "check_digit", "faults_of", "service_class", "totals_of"]

_HASH_MODULUS: Final = 10**10
_INBOUND_TRACES: Final = frozenset({"COR", "ACK", "ATX", "ADV"})
"""Classes whose entries carry traces of others than the bank in the header."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a file says, and what its entries say. `where` is "file" or "batch N"."""

    where: str
    field: str
    says: object
    should: object

    def __str__(self) -> str:
        return f"{self.where}: {self.field} is {self.says}, its entries make it {self.should}"


class Totals(NamedTuple):
    """Units: cents."""

    entry_addenda_count: int
    entry_hash: int
    debit_cents: int
    credit_cents: int


def totals_of(entries: tuple[Entry, ...]) -> Totals:
    """Return the totals that a control record must carry.

    Source: Nacha Operating Rules, Appendix Three: the entry hash is the sum's last ten digits.
    """
    count = debit = credit = hash_ = 0
    for entry in entries:
        detail = entry.detail
        count += 1 + len(entry.addenda)
        hash_ += int(detail.rdfi)
        if is_credit(detail.transaction_code):
            credit += detail.cents
        else:
            debit += detail.cents
    return Totals(count, hash_ % _HASH_MODULUS, debit, credit)


def service_class(entries: tuple[Entry, ...]) -> str:
    """Return 220 for credits alone, 225 for debits alone, else 200."""
    kinds = {is_credit(entry.detail.transaction_code) for entry in entries}
    if len(kinds) != 1:
        return "200"
    return "220" if True in kinds else "225"


def block_count(lines: int) -> int:
    """Return how many blocks of ten so many lines fill."""
    return -(-lines // BLOCK_LINES)


@lru_cache(maxsize=8_192)
def check_digit(rdfi: str) -> str:
    """Return the ninth digit of a routing number. Source: ANSI X9.100-160, weights 3, 7, 1."""
    total = sum(int(digit) * weight for digit, weight in zip(rdfi, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
    return str(-total % 10)


def faults_of(file: NachaFile) -> tuple[Fault, ...]:
    """Return everything about a file that contradicts itself; none for one that may be believed."""
    faults = [fault for batch in file.batches for fault in _of_batch(batch)]
    sums = [totals_of(batch.entries) for batch in file.batches]
    whole = Totals(*(sum(column) for column in zip(*sums, strict=True))) if sums else Totals(0, 0, 0, 0)
    whole = whole._replace(entry_hash=whole.entry_hash % _HASH_MODULUS)
    control = file.control
    lines = sum(1 for _ in file.records())
    numbers = [batch.header.batch_number for batch in file.batches]
    pairs = [
        ("batch_count", control.batch_count, len(file.batches)),
        ("block_count", control.block_count, block_count(lines + file.fill_lines)),
        ("fill_lines", file.fill_lines, -lines % BLOCK_LINES),
        ("batch_numbers", numbers, sorted(set(numbers))),
        *((name, getattr(control, name), total) for name, total in whole._asdict().items()),
    ]
    return (*faults, *(Fault("file", name, says, should) for name, says, should in pairs if says != should))


def _of_batch(batch: Batch) -> list[Fault]:
    header, control, totals = batch.header, batch.control, totals_of(batch.entries)
    pairs: list[tuple[str, object, object]] = [
        ("service_class of the control", control.service_class, header.service_class),
        ("odfi of the control", control.odfi, header.odfi),
        ("batch_number of the control", control.batch_number, header.batch_number),
        *((name, getattr(control, name), total) for name, total in totals._asdict().items()),
    ]
    if not isinstance(batch.entries[0].detail if batch.entries else None, AdvEntryDetail):
        pairs.append(("company_id of the control", getattr(control, "company_id", ""), header.company_id))
    if header.service_class in ("220", "225"):
        pairs.append(("service_class", header.service_class, service_class(batch.entries)))
    pairs += _of_entries(batch)
    return [Fault(f"batch {header.batch_number}", name, says, should) for name, says, should in pairs if says != should]


def _of_entries(batch: Batch) -> list[tuple[str, object, object]]:
    pairs: list[tuple[str, object, object]] = []
    before = ""
    for place, entry in enumerate(batch.entries, 1):
        detail = entry.detail
        pairs.append((f"check digit of entry {place}", detail.check_digit, check_digit(detail.rdfi)))
        pairs.append((f"addenda indicator of entry {place}", detail.addenda_indicator, "1" if entry.addenda else "0"))
        if isinstance(detail, EntryDetail):
            if batch.header.sec_code not in _INBOUND_TRACES:
                pairs.append((f"bank in the trace of entry {place}", detail.trace_number[:8], batch.header.odfi))
            pairs.append((f"trace of entry {place} after the one before", detail.trace_number > before, True))
            before = detail.trace_number
    return pairs
