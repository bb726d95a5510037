"""Whether a linked bank account may be debited: what its bank and its proof say, which its holder does not undo.

Whoever was told that a debit was not allowed makes none before a new authorisation: one that an officer recorded and
another agreed to, given later than the day of that return, and then for what it covers alone. A proof lifts no stop,
and one that failed counts until another one passes.
Source: Nacha Operating Rules, Subsection 2.3.2 (authorisation of debits) and Appendix Four (returns).
"""

from __future__ import annotations

from datetime import date
from typing import Final

from sdt.domain.ach.codes import RETURNS, Action
from sdt.store import Store, ach, authorisations, bank_proofs
from sdt.store.banking import BankAccountRow
from sdt.workflows.debit_authorisation import authorised

__all__ = ["allowed_anew", "refusal"]

_CODES: Final = tuple(code for code, known in RETURNS.items() if known.action is Action.STOP_DEBITS)


def refusal(
    store: Store, linked: BankAccountRow, token: str, units: int, deposit: str, today: date, *, verified_only: bool
) -> str:
    """Say why a deposit does not debit an account, by its code, or nothing. In one database transaction."""
    if linked.status in ("closed", "failed"):
        return "bank_account_closed"
    if (verified_only and linked.status != "verified") or _failed_before(store, linked):
        return "bank_account_unverified"
    stopped_on = _stopped_on(store, linked)
    if stopped_on and authorised(store, linked.ref, token, units, deposit, today, after=stopped_on) == "internet":
        return "bank_account_closed"
    return ""


def allowed_anew(store: Store, linked: BankAccountRow, token: str, today: date) -> bool:
    """Return whether debits are authorised anew, of whatever amount, if the account's bank stopped them."""
    stopped_on = _stopped_on(store, linked)
    given = [row.terms for row in authorisations.in_force(store, linked.ref, token)]
    return stopped_on is None or any(stopped_on < terms.given_on <= today <= terms.ends_on for terms in given)


def _stopped_on(store: Store, linked: BankAccountRow) -> date | None:
    """Return the day of the last return after which no debit is made without a new authorisation."""
    day = ach.last_returned(store, linked.ref, _CODES)
    if day is None and linked.status == "no_debits":
        return date.max  # another code was noted of that entry since: its stop stands, and nothing lifts it
    return date.fromisoformat(day) if day else None


def _failed_before(store: Store, linked: BankAccountRow) -> bool:
    """Return whether the proof under way follows one that failed."""
    proof = bank_proofs.proof(store, linked.ref) if linked.status == "pending" else None
    return proof is not None and proof.round > 1
