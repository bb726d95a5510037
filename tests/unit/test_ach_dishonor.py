"""When a return may be dishonored, by the table of reasons, and how the entry that does it is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.ach.calendar import add_banking_days, is_banking_day
from sdt.domain.ach.codes import RETURNS, is_late
from sdt.domain.ach.dishonor import Reason, Returned, fault_of_dishonor, last_day
from sdt.domain.nacha import (
    Dishonored,
    Order,
    Originator,
    Receiver,
    Stamp,
    build_file,
    faults_of,
    find_return,
    read_file,
    read_inbound,
)
from sdt.domain.nacha.addenda import Addenda99, DishonoredReturn
from sdt.domain.nacha.controls import check_digit
from sdt.domain.nacha.dishonor import dishonored_entry
from sdt.domain.nacha.records import EntryDetail

SETTLED = date(2026, 12, 21)


def returned(code: str = "R01", after: int = 4, returns: int = 1) -> Returned:
    """A return that settled some banking days after its entry."""
    return Returned(code, SETTLED, add_banking_days(SETTLED, after), returns)


@pytest.mark.parametrize(
    ("reason", "fields", "what", "fault"),
    [
        ("R68", (), returned(after=3), ""),
        ("R68", (), returned(after=2), "came in its time"),
        ("R68", (), returned("R10", after=30), "came in its time"),
        ("R68", (), returned("R31", after=30), "came in its time"),
        ("R68", (), Returned("R01", None, SETTLED, 1), "came in its time"),
        ("R61", (), returned(after=1), ""),
        ("R67", (), returned(after=1, returns=2), ""),
        ("R67", (), returned(after=1, returns=1), "no second one"),
        ("R69", ("01",), returned(after=1), ""),
        ("R69", ("01", "05", "07"), returned(after=1), ""),
        ("R69", (), returned(after=1), "names the fields"),
        ("R69", ("05", "01"), returned(after=1), "in their order"),
        ("R69", ("01", "01"), returned(after=1), "in their order"),
        ("R69", ("03",), returned(after=1), "are among"),
        ("R68", ("01",), returned(after=3), "names the fields"),
        ("R70", (), returned("R31", after=1), ""),
        ("R70", (), returned("R06", after=9), ""),
        ("R70", (), returned("R01", after=9), "does not say"),
    ],
)
def test_each_reason_has_its_rule(reason: Reason, fields: tuple[str, ...], what: Returned, fault: str) -> None:
    found = fault_of_dishonor(reason, fields, what, what.settled_on)
    assert (fault in found) if fault else found == ""


def test_five_banking_days_and_no_longer() -> None:
    # The return settles on Wednesday; Christmas and a weekend lie between.
    what = Returned("R01", date(2026, 12, 16), date(2026, 12, 23), 1)
    assert last_day(what.settled_on) == date(2026, 12, 31)
    assert fault_of_dishonor("R68", (), what, date(2026, 12, 31)) == ""
    assert "five banking days" in fault_of_dishonor("R68", (), what, date(2027, 1, 4))


@given(st.sampled_from(sorted(RETURNS)), st.integers(0, 100), st.integers(0, 30))
def test_r68_is_for_late_returns_within_five_banking_days_and_for_nothing_else(
    code: str, came: int, passed: int
) -> None:
    on = SETTLED + timedelta(days=came)
    today = on + timedelta(days=passed)
    banking_days = sum(is_banking_day(on + timedelta(days=n)) for n in range(1, passed + 1))
    allowed = is_late(code, SETTLED, on) and (banking_days < 5 or (banking_days == 5 and is_banking_day(today)))
    assert (fault_of_dishonor("R68", (), Returned(code, SETTLED, on, 1), today) == "") == allowed


def test_the_published_dishonored_returns_are_written_as_they_were_published(sdt_data: Path) -> None:
    published = read_file((sdt_data / "nacha" / "dishonored-return.ach").read_bytes())
    entries = published.batches[0].entries
    assert len(entries) == 2
    for entry in entries:
        detail, says = entry.detail, entry.addenda[0]
        assert isinstance(detail, EntryDetail)
        assert isinstance(says, DishonoredReturn)
        # What its bank had sent, as the addenda tell: from this alone the entry is written again.
        came = Addenda99(
            f"R{says.return_reason}", says.original_trace, "      ", says.original_rdfi, "", says.return_trace.rjust(15)
        )
        answer = Dishonored(says.return_code, says.information, says.return_settlement_day, detail, came)
        written = dishonored_entry(answer, detail.trace_number)
        assert written.addenda[0].line()[:79] == says.line()[:79]
        assert written.addenda == (replace(says, trace_number=detail.trace_number),)
        assert isinstance(written.detail, EntryDetail)
        assert replace(written.detail, rdfi=detail.rdfi, check_digit=detail.check_digit) == detail


def test_a_dishonored_return_stands_in_a_batch_of_its_own_and_repeats_the_return(sdt_data: Path) -> None:
    file = read_file((sdt_data / "nacha" / "contested-return.ach").read_bytes())
    key = read_inbound(file).returns[0].key
    found = find_return(file, key, "042")
    assert found is not None
    detail, addenda, day = found
    assert find_return(file, "R01:nobody", "042") is None
    routing = addenda.original_rdfi + check_digit(addenda.original_rdfi)
    answer = Dishonored("R69", "01*05", day, detail, addenda)
    alice = Receiver(routing, detail.account, "checking", detail.name)
    orders = [
        Order("PPD", True, alice, detail.cents, 7, description="DISHONORED", dishonors=answer),
        Order("PPD", True, alice, 100, 8),
    ]
    originator = Originator("111000025", "BANK", "021000021", "OPERATOR", "TREASURY", "1234567890")
    built = build_file(originator, orders, Stamp(SETTLED, "1010", "A", SETTLED))
    assert faults_of(built) == ()
    assert read_file(built.data()) == built
    assert [(batch.header.description, len(batch.entries)) for batch in built.batches] == [
        ("DISHONORED", 1),
        ("SDT", 1),
    ]
    [told] = read_inbound(built).returns
    assert (told.kind, told.code, told.original_trace, told.cents) == (
        "dishonored",
        "R69",
        addenda.original_trace,
        detail.cents,
    )
    [says] = built.batches[0].entries[0].addenda
    assert isinstance(says, DishonoredReturn)
    assert (says.return_trace, says.return_reason, says.information) == (
        addenda.trace_number,
        addenda.return_code[1:],
        "01*05",
    )
    assert detail.account not in repr(answer)
