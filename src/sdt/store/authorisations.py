"""Debits that holders authorised by telephone or in writing, and which deposits used which authorisation."""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple

from sdt.domain.ach.authorisation import Authorisation
from sdt.store.database import Store

__all__ = ["AuthorisationRow", "add", "end", "get", "in_force", "note_use", "used_by", "uses"]


class AuthorisationRow(NamedTuple):
    """One authorisation, named by the act that recorded it. `evidence` is the digest of the recording or the paper."""

    id: str
    account: str
    bank_ref: str
    token: str
    authorised_by: str
    recurrence: str
    units: int
    given_on: str
    ends_on: str
    evidence: str
    recorded_at_ms: int
    ended_at_ms: int | None = None

    @property
    def terms(self) -> Authorisation:
        """What it allows."""
        days = date.fromisoformat(self.given_on), date.fromisoformat(self.ends_on)
        return Authorisation(self.authorised_by, self.recurrence, self.units, *days)  # type: ignore[arg-type]


_COLUMNS: Final = ", ".join(AuthorisationRow._fields)


def add(store: Store, row: AuthorisationRow) -> bool:
    """Record an authorisation; return False when its evidence was used before."""
    with store.transaction():
        written: int = store.execute(
            f"INSERT INTO debit_authorisations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (evidence) DO NOTHING",
            tuple(row),
        ).rowcount
    return written == 1


def get(store: Store, id: str) -> AuthorisationRow | None:
    """Return an authorisation; nobody else ends or uses it until the commit."""
    tail = " FOR UPDATE" if store.postgres and store.database.in_transaction() else ""
    found = store.row(f"SELECT {_COLUMNS} FROM debit_authorisations WHERE id = ?{tail}", (id,))  # noqa: S608
    return AuthorisationRow(*found) if found else None


def in_force(store: Store, bank_ref: str, token: str) -> list[AuthorisationRow]:
    """Return what was allowed of a bank account and not ended, the oldest first; nobody else uses it meanwhile."""
    tail = " FOR UPDATE" if store.postgres and store.database.in_transaction() else ""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM debit_authorisations "  # noqa: S608
        f"WHERE bank_ref = ? AND token = ? AND ended_at_ms IS NULL ORDER BY recorded_at_ms, id{tail}",
        (bank_ref, token),
    )
    return [AuthorisationRow(*row) for row in found]


def end(store: Store, id: str, at_ms: int) -> None:
    """Note that an authorisation was taken back: it covers no further debit."""
    store.execute("UPDATE debit_authorisations SET ended_at_ms = ? WHERE id = ? AND ended_at_ms IS NULL", (at_ms, id))


def used_by(store: Store, deposit: str) -> AuthorisationRow | None:
    """Return the authorisation under which a deposit is debited; None for one that was authorised by its message."""
    found = store.row("SELECT authorisation_id FROM authorised_debits WHERE transaction_id = ?", (deposit,))
    return get(store, found[0]) if found else None


def uses(store: Store, id: str) -> int:
    """Return how many deposits were debited under an authorisation."""
    (count,) = store.row("SELECT count(*) FROM authorised_debits WHERE authorisation_id = ?", (id,))
    return int(count)


def note_use(store: Store, deposit: str, id: str) -> None:
    """Note under which authorisation a deposit is debited."""
    store.execute("INSERT INTO authorised_debits (transaction_id, authorisation_id) VALUES (?, ?)", (deposit, id))
