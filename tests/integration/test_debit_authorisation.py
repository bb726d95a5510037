"""A debit that its holder authorised by telephone: recorded by two, used by deposits, TEL in the file."""

from __future__ import annotations

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ach_rig import Rig, ach_config
from nacl.signing import SigningKey
from test_money_acts import (
    act,
    agree,
    officers,  # noqa: F401  (fixture)
    refused,
)

from domain_messages import envelope_claims, sealed, texas
from sdt.domain.ach.calendar import EASTERN
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.claims import format_time
from sdt.domain.envelope import message_digest
from sdt.domain.nacha import faults_of, read_file
from sdt.domain.transaction import Event
from sdt.store import Store, ach, ach_files, authorisations, banking, transactions
from sdt.store.transactions import Change
from sdt.worker.instructions import Instructions
from sdt.workflows import bank_proof
from sdt.workflows.ach_reversal import BANK_DAY
from sdt.workflows.debit_authorisation import authorised
from sdt.workflows.sealed_files import DATA_LABEL, open_file
from store_rig import NOW_MS, TOKEN, accepted, address, transaction_id

NOW = datetime(2027, 1, 15, 10, 11, tzinfo=EASTERN)
DAY = NOW.date()
TERMS = {
    "account": address(2),
    "bank_account": "ref-2",
    "token": TOKEN,
    "by": "telephone",
    "recurrence": "single",
    "amount": "5000",
    "given_on": "2027-01-14",
    "ends_on": "2027-02-14",
    "evidence": "ab" * 32,
    "reason": "Call 4711, recorded.",
}


@pytest.fixture
def rig(store: Store, officers: None) -> Rig:  # noqa: F811
    rig = Rig(store, None, None, None)  # type: ignore[arg-type]
    rig.user(2)
    with store.transaction():
        ach.set_counter(store, BANK_DAY, DAY.toordinal())
    return rig


def recorded(store: Store, **changes: str) -> str:
    first = act(store, "record_authorisation", "treasury", **TERMS | changes)
    with refused("same_officer"):
        agree(store, first, "treasury")
    return str(agree(store, first, "approver")["authorisation"])


