"""A holder allowed debits by telephone or in writing: an officer records it, another agrees, and deposits use it.

The class of a debit says how it was authorised. What its holder said on the telephone or signed on paper is kept by the
treasury; here stand its digest, its day and its terms. A deposit is still signed by the account's own key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from msgspec import Meta

from sdt.domain.ach.authorisation import Authorisation, By, Recurrence, covers, fault_of_authorisation
from sdt.domain.ach.classes import Authorised
from sdt.domain.claims import Address, Digest, Reason, Symbol, Units
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.office import Act, ActId
from sdt.domain.registry import Role
from sdt.store import Store, authorisations, banking
from sdt.store.authorisations import AuthorisationRow
from sdt.workflows.ach_reversal import Day, bank_day
from sdt.workflows.office import Acting, Entry, of_token

__all__ = ["ENTRIES", "EndAuthorisation", "RecordAuthorisation", "authorised"]


class RecordAuthorisation(Act, frozen=True, kw_only=True, tag="record_authorisation"):
    """A holder allowed debits of a linked bank account. Units: amount in cents, of the one debit or of each at most.

    `evidence` is the SHA-256 of the recording or the paper, used once.
    """

    account: Address
    bank_account: Annotated[str, Meta(min_length=1, max_length=72)]
    token: Symbol
    by: By
    recurrence: Recurrence
    amount: Units
    given_on: Day
    ends_on: Day
    evidence: Digest
    reason: Reason

    @property
    def subject(self) -> str:
        """The bank account."""
        return self.bank_account


class EndAuthorisation(Act, frozen=True, tag="end_authorisation"):
    """A holder took back what they had allowed: no further debit is made under it."""

    authorisation: ActId
    reason: Reason

    @property
    def subject(self) -> str:
        """The act that recorded it."""
        return self.authorisation


def authorised(
    store: Store, bank_ref: str, token: str, units: int, deposit: str, today: date, *, after: date | None = None
) -> Authorised:
    """Return how the debit of a deposit was authorised, and note under what: once, whoever asks again.

    In one database transaction. Without a recorded authorisation that covers it, and was given later than the day
    `after`, it was by the deposit's own message.
    """
    found = authorisations.used_by(store, deposit)
    if found is None:
        fitting = (
            row
            for row in authorisations.in_force(store, bank_ref, token)
            if covers(row.terms, units, today)
            and (after is None or row.terms.given_on > after)
            and (row.recurrence == "recurring" or not authorisations.uses(store, row.id))
        )
        found = next(fitting, None)
        if found is None:
            return "internet"
        authorisations.note_use(store, deposit, found.id)
    elif after is not None and found.terms.given_on <= after:
        return "internet"
    return found.terms.by


def _recordable(acting: Acting, act: RecordAuthorisation) -> bool:
    """Errors: NotFound for a bank account that is not the holder's; Unprocessable for terms that cannot be."""
    acting.check_token(act.token)
    linked = banking.bank_account(acting.store, act.bank_account)
    if linked is None or linked.account != act.account:
        raise NotFound("No such bank account is linked to this account.", code="unknown_bank_account")
    if act.token not in [token.symbol for token in acting.region.tokens if token.domain == "dollar"]:
        raise Unprocessable("Only a dollar token is bought by debits.", code="authorisation_terms")
    try:
        days = date.fromisoformat(act.given_on), date.fromisoformat(act.ends_on)
    except ValueError:
        raise Unprocessable("There is no such day.", code="authorisation_terms") from None
    fault = fault_of_authorisation(Authorisation(act.by, act.recurrence, int(act.amount), *days), bank_day(acting))
    if fault:
        raise Unprocessable(f"{fault[0].upper()}{fault[1:]}.", code="authorisation_terms")
    return True


def _record(acting: Acting, act: RecordAuthorisation) -> Mapping[str, Any]:
    _recordable(acting, act)
    row = AuthorisationRow(
        id=acting.act_id,
        account=act.account,
        bank_ref=act.bank_account,
        token=act.token,
        authorised_by=act.by,
        recurrence=act.recurrence,
        units=int(act.amount),
        given_on=act.given_on,
        ends_on=act.ends_on,
        evidence=act.evidence,
        recorded_at_ms=acting.now_ms,
    )
    if not authorisations.add(acting.store, row):
        raise Conflict("This evidence was used before.", code="evidence_used")
    return {"authorisation": row.id, "bank_account": row.bank_ref}


def _end(acting: Acting, act: EndAuthorisation) -> Mapping[str, Any]:
    row = authorisations.get(acting.store, act.authorisation)
    if row is None or row.ended_at_ms is not None:
        raise NotFound("There is no such authorisation in force.", code="not_found")
    acting.check_token(row.token)
    authorisations.end(acting.store, row.id, acting.now_ms)
    return {"authorisation": row.id, "uses": authorisations.uses(acting.store, row.id)}


def _of_authorisation(acting: Acting, act: EndAuthorisation) -> bool:
    row = authorisations.get(acting.store, act.authorisation)
    return row is not None and acting.covers(row.token)


ENTRIES: Final = (
    Entry(
        RecordAuthorisation,
        Role.CUSTODIAN,
        _record,
        _recordable,
        seconds=Role.CUSTODIAN | Role.APPROVER,
        concerns=of_token,
    ),
    # Whoever takes it back is heard at once.
    Entry(EndAuthorisation, Role.CUSTODIAN, _end, concerns=_of_authorisation),
)
