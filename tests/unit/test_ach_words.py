"""The small rules of ACH by files: classes, references, cut-offs, corrections, acknowledgements."""

from __future__ import annotations

import json
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.ach.acknowledgement import read_acknowledgement
from sdt.domain.ach.calendar import EASTERN
from sdt.domain.ach.classes import sec_code_of
from sdt.domain.ach.corrections import corrected, due_on
from sdt.domain.ach.reference import reference_of
from sdt.domain.errors import Invalid
from sdt.domain.nacha import Limits, Order, Originator, Receiver, Stamp, build_file, faults_of
from sdt.domain.personal import BankDetails
from sdt.worker.ach.cut_offs import last_cut_off

TIMES = (time(10, 15), time(14, 30), time(20, 0))
BANK = BankDetails(routing_number="111000025", account_number="000123456789", kind="checking", holder="Alice Example")


@pytest.mark.parametrize(
    ("business", "is_credit", "authorised", "expected"),
    [
        (False, False, "internet", "WEB"),
        (False, False, "telephone", "TEL"),
        (False, False, "writing", "PPD"),
        (False, True, "internet", "PPD"),
        (True, False, "internet", "CCD"),
        (True, True, "telephone", "CCD"),
    ],
)
def test_the_class_follows_from_the_holder_the_direction_and_the_authorisation(
    business: bool, is_credit: bool, authorised: str, expected: str
) -> None:
    assert sec_code_of(business=business, is_credit=is_credit, authorised=authorised) == expected  # type: ignore[arg-type]


@given(st.uuids(), st.uuids())
def test_a_reference_fits_its_field_and_tells_transactions_apart(one: object, other: object) -> None:
    reference = reference_of(str(one))
    assert len(reference) == 15
    assert reference.isascii() and reference.isalnum()
    assert (reference == reference_of(str(other))) is (one == other)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # A lead of five minutes before the cut-off counts as the cut-off.
        (datetime(2026, 11, 25, 10, 9, tzinfo=EASTERN), datetime(2026, 11, 24, 20, 0, tzinfo=EASTERN)),
        (datetime(2026, 11, 25, 10, 10, tzinfo=EASTERN), datetime(2026, 11, 25, 10, 15, tzinfo=EASTERN)),
        (datetime(2026, 11, 25, 23, 59, tzinfo=EASTERN), datetime(2026, 11, 25, 20, 0, tzinfo=EASTERN)),
        # Thanksgiving has none, nor has the weekend.
        (datetime(2026, 11, 26, 15, 0, tzinfo=EASTERN), datetime(2026, 11, 25, 20, 0, tzinfo=EASTERN)),
        (datetime(2026, 11, 29, 15, 0, tzinfo=EASTERN), datetime(2026, 11, 27, 20, 0, tzinfo=EASTERN)),
    ],
)
def test_the_last_cut_off_lies_on_a_banking_day(now: datetime, expected: datetime) -> None:
    assert last_cut_off(now, TIMES, 5) == expected


@pytest.mark.parametrize(
    ("code", "text", "changed"),
    [
        ("C01", "999888777", {"account_number": "999888777"}),
        ("C02", "021000021", {"routing_number": "021000021"}),
        ("C03", "021000021   999888777", {"routing_number": "021000021", "account_number": "999888777"}),
        ("C04", "ALICE EXAMPLE JR", {"holder": "ALICE EXAMPLE JR"}),
        ("C05", "37", {"kind": "savings"}),
        ("C06", "999888777           32", {"account_number": "999888777", "kind": "savings"}),
        (
            "C07",
            "021000021999888777        37",
            {"routing_number": "021000021", "account_number": "999888777", "kind": "savings"},
        ),
    ],
)
def test_a_change_corrects_what_its_code_says(code: str, text: str, changed: dict[str, str]) -> None:
    found = corrected(BANK, code, text)
    assert found is not None
    expected = {"routing_number": BANK.routing_number, "account_number": BANK.account_number}
    expected |= {"kind": BANK.kind, "holder": BANK.holder} | changed
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("code", "text"),
    # A wrong check digit, an empty number, no kind of account, and codes that are not about the account.
    [("C02", "021000022"), ("C01", ""), ("C05", "99"), ("C13", "x"), ("C61", ""), ("C99", "")],
)
def test_a_change_that_cannot_be_made_is_left_to_an_officer(code: str, text: str) -> None:
    assert corrected(BANK, code, text) is None


def test_a_change_is_due_after_six_banking_days() -> None:
    assert due_on(date(2026, 11, 25)) == date(2026, 12, 4)


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "perhaps"},
        {"sha256": "abc"},
        {"more": 1},
        {"batches": [{"batch": 1, "settles": "2026-19-39 08:30"}]},
        {"batches": [{"batch": 0, "settles": "2026-11-30 08:30"}]},
    ],
)
def test_an_acknowledgement_is_read_strictly(changed: dict[str, object]) -> None:
    good = {"file": "A.ach", "sha256": "0" * 64, "state": "accepted", "code": None}
    good |= {"batches": [{"batch": 1, "settles": "2026-11-30 08:30"}]}
    assert read_acknowledgement(json.dumps(good).encode()).batches[0].settles == "2026-11-30 08:30"
    with pytest.raises(Invalid):
        read_acknowledgement(json.dumps(good | changed).encode())


def test_orders_with_a_date_or_a_description_of_their_own_get_a_batch_of_their_own() -> None:
    originator = Originator("111000025", "BANK", "111000025", "BANK", "SDT", "1746000089", company_data="TXD-clearing")
    receiver = Receiver("111000025", "123", "checking", "Alice")
    today, tomorrow = date(2026, 11, 30), date(2026, 12, 1)
    orders = [
        Order("PPD", True, receiver, 100, 1),
        Order("PPD", True, receiver, 100, 2, effective_on=today),
        Order("PPD", True, receiver, 7, 3, description="ACCTVERIFY"),
    ]

    file = build_file(originator, orders, Stamp(today, "0900", "A", tomorrow), Limits())

    found = {(b.header.description, b.header.effective_on, b.header.company_data) for b in file.batches}  # type: ignore[union-attr]
    assert found == {
        ("SDT", "261201", "TXD-clearing"),
        ("SDT", "261130", "TXD-clearing"),
        ("ACCTVERIFY", "261201", "TXD-clearing"),
    }
    assert faults_of(file) == ()