def signed(rig: Rig, n: int, units: int, ref: str = "ref-2", user: int = 2) -> str:
    """A deposit that its client signed and that waits for its funds."""
    claims = envelope_claims("deposit") | {
        "transaction_id": transaction_id(n),
        "token": TOKEN,
        "account": address(user),
        "amount": str(units),
        "source": f"bank:{ref}",
        "expires_at": format_time(NOW_MS // 1000 + 900),
    }
    raw = sealed("deposit", claims, SigningKey(bytes([99]) * 32))
    row = accepted(n, payer=user, units=units, type="deposit")._replace(raw=raw, digest=message_digest(raw))
    with rig.store.transaction():
        transactions.insert_accepted(rig.store, [row])
        transactions.move(rig.store, [Change(row.id, Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
        rig.store.execute("UPDATE outbox SET due_at_ms = 0")
    return row.id


async def deposited(rig: Rig, n: int, units: int, ref: str = "ref-2", user: int = 2) -> str:
    """A deposit that is asked of the bank; returns its entry's class, or why it has none."""
    id = signed(rig, n, units, ref, user)
    vendors: Any = SimpleNamespace()
    await Instructions(rig.store, texas(), vendors, rig.people, None, ach_config(), rig.clock).work()  # type: ignore[arg-type]
    found, ended = ach.entry(rig.store, f"ach:{id}"), transactions.get(rig.store, id)
    assert ended is not None
    return found.sec_code if found else str(ended.code)


def returned(rig: Rig, n: int, code: str, day: str) -> None:
    """The bank's return of a deposit's debit, as far as it concerns the account."""
    with rig.store.transaction():
        row = ach.entry(rig.store, f"ach:{transaction_id(n)}")
        assert row is not None
        ach.set_fields(rig.store, row.id, returned_on=day, return_code=code)
        bank_proof.noted_return(rig.store, row.bank_ref, code)
        ach.set_counter(rig.store, BANK_DAY, date.fromisoformat(day).toordinal())


def proof(rig: Rig, event: EntryEvent | None = None, ref: str = "ref-2") -> str:
    """Begin a proof by prenote, as its holder does, and let it end so; returns where the account stands."""
    with rig.store.transaction():
        linked = banking.bank_account(rig.store, ref)
        assert linked is not None
        begun = bank_proof.start(rig.store, rig.people, linked, "prenote", TOKEN, business=False, at_ms=NOW_MS)
        [*_, entry] = ach.entries_of_account(rig.store, ref, ["prenote"])
        if event:
            bank_proof.entry_moved(rig.store, entry, event, code=None, on=DAY, at_ms=NOW_MS)
    found = banking.bank_account(rig.store, ref)
    assert found is not None
    return found.status if event else begun.status


@pytest.mark.parametrize("code", ["R07", "R10", "R29"])
async def test_a_stop_on_debits_is_lifted_by_a_later_authorisation_for_what_it_covers(rig: Rig, code: str) -> None:
    # given a holder who said yes once, and whose bank says since that a debit was not allowed
    recorded(rig.store, recurrence="recurring")
    assert await deposited(rig, 1, 5_001) == "WEB"
    returned(rig, 1, code, "2027-01-15")
    # then neither that nor a proof of theirs lifts the stop
    assert await deposited(rig, 2, 5_000) == "bank_account_closed"
    with refused("debits_stopped"):
        proof(rig)
    assert await deposited(rig, 3, 5_000) == "bank_account_closed"
    # when they say yes again, then what that covers is debited and nothing else, proved or not
    with rig.store.transaction():
        ach.set_counter(rig.store, BANK_DAY, date(2027, 1, 19).toordinal())
    recorded(rig.store, evidence="cd" * 32, given_on="2027-01-16", recurrence="recurring")
    assert [await deposited(rig, n, units) for n, units in ((4, 5_000), (5, 5_001))] == ["TEL", "bank_account_closed"]
    assert proof(rig, EntryEvent.OUTLAST) == "verified"
    assert [await deposited(rig, n, units) for n, units in ((6, 5_000), (7, 5_001))] == ["TEL", "bank_account_closed"]
    # and the next return stops that too
    returned(rig, 6, code, "2027-01-20")
    assert await deposited(rig, 8, 5_000) == "bank_account_closed"
    with refused("debits_stopped"):
        proof(rig)


async def test_a_failed_proof_stops_debits_until_another_passes_and_there_are_three(rig: Rig) -> None:
    assert proof(rig) == "pending"
    assert await deposited(rig, 1, 100) == "WEB"
    with rig.store.transaction():
        [entry] = ach.entries_of_account(rig.store, "ref-2", ["prenote"])
        bank_proof.entry_moved(rig.store, entry, EntryEvent.RETURN, code="R01", on=DAY, at_ms=NOW_MS)
    assert await deposited(rig, 2, 100) == "bank_account_closed"
    assert proof(rig) == "pending"
    assert await deposited(rig, 3, 100) == "bank_account_unverified"
    rig.store.execute("UPDATE bank_accounts SET status = 'failed'")
    assert proof(rig, EntryEvent.OUTLAST) == "verified"
    assert await deposited(rig, 4, 100) == "WEB"
    rig.store.execute("UPDATE bank_accounts SET status = 'failed'")
    with refused("proofs_exhausted"):
        proof(rig)


async def test_a_proof_that_comes_back_leaves_a_stop_where_it_is(rig: Rig) -> None:
    assert await deposited(rig, 1, 100) == "WEB"
    assert proof(rig) == "pending"
    returned(rig, 1, "R10", "2027-01-15")
    with rig.store.transaction():
        [entry] = ach.entries_of_account(rig.store, "ref-2", ["prenote"])
        bank_proof.entry_moved(rig.store, entry, EntryEvent.RETURN, code="R01", on=DAY, at_ms=NOW_MS)
    with refused("debits_stopped"):
        proof(rig)


async def test_a_debit_authorised_by_telephone_goes_out_as_tel_once(rig: Rig) -> None:
    recorded(rig.store)
    assert [await deposited(rig, n, units) for n, units in ((1, 4_999), (2, 5_000), (3, 5_000))] == [
        "WEB",
        "TEL",
        "WEB",
    ]
    # asked again, it is the same: a worker that died before it wrote the entry uses no second one
    with rig.store.transaction():
        again = [authorised(rig.store, "ref-2", TOKEN, 5_000, transaction_id(n), DAY) for n in (2, 3)]
    assert again == ["telephone", "internet"]


async def test_several_debits_authorised_together_say_so_in_the_file(rig: Rig) -> None:
    id = recorded(rig.store, recurrence="recurring")
    assert [await deposited(rig, n, units) for n, units in ((1, 5_000), (2, 100))] == ["TEL", "TEL"]
    recorded(rig.store, evidence="cd" * 32, amount="7000", by="writing")
    assert await deposited(rig, 3, 7_000) == "PPD"
    with rig.store.transaction():
        made = rig.desk.gatherer.close(rig.store, TOKEN, NOW, NOW)
    assert made is not None
    file = read_file(open_file(rig.keys, ach_files.file_data(rig.store, made.name), DATA_LABEL + made.name))
    assert faults_of(file) == ()
    by_class = {batch.header.sec_code: [entry.detail for entry in batch.entries] for batch in file.batches}
    assert [(d.cents, d.discretionary.strip()) for d in by_class["TEL"]] == [(5_000, "R"), (100, "R")]
    assert [(d.cents, d.discretionary.strip()) for d in by_class["PPD"]] == [(7_000, "")]
    # what the holder takes back covers no further debit
    assert act(rig.store, "end_authorisation", "treasury", authorisation=id, reason="She called.").status == "done"
    assert await deposited(rig, 4, 100) == "WEB"
    with refused("not_found"):
        act(rig.store, "end_authorisation", "treasury", authorisation=id, reason="She called.")


def test_what_is_recorded_is_a_holders_own_word_once(rig: Rig) -> None:
    with refused("wrong_role"):
        act(rig.store, "record_authorisation", "issuer", **TERMS)
    with refused("unknown_bank_account"):
        act(rig.store, "record_authorisation", "treasury", **TERMS | {"account": address(1)})
    for change in ({"token": "TXG"}, {"given_on": "2027-01-16"}, {"ends_on": "2029-02-14"}, {"given_on": "2027-02-30"}):
        with refused("authorisation_terms"):
            act(rig.store, "record_authorisation", "treasury", **TERMS | change)
    id = recorded(rig.store)
    found = authorisations.get(rig.store, id)
    assert found is not None
    assert found.evidence == TERMS["evidence"]
    first = act(rig.store, "record_authorisation", "treasury", **TERMS)
    with refused("evidence_used"):
        agree(rig.store, first, "approver")
