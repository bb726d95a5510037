"""Every row of the reserve's table, as postings: each balances, and whatever is posted adds to zero."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sdt.domain import ledger, reserve_plan
from sdt.domain.ledger import Posting

EVENTS = {
    name: getattr(ledger, name)
    for name in ledger.__all__
    if "Posting" in str(inspect.signature(getattr(ledger, name)).return_annotation)
}
TEXTS = {"token": "TXD", "account": "0xa", "payer": "0xa", "payee": "0xb", "to": "0xb", "fee_account": "0xfe"}


def made(name: str, units: int) -> list[Posting]:
    values: dict[str, Any] = {}
    for parameter in inspect.signature(EVENTS[name]).parameters:
        if parameter in ("units", "amount"):
            values[parameter] = units
        elif parameter == "fee":
            values[parameter] = units % 3
        elif parameter in ("settled", "in_kind"):
            values[parameter] = bool(units % 2)
        else:
            values[parameter] = TEXTS.get(parameter, "tx-1")
    return EVENTS[name](**values)


@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(1, 10**12)), max_size=60))
def test_whatever_happens_adds_to_zero(happened: list[tuple[str, int]]) -> None:
    net: Counter[str] = Counter()
    for name, units in happened:
        for posting in made(name, units):
            assert posting.units > 0 and posting.debit != posting.credit
            net[posting.debit] += posting.units
            net[posting.credit] -= posting.units
    assert sum(net.values()) == 0


PAIRS = [
    ("deposit_blocked", "Pending", "Blocked"),
    ("blocked_set_apart", "BlockedBank", "Clearing"),
    ("blocked_brought_back", "Clearing", "BlockedBank"),
    ("blocked_interest", "BlockedBank", "BlockedInterest"),
    ("payout_returned", "Clearing", "Payout"),
    ("fund_postings", "Reserve", "Clearing"),
    ("remint_postings", "Payout", "Token"),
    ("returned_late", "Receivable", "Clearing"),
    ("clawback_postings", "Token", "Receivable"),
    ("release_postings", "Clearing", "Reserve"),
    ("loss_borne", "LossFundEquity", "Receivable"),
    ("payout_suspended", "Payout", "Suspense"),
    ("bank_fee", "BankFees", "Operating"),
    ("issue_postings", "Pending", "Token"),
    ("payout_paid", "Payout", "Clearing"),
]


def test_each_row_of_the_table_debits_and_credits_what_it_says() -> None:
    for name, debit, credit in PAIRS:
        first = made(name, 7)[0]
        assert (first.debit.split(":")[0], first.credit.split(":")[0], first.units) == (debit, credit, 7)
    assert [p.credit.split(":")[0] for p in made("loss_borne", 7)] == ["Receivable", "LossFund"]


NUMBERS = st.integers(0, 10**9)


@given(NUMBERS, st.lists(NUMBERS, max_size=5), NUMBERS, NUMBERS)
def test_what_is_stated_and_what_leaves_never_uncovers_the_supply(
    balance: int, leaving: list[int], supply: int, units: int
) -> None:
    stated = reserve_plan.what_lasts(balance, leaving)
    assert stated <= balance
    if reserve_plan.may_leave(balance, units, supply, stated):
        assert balance - units >= supply and balance - units >= stated
    swept = reserve_plan.sweepable(balance, supply, stated)
    assert swept == 0 or balance - swept >= max(supply, stated)
