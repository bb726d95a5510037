"""Dollars in suspense go to whom they belong, by two officers, once, and not while a dishonored return is open."""

from __future__ import annotations

import json
from datetime import date

import pytest
from nacl.signing import SigningKey
from test_money_acts import (
    DAY,
    KEYS,
    NAMED,
    E,
    act,
    agree,
    entry_of,
    net,
    officers,  # noqa: F401  (fixture)
    refused,
    suspense,
    tell,
)

from domain_messages import envelope_claims, sealed
from sdt.api.desk import _entries
from sdt.domain.claims import format_time
from sdt.domain.envelope import kid_of, message_digest
from sdt.domain.ledger import currency_unmatched, dishonored_awaited, dishonored_settled
from sdt.domain.transaction import Event, Status
from sdt.store import Store, ach, banking, currency, ledger, outbox, registry, reserve_moves, transactions
from sdt.store.banking import BankAccountRow, BankEntryRow
from sdt.store.currency import CurrencyRow
from sdt.store.registry import FreezeRow
from sdt.store.transactions import Change
from sdt.workflows import payouts
from sdt.workflows.ach_reversal import BANK_DAY
from store_rig import NOW_MS, TOKEN, accepted, address, status_of, transaction_id

pytestmark = pytest.mark.usefixtures("store", "officers")
EVIDENCE = {"evidence": "ab" * 32, **NAMED}


def linked(store: Store, ref: str = "bank-1", user: int = 1, status: str = "verified") -> str:
    row = BankAccountRow(ref, f"user{user}", address(user), b"sealed", "…6789", status, NOW_MS)
    with store.transaction():
        banking.link_account(store, row)
    return ref


