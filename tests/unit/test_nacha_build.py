"""The files we originate: what goes in comes out again, and what may not go in is refused."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdt.domain.nacha import (
    BadRecord,
    Limits,
    NachaFile,
    Order,
    Originator,
    Receiver,
    Stamp,
    build_file,
    faults_of,
    read_file,
)
from sdt.domain.nacha.build import NotOriginated
from sdt.domain.nacha.controls import check_digit
from sdt.domain.nacha.records import is_credit, is_prenote

ODFI = "111000025"
OWN = Receiver("111000025", "99887766", "checking", "TEXAS DEPOSITORY")
STATE = Originator(ODFI, "Lone Star Bank", "111000012", "Federal Reserve", "TEXAS DEPOSITORY", "1746000000")
STAMP = Stamp(date(2026, 11, 24), "0915", "A", date(2026, 11, 25), "DEPOSIT")

_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=22).map(str.strip)
_banks = st.integers(0, 99_999_999).map(lambda n: f"{n:08d}").map(lambda rdfi: rdfi + check_digit(rdfi))
_receivers = st.builds(
    Receiver,
    routing=_banks,
    account=st.text("0123456789ABCXYZ-", min_size=1, max_size=17),
    kind=st.sampled_from(["checking", "savings"]),
    name=_text.filter(bool),
)


@st.composite
def _orders(draw: st.DrawFn) -> list[Order]:
    sequences = draw(st.lists(st.integers(1, 9_999_000), min_size=25, max_size=60, unique=True))
    orders = []
    for sequence in sequences:
        sec_code = draw(st.sampled_from(["PPD", "CCD", "WEB", "TEL"]))
        prenote = draw(st.booleans())
        orders.append(
            Order(
                sec_code=sec_code,
                credit=sec_code in ("PPD", "CCD") and draw(st.booleans()),
                receiver=draw(_receivers),
                cents=0 if prenote else draw(st.integers(1, 1_000_000_00)),
                sequence=sequence,
                individual_id=draw(_text.map(lambda text: text[:15].strip())),
                addenda="" if sec_code == "TEL" else draw(st.sampled_from(["", "RENT FOR MAY*42\\"])),
                prenote=prenote,
            )
        )
    return orders


ENTRIES = 10_000


@pytest.mark.slow
def test_ten_thousand_random_entries_come_out_as_they_went_in() -> None:
    """Four hundred files of at least twenty-five entries each."""
    seen = []

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(_orders(), st.booleans())
    def one(orders: list[Order], balanced: bool) -> None:
        originator = STATE if not balanced else replace(STATE, offset=OWN)
        file = build_file(originator, orders, STAMP)
        again = read_file(file.data())
        assert again == file
        assert not faults_of(again)
        assert len(file.data()) % 950 == 0
        _agree(again, orders, balanced)
        seen.append(len(orders))

    one()
    assert sum(seen) >= ENTRIES, "too few entries were drawn to speak of ten thousand"


def _agree(file: NachaFile, orders: list[Order], balanced: bool) -> None:
    by_trace = {f"{ODFI[:8]}{order.sequence:07d}": order for order in orders}
    found, offsets = {}, {"debit": 0, "credit": 0}
    for batch in file.batches:
        for entry in batch.entries:
            detail = entry.detail
            if detail.individual_id == "OFFSET" and detail.trace_number not in by_trace:
                offsets["credit" if is_credit(detail.transaction_code) else "debit"] += detail.cents
                continue
            order = by_trace[detail.trace_number]
            assert batch.header.sec_code == order.sec_code
            assert (detail.cents, is_credit(detail.transaction_code)) == (order.cents, order.credit)
            assert is_prenote(detail.transaction_code) == order.prenote
            assert detail.rdfi + detail.check_digit == order.receiver.routing
            assert (detail.account, detail.name) == (order.receiver.account, order.receiver.name[:22].rstrip())
            assert [a.information for a in entry.addenda] == ([order.addenda] if order.addenda else [])
            found[detail.trace_number] = order
    assert found == by_trace
    if balanced:
        assert file.control.debit_cents == file.control.credit_cents
        assert offsets["credit"] == sum(order.cents for order in orders if not order.credit)
        assert offsets["debit"] == sum(order.cents for order in orders if order.credit)
    else:
        assert offsets == {"debit": 0, "credit": 0}


def _order(**changes: object) -> Order:
    facts: dict[str, object] = {
        "sec_code": "WEB",
        "credit": False,
        "receiver": Receiver("231380104", "123456789", "checking", "Alice Example"),
        "cents": 5000,
        "sequence": 1,
    }
    return Order(**(facts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cents": 0}, "prenote"),
        ({"cents": 5, "prenote": True}, "prenote"),
        ({"cents": -1}, "limit"),
        ({"cents": 1_000_000_01}, "limit"),
        ({"sequence": 0}, "sequence"),
        ({"sequence": 10_000_000}, "sequence"),
        ({"credit": True}, "debits"),
        ({"sec_code": "TEL", "addenda": "x"}, "addenda"),
        ({"receiver": Receiver("231380105", "1", "checking", "A")}, "check digit"),
        ({"receiver": Receiver("23138010", "1", "checking", "A")}, "check digit"),
        ({"receiver": Receiver("231380104", "  ", "checking", "A")}, "blank"),
    ],
)
def test_what_the_rules_forbid_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(NotOriginated, match=words):
        build_file(STATE, [_order(**changes)], STAMP, Limits(entry_cents_max=1_000_000_00))


def test_a_refusal_does_not_print_whom_it_is_about() -> None:
    with pytest.raises(NotOriginated) as caught:
        build_file(STATE, [_order(cents=0)], STAMP)
    assert "123456789" not in caught.value.detail + repr(_order())
    assert "Alice" not in caught.value.detail + repr(_order())


def test_limits_of_a_file_hold() -> None:
    orders = [_order(sequence=n) for n in range(1, 12)]
    with pytest.raises(NotOriginated, match="more than the 10"):
        build_file(STATE, orders, STAMP, Limits(entries_max=10))
    with pytest.raises(NotOriginated, match="limit of a file"):
        build_file(STATE, orders, STAMP, Limits(file_cents_max=54_999))
    with pytest.raises(NotOriginated, match="share a trace"):
        build_file(STATE, [_order(), _order()], STAMP)
    with pytest.raises(NotOriginated, match="without entries"):
        build_file(STATE, [], STAMP)


def test_what_balances_a_file_is_split_where_ten_digits_do_not_hold_it() -> None:
    large = [_order(sequence=n, cents=9_999_999_999) for n in (1, 2, 3)]
    file = build_file(replace(STATE, offset=OWN), large, STAMP)
    assert file.control.debit_cents == file.control.credit_cents == 3 * 9_999_999_999
    assert not faults_of(read_file(file.data()))
    with pytest.raises(NotOriginated, match="No trace sequence"):
        build_file(replace(STATE, offset=OWN), [_order(sequence=9_999_999)], STAMP)


def test_a_control_character_is_refused_when_it_is_read() -> None:
    data = build_file(STATE, [_order()], STAMP).data().replace(b"Alice", b"Ali\x07e")
    with pytest.raises(BadRecord, match=r"Line 3: name in column 55"):
        read_file(data)


def test_text_that_no_record_can_hold_is_refused() -> None:
    with pytest.raises(NotOriginated, match="name"):
        build_file(STATE, [_order(receiver=Receiver("231380104", "1", "checking", "Zoë"))], STAMP)
    with pytest.raises(NotOriginated, match="account"):
        build_file(STATE, [_order(receiver=Receiver("231380104", "1" * 18, "checking", "A"))], STAMP)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "FileHeader"),
        (b"5" + b" " * 93, "FileHeader"),
        (b"\xff" * 94, "ASCII"),
        (b"1" + b"x" * 93, "column 2"),
        (b"1" * 200 + b"\n", "200 characters"),
    ],
)
def test_a_damaged_file_says_where(data: bytes, words: str) -> None:
    with pytest.raises(BadRecord, match=words):
        read_file(data)


def test_whatever_character_is_damaged_a_file_is_refused_or_says_something_else() -> None:
    orders = [_order(sequence=n, cents=n * 7) for n in range(1, 30)]
    file = build_file(STATE, orders, STAMP)
    data, lot = file.data(), random.Random(6)
    refused = 0
    for _ in range(2_000):
        at = lot.randrange(len(data))
        other = bytearray(data)
        other[at] ^= 1 << lot.randrange(8)
        try:
            again = read_file(bytes(other))
        except BadRecord:
            refused += 1
            continue
        assert again != file or again.data() == bytes(other)
        assert again != file
    assert refused > 500


def test_a_day_of_deposits_is_a_file_in_seconds() -> None:
    """Five thousand here; docs/ach.md has the figures of fifty thousand."""
    orders = [_order(sequence=n) for n in range(1, 5_001)]
    began = time.perf_counter()
    data = build_file(STATE, orders, STAMP).data()
    assert time.perf_counter() - began < 5
    assert data.count(b"\n") >= 5_004
