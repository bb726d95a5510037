"""Officers' acts about money on a real store: what each books, by two people, once, and never more than there is."""

from __future__ import annotations

import json
import uuid
from datetime import date
from typing import Any

import pytest
from nacl.signing import SigningKey

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.claims import format_time
from sdt.domain.envelope import kid_of, message_digest, open_envelope, seal_envelope
from sdt.domain.errors import Forbidden, NotFound, SdtError, Unprocessable
from sdt.domain.ledger import fund_postings, issue_postings, redeem_postings
from sdt.domain.registry import NEVER_S, Role
from sdt.domain.transaction import Event, Status
from sdt.store import Store, banking, ledger, registry, reserve_moves, transactions, undone
from sdt.store.accounts import UserRow, create_user
from sdt.store.banking import BankEntryRow
from sdt.store.office import ActRow
from sdt.store.registry import FreezeRow, IdentityRow, KeyRow
from sdt.store.transactions import Change
from sdt.worker import bank_entries
from sdt.workflows import blocking, debts, payouts
from sdt.workflows.acts import office_of
from sdt.workflows.clearing import explain_clearing
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, fund, status_of, transaction_id

pytestmark = pytest.mark.usefixtures("store", "officers")
NETWORK = "sdt-test"
DAY = date(2026, 11, 25)
E = EntryEvent
ROLES = {
    "treasury": Role.CUSTODIAN,
    "treasury-2": Role.CUSTODIAN,
    "approver": Role.APPROVER,
    "admin": Role.ADMINISTRATOR,
    "ann": Role.COMPLIANCE_OFFICER,
    "ben": Role.COMPLIANCE_OFFICER,
    "issuer": Role.ISSUER,
}
KEYS = {name: SigningKey(bytes([n]) * 32) for n, name in enumerate(ROLES, 1)}
NAMED = {"reason": "As the papers say."}


@pytest.fixture
def officers(store: Store) -> None:
    far_s = NOW_MS // 1000 + 10_000
    with store.transaction():
        for name, key in KEYS.items():
            public = bytes(key.verify_key)
            row = KeyRow(kid_of(public), public, None, int(ROLES[name]), 0, "active", NEVER_S, None)
            registry.upsert_key(store, row)
        create_user(store, UserRow("user1", address(1), "user1.tx", "US-TX", NOW_MS, registered=True))
        registry.set_identity(store, IdentityRow(address(1), "dollar", 1, True, far_s))


