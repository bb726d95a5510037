"""Whether a linked bank account may be debited: what its bank and its proof say, which its holder does not undo.

Whoever was told that a debit was not allowed makes none before a new authorisation: one that an officer recorded and
another agreed to, given later than the day of that return, and then for what it covers alone. A proof lifts no stop,
and one that failed counts until another one passes. A stop stands on the account at the bank, however often and as
whatever kind its holder links that.
Source: Nacha Operating Rules, Subsection 2.3.2 (authorisation of debits) and Appendix Four (returns).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from typing import Final

from sdt.domain.ach.codes import RETURNS, Action
from sdt.domain.personal import BankDetails
from sdt.domain.sealing import SealBroken
from sdt.store import Store, ach, authorisations, bank_facts, bank_proofs, debit_stops
from sdt.store.ach import Wanted
from sdt.store.banking import BankAccountRow
from sdt.workflows.debit_authorisation import authorised
from sdt.workflows.people import People

__all__ = ["STOP_CODES", "allowed_anew", "not_any_more", "refusal", "stops"]

log = logging.getLogger(__name__)

STOP_CODES: Final = tuple(code for code, known in RETURNS.items() if known.action is Action.STOP_DEBITS)


def stops(code: str | None) -> bool:
    """Return whether a return says that its account is none to debit."""
    known = RETURNS.get(code or "")
    return known is not None and known.action in (Action.STOP_ACCOUNT, Action.STOP_DEBITS)


def refusal(
    store: Store,
    people: People,
    linked: BankAccountRow,
    token: str,
    units: int,
    deposit: str,
    today: date,
    *,
    verified_only: bool,
) -> str:
    """Say why a deposit does not debit an account, by its code, or nothing. In one database transaction."""
    if linked.status in ("closed", "failed"):
        return "bank_account_closed"
    if (verified_only and linked.status != "verified") or _failed_before(store, linked):
        return "bank_account_unverified"
    stopped_on = _stopped_on(store, people, linked)
    if stopped_on and authorised(store, linked.ref, token, units, deposit, today, after=stopped_on) == "internet":
        return "bank_account_closed"
    return ""


def allowed_anew(store: Store, people: People, linked: BankAccountRow, token: str, today: date) -> bool:
    """Return whether debits are authorised anew, of whatever amount, if the account's bank stopped them."""
    stopped_on = _stopped_on(store, people, linked)
    given = [row.terms for row in authorisations.in_force(store, linked.ref, token)]
    return stopped_on is None or any(stopped_on < terms.given_on <= today <= terms.ends_on for terms in given)


def not_any_more(store: Store, people: People, token: str, rows: Sequence[Wanted], today: date) -> set[str]:
    """Return which entries that wait for a file debit an account that may not be debited since, by their ids.

    A deposit goes on under the authorisation that it was asked for under, where that was given after the stop: what
    was allowed meanwhile is for deposits to come. In one database transaction.
    """
    debits = {row.id: row for row in rows if not row.is_credit}
    found = debit_stops.doubtful(store, list(debits), STOP_CODES) if debits else {}
    return {id for id, linked in found.items() if not _still(store, people, token, debits[id], linked, today)}


def _still(store: Store, people: People, token: str, row: Wanted, linked: BankAccountRow, today: date) -> bool:
    if linked.status == "closed":
        return False
    if row.purpose != "payment":
        return allowed_anew(store, people, linked, token, today)
    if linked.status == "failed":
        return False
    stopped_on = _stopped_on(store, people, linked)
    under = authorisations.used_by(store, row.reference)
    return stopped_on is None or (under is not None and under.terms.given_on > stopped_on)


def _stopped_on(store: Store, people: People, linked: BankAccountRow) -> date | None:
    """Return the day of the last return after which no debit is made without a new authorisation."""
    days = [_returned_on(store, row) for row in (linked, *_linked_again(store, people, linked))]
    return max((day for day in days if day), default=None)


def _returned_on(store: Store, linked: BankAccountRow) -> date | None:
    day = ach.last_returned(store, linked.ref, STOP_CODES)
    if day is None and linked.status == "no_debits":
        # Whatever the bank takes one by one is known by the holder: the newest return of any of their accounts counts.
        day = bank_facts.last_returned(store, linked.account, STOP_CODES)
        if day is None:
            return date.max  # another code was noted of that entry since: its stop stands, and nothing lifts it
    return date.fromisoformat(day) if day else None


def _linked_again(store: Store, people: People, linked: BankAccountRow) -> list[BankAccountRow]:
    """Return what else its holder linked the same account as, if debits of that are stopped: those alone are opened.

    One that does not open may be the same.
    """
    others = debit_stops.stopped_of_holder(store, linked, STOP_CODES)
    if not others:
        return []
    try:
        this = people.details_unless_erased(store, linked.account, linked.details_sealed)
    except SealBroken:
        return []  # nobody can debit what does not open
    return [row for row in others if this is not None and _may_be(store, people, this, row)]


def _may_be(store: Store, people: People, this: BankDetails, row: BankAccountRow) -> bool:
    try:
        other = people.details_unless_erased(store, row.account, row.details_sealed)
    except SealBroken as error:
        log.error("bank account %s is taken for one that is stopped: %s", row.ref, error.detail)
        return True
    return other is not None and this.is_same_account(other)


def _failed_before(store: Store, linked: BankAccountRow) -> bool:
    """Return whether the proof under way follows one that failed."""
    proof = bank_proofs.proof(store, linked.ref) if linked.status == "pending" else None
    return proof is not None and proof.round > 1
