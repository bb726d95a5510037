"""Proof that a linked bank account is there and its holder's: by a prenote, or by two small credits.

linked -> pending -> verified; failed after three wrong answers or a return; closed when the other bank says that there
is no such account; no_debits when it says that a debit was not allowed. What a return says of the account counts
whatever the entry was for, and its holder does not undo it.
"""

from __future__ import annotations

import secrets
from datetime import date
from typing import Final, Literal

from sdt.domain.ach.classes import Authorised, sec_code_of
from sdt.domain.ach.codes import RETURNS, Action
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.ach.micro_entries import MicroEntries, draw_micro_entries
from sdt.domain.errors import Conflict, Unprocessable
from sdt.domain.ledger import micro_entry
from sdt.store import Store, ach, bank_proofs, banking, ledger
from sdt.store.ach import AchEntryRow, Purpose
from sdt.store.bank_proofs import ProofRow
from sdt.store.banking import BankAccountRow
from sdt.workflows.ach_reversal import bank_today
from sdt.workflows.debit_stop import allowed_anew
from sdt.workflows.people import People

__all__ = ["Method", "book", "confirm", "entry_moved", "noted_return", "start", "wanted_entry"]

Method = Literal["micro", "prenote"]
CLOSED: Final = "closed"
NO_DEBITS: Final = "no_debits"
ROUNDS_MAX: Final = 3
"""Each proof sends two credits and lets three pairs be tried: after so many another account is linked."""


def wanted_entry(
    id: str,
    linked: BankAccountRow,
    token: str,
    *,
    purpose: Purpose,
    is_credit: bool,
    units: int,
    business: bool,
    reference: str,
    at_ms: int,
    same_day: bool = False,
    authorised: Authorised = "internet",
) -> AchEntryRow:
    """Return an entry as it is asked for, in the class its account and direction ask for."""
    return AchEntryRow(
        id=id,
        purpose=purpose,
        bank_ref=linked.ref,
        account=linked.account,
        token=token,
        is_credit=is_credit,
        units=units,
        sec_code=sec_code_of(business=business, is_credit=is_credit, authorised=authorised),
        same_day=same_day,
        reference=reference,
        created_at_ms=at_ms,
        status=None if purpose == "payment" else EntryStatus.CREATED.value,
    )


def start(
    store: Store, people: People, linked: BankAccountRow, method: Method, token: str, *, business: bool, at_ms: int
) -> BankAccountRow:
    """Begin a proof; one that is under way is left alone.

    Errors: Unprocessable (bank_account_closed, debits_stopped) for an account that is not there, or whose bank returned
    a debit as not allowed and nobody authorised another since; Conflict (proofs_exhausted).
    """
    if linked.status in ("pending", "verified"):
        return linked
    if linked.status == CLOSED:
        raise Unprocessable("The other bank says that there is no such account.", code="bank_account_closed")
    if not allowed_anew(store, people, linked, token, bank_today(store, at_ms)):
        raise Unprocessable("A debit of this account came back as not allowed.", code="debits_stopped")
    before = bank_proofs.proof(store, linked.ref)
    number = before.round + 1 if before else 1
    if number > ROUNDS_MAX:
        raise Conflict(f"{ROUNDS_MAX} proofs of this account were begun.", code="proofs_exhausted")
    bank_proofs.put(store, ProofRow(linked.ref, method, number, 0), at_ms)
    amounts = draw_micro_entries(secrets.randbelow)
    entries: list[tuple[str, Purpose, bool, int]] = (
        [("prenote", "prenote", False, 0)]
        if method == "prenote"
        else [
            ("1", "micro", True, amounts.first_cents),
            ("2", "micro", True, amounts.second_cents),
            ("back", "micro", False, amounts.debit_cents),
        ]
    )
    for name, purpose, is_credit, units in entries:
        id = f"proof:{linked.ref}:{number}:{name}"
        ach.want(
            store,
            wanted_entry(
                id,
                linked,
                token,
                purpose=purpose,
                is_credit=is_credit,
                units=units,
                business=business,
                reference=f"{number}:{linked.ref}"[:36],
                at_ms=at_ms,
            ),
        )
    banking.set_account_status(store, linked.ref, "pending")
    return linked._replace(status="pending")


