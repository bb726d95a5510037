"""What a holder allowed by telephone or in writing: which terms can be, and which debits they cover."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sdt.domain.ach.authorisation import Authorisation, covers, fault_of_authorisation

DAY = date(2026, 11, 27)
SINGLE = Authorisation("telephone", "single", 5_000, DAY, DAY + timedelta(days=30))
SEVERAL = Authorisation("telephone", "recurring", 5_000, DAY, DAY + timedelta(days=30))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (SINGLE, ""),
        (Authorisation("writing", "recurring", 1, DAY, DAY + timedelta(days=730)), ""),
        (Authorisation("telephone", "single", 0, DAY, DAY), "a debit takes more than nothing"),
        (Authorisation("telephone", "single", 1, DAY + timedelta(days=1), DAY), "it was given on a day to come"),
        (
            Authorisation("telephone", "single", 1, DAY, DAY + timedelta(days=731)),
            "it ends within two years of the day it was given",
        ),
        (Authorisation("telephone", "single", 1, DAY, DAY - timedelta(days=1)), "it ends within two years of the day"),
        (Authorisation("telephone", "single", 1, DAY - timedelta(days=9), DAY - timedelta(days=1)), "it has ended"),
    ],
)
def test_terms_that_can_be(given: Authorisation, fault: str) -> None:
    assert fault_of_authorisation(given, DAY).startswith(fault)
    assert bool(fault_of_authorisation(given, DAY)) is bool(fault)


@pytest.mark.parametrize(
    ("given", "cents", "after", "covered"),
    [
        (SINGLE, 5_000, 0, True),
        (SINGLE, 4_999, 0, False),
        (SINGLE, 5_000, 30, True),
        (SINGLE, 5_000, 31, False),
        (SINGLE, 5_000, -1, False),
        (SEVERAL, 4_999, 0, True),
        (SEVERAL, 5_001, 0, False),
        (SEVERAL, 0, 0, False),
    ],
)
def test_a_single_debit_is_covered_to_the_cent_and_each_of_several_at_most(
    given: Authorisation, cents: int, after: int, covered: bool
) -> None:
    assert covers(given, cents, DAY + timedelta(days=after)) is covered
