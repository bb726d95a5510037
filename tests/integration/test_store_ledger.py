"""The books: holds in order, postings that balance, and no user's account below what it holds."""

from __future__ import annotations

import pytest

from sdt.domain.ledger import (
    Posting,
    deposit_filed,
    deposit_settled,
    fund_postings,
    redeem_postings,
    token_account,
    transfer_postings,
)
from sdt.domain.transaction import Event
from sdt.store import Store, ledger, transactions
from sdt.store.ledger import AccountBalance, Balance
from sdt.store.transactions import Change
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, fund, transaction_id


def _want(n: int, account: str, units: int) -> tuple[str, str, int]:
    return transaction_id(n), account, units


def test_holds_are_granted_in_order_as_far_as_the_account_reaches(store: Store) -> None:
    one, two = fund(store, 1, 100), fund(store, 2, 10)
    wants = [
        _want(1, one, 60),
        _want(2, one, 50),
        _want(3, two, 10),
        _want(4, one, 40),
        _want(5, two, 1),
        _want(6, token_account(TOKEN, address(3)), 1),
    ]
    assert ledger.hold(store, wants) == [True, False, True, True, False, False]
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 100, 0)]
    assert ledger.hold(store, [_want(7, one, 1)]) == [False]


def test_who_only_asks_is_told_in_their_turn_and_holds_nothing(store: Store) -> None:
    one = fund(store, 1, 100)
    wants = [_want(1, one, 70), _want(2, one, 30), _want(3, one, 31), _want(4, one, 30)]
    assert ledger.hold(store, wants, {wants[1][0], wants[2][0]}) == [True, True, False, True]
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 100, 0)]


def test_what_is_given_back_can_be_held_again(store: Store) -> None:
    account = fund(store, 1, 100)
    assert ledger.hold(store, [_want(1, account, 70), _want(2, account, 30)]) == [True, True]
    ledger.release_holds(store, [(account, 30), (account, 20)])
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 50, 50)]


def test_more_than_is_held_cannot_be_given_back(store: Store) -> None:
    account = fund(store, 1, 100)
    ledger.hold(store, [_want(1, account, 10)])
    with pytest.raises(Exception, match="held_not_negative"):
        ledger.release_holds(store, [(account, 11)])
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 10, 90)]


def test_a_release_of_an_unknown_account_is_a_bug(store: Store) -> None:
    with pytest.raises(AssertionError, match="0 of 1 rows"):
        ledger.release_holds(store, [(token_account(TOKEN, address(9)), 1)])


def test_a_payment_moves_amount_and_fee_and_releases_its_hold(store: Store) -> None:
    payer = fund(store, 1, 1_000)
    assert ledger.hold(store, [_want(1, payer, 505)]) == [True]
    postings = transfer_postings(TOKEN, address(1), address(2), 500, 5, FEE_ACCOUNT)
    ledger.post(store, [(transaction_id(1), p) for p in postings], release=[(payer, 505)], at_ms=NOW_MS)
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 495, 0, 495)]
    assert ledger.balances(store, address(2)) == [Balance(TOKEN, 500, 0, 500)]
    assert ledger.balances(store, FEE_ACCOUNT) == [Balance(TOKEN, 5, 0, 5)]
    assert ledger.supply(store, TOKEN) == 1_000
    assert ledger.discrepancies(store) == []


def test_one_post_may_chain_payments_through_an_account_that_is_new(store: Store) -> None:
    payer = fund(store, 1, 100)
    ledger.hold(store, [_want(1, payer, 100)])
    chain = [*transfer_postings(TOKEN, address(1), address(2), 100, 0, FEE_ACCOUNT)]
    chain += transfer_postings(TOKEN, address(2), address(3), 100, 0, FEE_ACCOUNT)
    ledger.post(store, [(transaction_id(1), p) for p in chain], release=[(payer, 100)], at_ms=NOW_MS)
    assert [b.posted for n in (1, 2, 3) for b in ledger.balances(store, address(n))] == [0, 0, 100]