def confirm(store: Store, linked: BankAccountRow, cents: tuple[int, int], *, at_ms: int) -> BankAccountRow:
    """Compare two amounts with those that were sent. A wrong answer counts; the third one ends the proof.

    Errors: Conflict (no_proof) when there is nothing to confirm or it has not settled yet.
    """
    proof = bank_proofs.proof(store, linked.ref)
    if linked.status == "verified":
        return linked
    if proof is None or proof.method != "micro" or linked.status != "pending":
        raise Conflict("No two small credits are on their way to this account.", code="no_proof")
    credits = [entry for entry in _entries(store, proof) if entry.is_credit]
    if len(credits) != 2 or any(entry.settled_on is None for entry in credits):
        raise Conflict("The two small credits have not arrived yet.", code="no_proof")
    attempts = bank_proofs.count_attempt(store, linked.ref, at_ms)
    right = MicroEntries(credits[0].units, credits[1].units).confirm(*cents, attempts)
    if right:
        status = "verified"
    else:
        status = "failed" if attempts + 1 >= 3 else "pending"
    if status != linked.status:
        banking.set_account_status(store, linked.ref, status)
    return linked._replace(status=status)


def _entries(store: Store, proof: ProofRow) -> list[AchEntryRow]:
    rows = ach.entries_of_account(store, proof.bank_ref, ("micro", "prenote"))
    return [row for row in rows if row.id.startswith(f"proof:{proof.bank_ref}:{proof.round}:")]


def entry_moved(store: Store, row: AchEntryRow, event: EntryEvent, *, code: str | None, on: date, at_ms: int) -> None:
    """Follow what happened to an entry that proves an account."""
    linked = banking.bank_account(store, row.bank_ref)
    proof = bank_proofs.proof(store, row.bank_ref)
    if linked is None or proof is None or not row.id.startswith(f"proof:{row.bank_ref}:{proof.round}:"):
        return
    if row.purpose == "prenote" and event is EntryEvent.OUTLAST and linked.status == "pending":
        banking.set_account_status(store, row.bank_ref, "verified")
    elif event in (EntryEvent.RETURN, EntryEvent.REFUSE) and linked.status not in (CLOSED, NO_DEBITS):
        banking.set_account_status(store, row.bank_ref, "failed")


def book(store: Store, row: AchEntryRow, stood: EntryStatus, event: EntryEvent, at_ms: int) -> None:
    """Book the cents of a small entry when they move, and when they move back. `stood`: where it was before.

    The three entries of a proof come to nothing; where one of them comes back, the rest is an expense of the region's.
    """
    moved = stood in (EntryStatus.SETTLED, EntryStatus.WINDOW_PASSED)
    if event is EntryEvent.SETTLE:
        comes_in = not row.is_credit
    elif event is EntryEvent.RETURN and moved:
        comes_in = row.is_credit
    else:
        return
    postings = micro_entry(row.token, row.units, comes_in=comes_in)
    ledger.post(store, [(row.reference, p) for p in postings], release=[], at_ms=at_ms)


def noted_return(store: Store, bank_ref: str, code: str) -> None:
    """Note what a return says of the account itself: there is none, or it may not be debited any more."""
    known = RETURNS.get(code)
    status = {Action.STOP_ACCOUNT: CLOSED, Action.STOP_DEBITS: NO_DEBITS}.get(known.action) if known else None
    linked = banking.bank_account(store, bank_ref)
    if status and linked is not None and linked.status != CLOSED:
        banking.set_account_status(store, bank_ref, status)
