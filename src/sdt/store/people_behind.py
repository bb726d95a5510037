"""Which accounts one person stands behind. A person is a keyed digest here: nothing of this says who it is."""

from __future__ import annotations

from collections.abc import Collection

from sdt.store.database import Store

__all__ = ["accounts_by_person", "accounts_of", "link", "linked", "persons_of"]


def link(store: Store, account: str, persons: Collection[str]) -> None:
    """Note who stands behind an account. Who did once still counts: what they moved then is theirs."""
    with store.transaction():
        store.many(
            "INSERT INTO person_accounts (person, account) VALUES (?, ?) ON CONFLICT (person, account) DO NOTHING",
            [(person, account) for person in sorted(persons)],
        )


def linked(store: Store, accounts: Collection[str]) -> set[str]:
    """Return those of these accounts behind which somebody is known to stand."""
    found = store.rows(
        f"SELECT DISTINCT account FROM person_accounts WHERE {store.among('account')}",  # noqa: S608
        (store.listed(accounts),),
    )
    return {account for (account,) in found}


def persons_of(store: Store, account: str) -> list[str]:
    """Return who stands behind an account."""
    found = store.rows("SELECT person FROM person_accounts WHERE account = ? ORDER BY person", (account,))
    return [person for (person,) in found]


def accounts_of(store: Store, person: str) -> list[str]:
    """Return the accounts that somebody stands behind."""
    found = store.rows("SELECT account FROM person_accounts WHERE person = ? ORDER BY account", (person,))
    return [account for (account,) in found]


def accounts_by_person(
    store: Store, accounts: Collection[str], persons: Collection[str], limit: int
) -> dict[str, list[str]]:
    """Return all the accounts of everybody who is one of these persons or stands behind one of these accounts."""
    found = store.rows(
        "SELECT person, account FROM person_accounts WHERE person IN "  # noqa: S608
        f"(SELECT person FROM person_accounts WHERE {store.among('account')} "
        f"UNION SELECT person FROM person_accounts WHERE {store.among('person')}) ORDER BY person, account LIMIT ?",
        (store.listed(accounts), store.listed(persons), limit),
    )
    by_person: dict[str, list[str]] = {}
    for person, account in found:
        by_person.setdefault(person, []).append(account)
    return by_person