def surplus(store: Store) -> str:
    """A deposit that nobody minted came back, and its return was dishonored by our bank: nobody owes its dollars."""
    id = transaction_id(1)
    transactions.insert_accepted(store, [accepted(1, units=100, type="deposit")])
    transactions.move(store, [Change(id, Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
    tell(store, entry_of(store, 1, "debit", 100), E.FILE, E.SETTLE, E.RETURN, E.DISHONOR, code="R01")
    return id


def at_bank(store: Store, day: date) -> None:
    with store.transaction():
        ach.set_counter(store, BANK_DAY, day.toordinal())


# --- not too early ---


def test_what_a_dishonored_return_brought_waits_until_nobody_can_contest_it(store: Store) -> None:
    # Given 100 of a deposit that our bank got back on Wednesday, the day before Thanksgiving
    at_bank(store, DAY)
    kept = surplus(store)
    claims = {"kept": kept, "token": TOKEN, "way": "unclaimed", **EVIDENCE}
    for early in (DAY, date(2026, 11, 27), date(2026, 11, 30)):
        at_bank(store, early)
        with refused("suspense_disputed"):
            act(store, "settle_surplus", "treasury", **claims)
    at_bank(store, date(2026, 12, 1))
    assert agree(store, act(store, "settle_surplus", "treasury", **claims), "approver")["amount"] == "100"
    assert (net(store, f"Suspense:{TOKEN}:{kept}"), net(store, f"Unclaimed:{TOKEN}:{kept}")) == (0, -100)
    with refused("nothing_in_suspense"):
        act(store, "settle_surplus", "treasury", **claims | {"evidence": "cd" * 32})
    assert ledger.discrepancies(store) == []


def test_dollars_that_the_bank_still_owes_are_nobodys_to_dispose_of(store: Store) -> None:
    redemption = suspense(store)
    claims = {"redemption": redemption, "way": "remint", **NAMED}
    waiting = act(store, "settle_suspense", "treasury", **claims)
    ledger.post(
        store,
        [(redemption, p) for p in dishonored_awaited(TOKEN, redemption, 100)],
        release=[],
        at_ms=NOW_MS,
    )
    with refused("suspense_disputed"):
        agree(store, waiting, "approver")
    with refused("suspense_disputed"):
        act(store, "settle_suspense", "treasury", **claims)
    ledger.post(
        store,
        [(redemption, p) for p in dishonored_settled(TOKEN, redemption, 100)],
        release=[],
        at_ms=NOW_MS,
    )
    assert agree(store, waiting, "approver")["amount"] == "100"


# --- to another bank account of the same person ---


def test_a_payout_in_suspense_is_paid_to_another_bank_account_of_its_owner(store: Store) -> None:
    redemption = suspense(store)
    claims = {"transaction": redemption, "bank_account": linked(store), **EVIDENCE}
    linked(store, "bank-2", user=2)
    linked(store, "bank-3", status="linked")
    with refused("unknown_bank_account"):
        act(store, "pay_suspense", "treasury", **claims | {"bank_account": "bank-2"})
    with refused("bank_account_unverified"):
        act(store, "pay_suspense", "treasury", **claims | {"bank_account": "bank-3"})
    first = act(store, "pay_suspense", "treasury", **claims)
    with refused("same_officer"):
        agree(store, first, "treasury")
    told = agree(store, first, "approver")
    assert (told["entry"], told["amount"]) == (f"ach:{redemption}:2", "100")
    [order] = [row for row in outbox.due(store, ["instruct"], NOW_MS, 9) if json.loads(row.payload).get("bank_account")]
    assert json.loads(order.payload) == {
        "transaction_id": redemption,
        "entry": f"ach:{redemption}:2",
        "bank_account": "bank-1",
        "units": 100,
    }
    # Owed as a payout again, and nothing is minted for it meanwhile
    assert net(store, f"Payout:{TOKEN}:{redemption}") == -100
    assert reserve_moves.open_moves(store, 9, TOKEN) == []
    with refused("nothing_in_suspense"):
        act(store, "pay_suspense", "treasury", **claims)


def test_nobody_is_paid_out_of_suspense_under_an_order(store: Store) -> None:
    redemption = suspense(store)
    claims = {"transaction": redemption, "bank_account": linked(store), **EVIDENCE}
    waiting = act(store, "pay_suspense", "treasury", **claims)
    registry.set_freeze(store, FreezeRow(address(1), TOKEN, b"\1" * 32, NOW_MS // 1000 + 10_000))
    with refused("owner_not_payable"):
        agree(store, waiting, "approver")
    registry.clear_freeze(store, address(1), TOKEN)
    # A review shows in no answer: the worker holds the payment.
    store.execute("UPDATE users SET standing = 'review' WHERE account = ?", (address(1),))
    assert agree(store, waiting, "approver")["amount"] == "100"
    assert payouts.stopped(store, TOKEN, address(1), NOW_MS // 1000)


def test_what_a_deposit_left_is_paid_and_kept_apart_again_when_that_comes_back(store: Store) -> None:
    at_bank(store, date(2026, 12, 1))
    deposit = surplus(store)
    first = act(store, "pay_suspense", "treasury", transaction=deposit, bank_account=linked(store), **EVIDENCE)
    told = agree(store, first, "approver")
    row = BankEntryRow(told["entry"], deposit, "credit", TOKEN, 100, "bank-2", "created", None, NOW_MS)
    assert banking.put_entry(store, row)
    tell(store, row, E.FILE, E.SETTLE)
    assert (net(store, f"Payout:{TOKEN}:{deposit}"), net(store, f"Clearing:{TOKEN}")) == (0, 0)
    tell(store, row, E.RETURN, code="R02")
    assert (net(store, f"Suspense:{TOKEN}:{deposit}"), net(store, f"Clearing:{TOKEN}")) == (-100, 100)
    assert status_of(store, deposit) is Status.RETURNED
    assert store.rows("SELECT key FROM cases WHERE kind = 'payout_suspense'") == [(told["entry"],)]
    assert ledger.discrepancies(store) == []


# --- currency that no deposit asked for ---


def counted(store: Store, number: str = "cur_1", units: int = 100) -> str:
    postings = currency_unmatched(TOKEN, number, units)
    ledger.post(store, [(number, p) for p in postings], release=[], at_ms=NOW_MS)
    row = CurrencyRow(number, number, "", TOKEN, units, False, "person:1", b"sealed", NOW_MS // 1000)
    assert currency.put(store, row)
    return number


def drop_off(store: Store, n: int, units: int, source: str) -> str:
    """A deposit that a client signed, over the counter or from a bank."""
    claims = envelope_claims("deposit") | {
        "transaction_id": transaction_id(n),
        "token": TOKEN,
        "account": address(1),
        "amount": str(units),
        "source": source,
        "expires_at": format_time(NOW_MS // 1000 + 900),
    }
    raw = sealed("deposit", claims, SigningKey(bytes([99]) * 32))
    row = accepted(n, units=units, type="deposit")
    transactions.insert_accepted(store, [row._replace(raw=raw, digest=message_digest(raw))])
    transactions.move(store, [Change(row.id, Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
    return row.id


def test_counted_currency_is_given_to_the_deposit_that_asks_for_it(store: Store) -> None:
    number = counted(store)
    right = drop_off(store, 5, 100, "dropoff:counter")
    claims = {"kept": number, "token": TOKEN, "way": "deposit", **EVIDENCE}
    wrong = (drop_off(store, 6, 99, "dropoff:counter"), drop_off(store, 7, 100, "bank:ref-1"), None)
    for deposit in wrong:
        with refused("deposit_mismatch"):
            act(store, "settle_surplus", "treasury", **claims, deposit=deposit)
    first = act(store, "settle_surplus", "treasury", **claims, deposit=right)
    agree(store, first, "approver")
    assert (net(store, f"Suspense:{TOKEN}:{number}"), net(store, f"Pending:{TOKEN}:{right}")) == (0, -100)
    assert [(m.direction, m.transaction_id) for m in reserve_moves.open_moves(store, 9, TOKEN)] == [("in", right)]
    [entry] = banking.entries_of(store, [right])
    assert (entry.id, entry.status) == (f"currency:{number}", "window_passed")
    assert currency.of(store, [right])[right].account == address(1)
    # The bank's slip names no such deposit: the desks get the officers' own words, to be checked
    given = _entries(store, [right])[right]["given"]
    assert given["act"].encode() == bytes(first.raw)
    assert set(given["keys"]) == {kid_of(bytes(KEYS[name].verify_key)) for name in ("treasury", "approver")}
    with refused("nothing_in_suspense"):
        act(store, "settle_surplus", "treasury", **claims | {"evidence": "cd" * 32}, deposit=right)


@pytest.mark.parametrize(("named", "moves"), [(1, False), (2, True)])
def test_currency_whose_slip_named_another_counts_for_whom_it_is_given_to(
    store: Store, named: int, moves: bool
) -> None:
    number = counted(store)
    store.execute("UPDATE currency_deposits SET account = ?, by_holder = ?", (address(named), True))
    right = drop_off(store, 5, 100, "dropoff:counter")
    claims = {"kept": number, "token": TOKEN, "way": "deposit", **EVIDENCE}
    agree(store, act(store, "settle_surplus", "treasury", **claims, deposit=right), "approver")
    # What names the deposit, and came by another's hand, is a movement of its owner (`sdt.workflows.movements`)
    [[of]] = store.rows("SELECT transaction_id FROM postings WHERE debit = ?", (f"Suspense:{TOKEN}:{number}",))
    given = currency.of(store, [right])[right]
    assert (of == right, bool(given.by_holder), given.account) == (moves, not moves, address(1))


def test_a_redemptions_suspense_is_no_surplus(store: Store) -> None:
    redemption = suspense(store)
    with refused("deposit_mismatch"):
        act(store, "settle_surplus", "treasury", kept=redemption, token=TOKEN, way="unclaimed", **EVIDENCE)
