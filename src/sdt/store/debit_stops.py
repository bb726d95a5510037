"""Where a bank said that a debit was not allowed: the other bank accounts of that holder, the debits that wait.

A holder is whoever stands behind an account, and has all the accounts behind which the same person stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sdt.store.banking import BankAccountRow
from sdt.store.database import Store

__all__ = ["doubtful", "lock_holders", "stopped_of_holder"]

_LINKED: Final = ", ".join(f"b.{name}" for name in BankAccountRow._fields)
_OTHERS: Final = "JOIN person_accounts o ON o.person = p.person"


def stopped_of_holder(store: Store, linked: BankAccountRow, codes: Sequence[str]) -> list[BankAccountRow]:
    """Return the other linked bank accounts of a holder from which an entry came back with one of these codes."""
    found = store.rows(
        f"SELECT {_LINKED} FROM users u JOIN bank_accounts b ON b.user_id = u.user_id "  # noqa: S608
        "WHERE u.account IN (SELECT CAST(? AS VARCHAR(42)) UNION "
        f"SELECT o.account FROM person_accounts p {_OTHERS} WHERE p.account = ?) "
        "AND b.ref <> ? AND (b.status = 'no_debits' OR EXISTS "
        f"(SELECT 1 FROM ach_entries e WHERE e.bank_ref = b.ref AND {store.among('e.return_code')})) ORDER BY b.ref",
        (linked.account, linked.account, linked.ref, store.listed(codes)),
    )
    return [BankAccountRow(*row) for row in found]


def doubtful(store: Store, ids: Sequence[str], codes: Sequence[str]) -> dict[str, BankAccountRow]:
    """Return the debits among these entries that may not be allowed any more, each with its bank account.

    They are those of accounts that are no good, and of holders from whose accounts an entry came back with one of
    these codes: whether that was this account is the caller's to find out. What takes an entry back is none of them.
    """
    found = store.rows(
        "WITH stopped AS (SELECT DISTINCT r.account FROM ach_entries r "  # noqa: S608
        "JOIN bank_accounts l ON l.ref = r.bank_ref WHERE r.returned_on IS NOT NULL "
        f"AND ({store.among('r.return_code')} OR l.status = 'no_debits')) "
        f"SELECT e.id, {_LINKED} FROM ach_entries e JOIN bank_accounts b ON b.ref = e.bank_ref "
        f"WHERE {store.among('e.id')} AND NOT e.is_credit AND e.purpose IN ('payment', 'micro', 'prenote') "
        "AND (b.status IN ('closed', 'failed', 'no_debits') OR e.account IN "
        "(SELECT account FROM stopped UNION SELECT o.account FROM stopped s "
        f"JOIN person_accounts p ON p.account = s.account {_OTHERS}))",
        (store.listed(codes), store.listed(ids)),
    )
    return {id: BankAccountRow(*row) for id, *row in found}


def lock_holders(store: Store, accounts: Sequence[str]) -> None:
    """Let nobody put what is these holders' into a file, or ask it of the bank, until the commit."""
    if store.postgres and accounts:
        listed = store.listed(accounts)
        store.execute(
            "SELECT 1 FROM users WHERE account IN (SELECT u.account FROM users u "  # noqa: S608
            f"WHERE {store.among('u.account')} UNION SELECT o.account FROM person_accounts p {_OTHERS} "
            f"WHERE {store.among('p.account')}) ORDER BY account FOR UPDATE",
            (listed, listed),
        )