def act(store: Store, kind: str, officer: str, **claims: Any) -> ActRow:
    act_id = str(uuid.uuid4())
    base = {"type": kind, "version": 1, "network": NETWORK, "act_id": act_id, "region": "US-TX"}
    every = base | {"issued_at": format_time(NOW_MS // 1000)} | claims
    envelope = open_envelope(seal_envelope(kind, every, KEYS[officer]))
    with store.transaction():
        return office_of(texas(), NETWORK).perform(store, envelope, act_id, NOW_MS)


def agree(store: Store, first: ActRow, officer: str) -> dict[str, Any]:
    done = act(store, "agree", officer, digest=message_digest(bytes(first.raw)).hex())
    return dict(json.loads(done.result)["result"])


def entry_of(store: Store, n: int, direction: str, units: int) -> BankEntryRow:
    id = f"ach:{transaction_id(n)}"
    row = BankEntryRow(id, transaction_id(n), direction, TOKEN, units, f"bank-{n}", "created", None, NOW_MS)  # type: ignore[arg-type]
    assert banking.put_entry(store, row)
    return row


def tell(store: Store, entry: BankEntryRow, *events: EntryEvent, code: str | None = None) -> None:
    for event in events:
        of = code if event is E.RETURN else None
        bank_entries.apply(store, texas(), entry, event, code=of, on=DAY, at_ms=NOW_MS)


def debt(store: Store, n: int = 1, units: int = 100) -> str:
    """A deposit that came back after its mint; returns its id."""
    id = transaction_id(n)
    transactions.insert_accepted(store, [accepted(n, units=units, type="deposit")])
    transactions.move(store, [Change(id, Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
    entry = entry_of(store, n, "debit", units)
    tell(store, entry, E.FILE, E.SETTLE, E.OUTLAST)
    made = fund_postings(TOKEN, units) + issue_postings(TOKEN, id, address(1), units)
    ledger.post(store, [(id, p) for p in made], release=[], at_ms=NOW_MS)
    steps = [Change(id, event) for event in (Event.ISSUED, Event.COMPLETE)]
    transactions.move(store, steps, actor="lane", at_ms=NOW_MS)
    tell(store, entry, E.RETURN, code="R10")
    return id


def burnt(store: Store, n: int = 1, units: int = 100) -> BankEntryRow:
    """A redemption that is burnt, and its credit, which is in no file yet."""
    fund(store, 1, units)
    transactions.insert_accepted(store, [accepted(n, units=units, type="redeem")])
    postings = redeem_postings(TOKEN, transaction_id(n), address(1), units, 0, FEE_ACCOUNT)
    ledger.post(store, [(transaction_id(n), p) for p in postings], release=[], at_ms=NOW_MS)
    for step in (Event.SCREEN, Event.BATCH, Event.SUBMIT, Event.SETTLE):
        transactions.move(store, [Change(transaction_id(n), step)], actor="lane", at_ms=NOW_MS)
    return entry_of(store, n, "credit", units)


def suspense(store: Store, n: int = 1, units: int = 100) -> str:
    """A payout that came back with the bank's word that the account is frozen; returns its redemption."""
    tell(store, burnt(store, n, units), E.FILE, E.SETTLE, E.RETURN, code="R16")
    return transaction_id(n)


def net(store: Store, name: str) -> int:
    found = ledger.account_balance(store, name)
    return found.debits - found.credits


def refused(code: str) -> Any:
    return pytest.raises(SdtError, check=lambda error: getattr(error, "code", "") == code)


# --- whose ---


def test_a_custodian_of_another_token_moves_none_of_this_ones_dollars(store: Store) -> None:
    deposit = debt(store)
    kept = suspense(store, 2)
    row = registry.key(store, kid_of(bytes(KEYS["treasury"].verify_key)))
    assert row is not None
    registry.upsert_key(store, row._replace(scope=2))
    with refused("wrong_scope"):
        act(store, "record_repayment", "treasury", deposit=deposit, amount="60", evidence="a" * 64, **NAMED)
    with refused("wrong_scope"):
        act(store, "write_off", "treasury", deposit=deposit, amount="60", bearer="loss_fund", **NAMED)
    with refused("wrong_scope"):
        act(store, "endow_loss_fund", "treasury", token=TOKEN, amount="60", evidence="b" * 64, **NAMED)
    with refused("wrong_scope"):
        act(store, "settle_suspense", "treasury", redemption=kept, way="unclaimed", **NAMED)
    # and is no second officer for it either
    first = act(store, "record_repayment", "treasury-2", deposit=deposit, amount="60", evidence="a" * 64, **NAMED)
    with refused("wrong_scope"):
        agree(store, first, "treasury")
    # but one of this token is
    registry.upsert_key(store, row._replace(scope=1))
    assert agree(store, first, "treasury")["owed"] == "40"


# --- debts ---


def test_a_repayment_takes_two_and_the_last_of_it_ends_the_hold(store: Store) -> None:
    # Given a debt of a dollar and a custodian who saw sixty cents of it come in
    deposit = debt(store)
    first = act(store, "record_repayment", "treasury", deposit=deposit, amount="60", evidence="1" * 64, **NAMED)
    # Then nothing is booked before another officer agrees
    assert (first.status, debts.owed(store, TOKEN, deposit)) == ("waiting", 100)
    with refused("same_officer"):
        agree(store, first, "treasury")
    with pytest.raises(Forbidden):
        agree(store, first, "issuer")
    assert debts.owed(store, TOKEN, deposit) == 100
    assert agree(store, first, "approver")["owed"] == "40"
    assert undone.on_hold(store, [address(1)])
    # When the rest is paid, then the account may pay again, and clearing has all its dollars
    rest = act(store, "record_repayment", "treasury", deposit=deposit, amount="40", evidence="2" * 64, **NAMED)
    assert agree(store, rest, "treasury-2")["owed"] == "0"
    assert not undone.on_hold(store, [address(1)])
    assert net(store, f"Receivable:{TOKEN}:{deposit}") == 0


def test_a_payment_is_recorded_once_whoever_signs_it(store: Store) -> None:
    deposit, other = debt(store, 1), debt(store, 2)
    claims = {"amount": "10", "evidence": "1" * 64, **NAMED}
    waiting = [act(store, "record_repayment", "treasury", deposit=d, **claims) for d in (deposit, deposit, other)]
    agree(store, waiting[0], "approver")
    for late in waiting[1:]:
        with refused("evidence_used"):
            agree(store, late, "approver")
        with refused("act_not_waiting"):
            agree(store, waiting[0], "approver")
    with refused("evidence_used"):
        act(store, "record_repayment", "treasury-2", deposit=other, **claims)
    assert (debts.owed(store, TOKEN, deposit), debts.owed(store, TOKEN, other)) == (90, 100)


@pytest.mark.parametrize("amount", ["0", "101"])
@pytest.mark.parametrize("kind", ["record_repayment", "write_off"])
def test_nothing_beyond_what_is_owed(store: Store, kind: str, amount: str) -> None:
    claims = {"evidence": "1" * 64} if kind == "record_repayment" else {"bearer": "loss_fund"}
    with refused("more_than_owed"):
        act(store, kind, "treasury", deposit=debt(store), amount=amount, **claims, **NAMED)


def test_what_was_settled_while_an_act_waited_is_not_settled_again(store: Store) -> None:
    deposit = debt(store)
    one, two = (
        act(store, "record_repayment", "treasury", deposit=deposit, amount="70", evidence=e * 64, **NAMED) for e in "12"
    )
    agree(store, one, "approver")
    with refused("more_than_owed"):
        agree(store, two, "approver")
    assert debts.owed(store, TOKEN, deposit) == 30


def test_the_loss_fund_bears_what_it_has_and_no_more(store: Store) -> None:
    deposit = debt(store)
    claims = {"deposit": deposit, "bearer": "loss_fund", **NAMED}
    with refused("loss_fund_short"):
        act(store, "write_off", "admin", amount="100", **claims)
    given = act(store, "endow_loss_fund", "admin", token=TOKEN, amount="80", evidence="3" * 64, **NAMED)
    agree(store, given, "approver")
    with refused("loss_fund_short"):
        act(store, "write_off", "admin", amount="81", **claims)
    first = act(store, "write_off", "treasury", amount="80", **claims)
    with pytest.raises(Forbidden):
        agree(store, first, "treasury-2")
    assert agree(store, first, "admin")["owed"] == "20"
    assert (net(store, f"LossFund:{TOKEN}"), net(store, f"LossFundEquity:{TOKEN}")) == (0, 0)
    assert ledger.discrepancies(store) == []


def test_tokens_are_written_down_by_the_issuers_own_message(store: Store) -> None:
    # Given fees in the loss account, and a debt that nobody pays
    region = texas()
    loss_account = region.token(TOKEN).loss_account
    assert loss_account
    deposit = debt(store)
    taken = issue_postings(TOKEN, transaction_id(99), loss_account, 50)
    ledger.post(store, [(transaction_id(99), p) for p in taken], release=[], at_ms=NOW_MS)
    claims = {"deposit": deposit, "bearer": "loss_account", **NAMED}
    with refused("loss_fund_short"):
        act(store, "write_off", "admin", amount="51", **claims)
    first = act(store, "write_off", "admin", amount="50", **claims)
    told = agree(store, first, "approver")
    # Then the books wait for the chain: what has to be signed is told, with the act itself as its evidence
    assert told["to_sign"] == {
        "type": "adjust",
        "kind": "write_down",
        "original": deposit,
        "account": loss_account,
        "token": TOKEN,
        "amount": "50",
        "evidence": bytes(first.digest).hex(),
    }
    assert debts.owed(store, TOKEN, deposit) == 100


# --- suspense ---


def test_a_payout_in_suspense_is_minted_again(store: Store) -> None:
    redemption = suspense(store)
    first = act(store, "settle_suspense", "treasury", redemption=redemption, way="remint", **NAMED)
    twin = act(store, "settle_suspense", "treasury", redemption=redemption, way="remint", **NAMED)
    with refused("same_officer"):
        agree(store, first, "treasury")
    assert agree(store, first, "approver") == {"redemption": redemption, "way": "remint", "amount": "100"}
    assert payouts.due(store, TOKEN, redemption) == 100
    assert [(m.direction, m.reason) for m in reserve_moves.open_moves(store, 9, TOKEN)] == [("in", "remint")]
    with refused("nothing_in_suspense"):
        agree(store, twin, "approver")


def test_what_nobody_can_be_paid_is_held_for_the_state_and_may_still_be_claimed(store: Store) -> None:
    redemption = suspense(store)
    registry.set_freeze(store, FreezeRow(address(1), TOKEN, b"\1" * 32, NOW_MS // 1000 + 10_000))
    with refused("owner_not_payable"):
        act(store, "settle_suspense", "treasury", redemption=redemption, way="remint", **NAMED)
    first = act(store, "settle_suspense", "treasury", redemption=redemption, way="unclaimed", **NAMED)
    agree(store, first, "approver")
    found = {(item.kind, item.reference): item.units for item in explain_clearing(store, TOKEN)}
    assert found[("unclaimed", redemption)] == 100
    assert ("suspense", redemption) not in found
    with refused("nothing_in_suspense"):
        act(store, "settle_suspense", "treasury", redemption=redemption, way="unclaimed", **NAMED)
    registry.clear_freeze(store, address(1), TOKEN)
    claimed = act(store, "settle_suspense", "treasury", redemption=redemption, way="remint", **NAMED)
    assert agree(store, claimed, "approver")["amount"] == "100"
    assert payouts.due(store, TOKEN, redemption) == 100
    assert net(store, f"Unclaimed:{TOKEN}:{redemption}") == 0


# --- one person, two keys ---


def test_two_keys_of_one_person_are_not_maker_and_checker(store: Store) -> None:
    redemption = suspense(store)
    claims = {"redemption": redemption, "way": "remint", **NAMED}
    with pytest.raises(NotFound):
        act(store, "name_holder", "admin", key="A" * 43, holder="TX-4711", **NAMED)
    for name, holder in (("treasury", "TX-4711"), ("treasury-2", "tx-4711")):
        kid = kid_of(bytes(KEYS[name].verify_key))
        agree(store, act(store, "name_holder", "admin", key=kid, holder=holder, **NAMED), "ann")
    first = act(store, "settle_suspense", "treasury", **claims)
    with refused("same_officer"):
        agree(store, first, "treasury-2")
    # When the second key went to somebody else, they agree
    kid = kid_of(bytes(KEYS["treasury-2"].verify_key))
    agree(store, act(store, "name_holder", "admin", key=kid, holder="TX-0815", **NAMED), "ann")
    assert agree(store, first, "treasury-2")["amount"] == "100"


# --- blocks ---


def test_a_block_is_lifted_by_two_compliance_officers_and_the_orders_number(store: Store) -> None:
    burnt(store)
    id = transaction_id(1)
    claims = {"transaction": id, "order": "OFAC licence SDGT-2026-1", **NAMED}
    with pytest.raises(NotFound):
        act(store, "release_block", "ann", **claims)
    assert blocking.block_payout(store, id, reference="case-1", actor="office", at_ms=NOW_MS)
    with pytest.raises(Forbidden):
        act(store, "release_block", "treasury", **claims)
    first = act(store, "release_block", "ann", **claims)
    with refused("same_officer"):
        agree(store, first, "ann")
    for other in ("treasury", "approver", "admin"):
        with pytest.raises(Forbidden):
            agree(store, first, other)
    assert payouts.due(store, TOKEN, id) == 0
    assert agree(store, first, "ben")["order"] == claims["order"]
    assert payouts.due(store, TOKEN, id) == 100
    assert status_of(store, id) is Status.SETTLED
    with refused("act_not_waiting"):
        agree(store, first, "ben")


def test_dollars_that_the_bank_has_set_apart_are_asked_back_before_they_are_released(store: Store) -> None:
    burnt(store)
    id = transaction_id(1)
    blocking.block_payout(store, id, reference="case-1", actor="office", at_ms=NOW_MS)
    assert reserve_moves.done(store, id, "blocked", 100, "book-1", NOW_MS)
    first = act(store, "release_block", "ann", transaction=id, order="licence 1", **NAMED)
    assert agree(store, first, "ben")["set_apart"]
    assert payouts.due(store, TOKEN, id) == 0
    [move] = reserve_moves.open_moves(store, 9, TOKEN)
    assert (move.direction, move.units) == ("freed", 100)
    with refused("release_under_way"):
        act(store, "release_block", "ann", transaction=id, order="licence 1", **NAMED)
    assert reserve_moves.done(store, id, "freed", 100, "book-2", NOW_MS)
    blocking.brought_back(store, id, actor="worker", at_ms=NOW_MS)
    assert payouts.due(store, TOKEN, id) == 100


def test_acts_name_what_there_is(store: Store) -> None:
    debt(store)
    with pytest.raises(NotFound):
        act(store, "settle_suspense", "treasury", redemption=transaction_id(1), way="remint", **NAMED)
    with pytest.raises(NotFound):
        act(store, "write_off", "admin", deposit=transaction_id(2), amount="1", bearer="loss_fund", **NAMED)
    with pytest.raises(Unprocessable):
        act(store, "endow_loss_fund", "admin", token="TXG", amount="1", evidence="1" * 64, **NAMED)