@pytest.mark.parametrize("units", [101, 2**62])
def test_no_user_is_overdrawn_and_nothing_of_the_post_stays(store: Store, units: int) -> None:
    fund(store, 1, 100)
    postings = [
        *transfer_postings(TOKEN, address(1), address(2), 1, 0, FEE_ACCOUNT),
        *transfer_postings(TOKEN, address(1), address(3), units, 0, FEE_ACCOUNT),
    ]
    with pytest.raises(Exception, match="not_overdrawn"):
        ledger.post(store, [(transaction_id(1), p) for p in postings], release=[], at_ms=NOW_MS)
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 0, 100)]
    assert ledger.balances(store, address(2)) == []
    assert ledger.discrepancies(store) == []


def test_what_is_held_cannot_be_spent_by_another_payment(store: Store) -> None:
    account = fund(store, 1, 100)
    ledger.hold(store, [_want(1, account, 60)])
    postings = transfer_postings(TOKEN, address(1), address(2), 41, 0, FEE_ACCOUNT)
    with pytest.raises(Exception, match="not_overdrawn"):
        ledger.post(store, [(transaction_id(2), p) for p in postings], release=[], at_ms=NOW_MS)


def test_bank_accounts_may_stand_on_either_side(store: Store) -> None:
    deposit = transaction_id(1)
    postings = [
        *deposit_filed(TOKEN, deposit, 500),
        *deposit_settled(TOKEN, 500),
        *fund_postings(TOKEN, 500),
    ]
    ledger.post(store, [(deposit, p) for p in postings], release=[], at_ms=NOW_MS)
    fund(store, 1, 500, deposit=deposit)
    burn = redeem_postings(TOKEN, transaction_id(9), address(1), 200, 0, FEE_ACCOUNT)
    ledger.post(store, [(transaction_id(2), p) for p in burn], release=[], at_ms=NOW_MS)
    assert ledger.account_balance(store, f"Reserve:{TOKEN}") == AccountBalance(500, 0, 0)
    assert ledger.account_balance(store, f"Pending:{TOKEN}:{deposit}") == AccountBalance(500, 500, 0)
    assert ledger.account_balance(store, f"Payout:{TOKEN}:{transaction_id(9)}") == AccountBalance(0, 200, 0)
    assert ledger.account_balance(store, "Nothing") == AccountBalance(0, 0, 0)
    assert ledger.supply(store, TOKEN) == 300
    assert ledger.token_balances(store, TOKEN) == {address(1): Balance(TOKEN, 300, 0, 300)}


def test_the_largest_amount_there_is_fits(store: Store) -> None:
    largest = 2**63 - 1
    account = fund(store, 1, largest)
    assert ledger.hold(store, [_want(1, account, largest)]) == [True]
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, largest, largest, 0)]


def test_a_user_has_a_balance_of_each_token(store: Store) -> None:
    fund(store, 1, 100)
    gold = Posting("Pending:TXG:d", token_account("TXG", address(1)), "TXG", 7)
    ledger.post(store, [(transaction_id(2), gold)], release=[], at_ms=NOW_MS)
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 0, 100), Balance("TXG", 7, 0, 7)]


def test_books_that_do_not_add_up_are_named(store: Store) -> None:
    account = fund(store, 1, 100)
    transactions.insert_accepted(store, [accepted(1)])
    ledger.hold(store, [_want(1, account, 30)])
    assert [line.partition(": ")[0] for line in ledger.discrepancies(store)] == [account]
    transactions.move(store, [Change(transaction_id(1), Event.SCREEN, held_units=30)], actor="t", at_ms=NOW_MS)
    assert ledger.discrepancies(store) == []
    store.execute("UPDATE ledger_accounts SET credits = credits + 1 WHERE name = ?", (account,))
    store.execute("DELETE FROM ledger_accounts WHERE address IS NULL")
    assert len(ledger.discrepancies(store)) == 2


def test_several_calls_are_one_commit(store: Store) -> None:
    account = fund(store, 1, 100)

    def hold_and_fail() -> None:
        with store.transaction():
            ledger.hold(store, [_want(1, account, 30)])
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="between"):
        hold_and_fail()
    assert ledger.balances(store, address(1)) == [Balance(TOKEN, 100, 0, 100)]
