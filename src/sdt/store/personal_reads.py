"""Who looked at what is known of a person, and when: written before it is shown."""

from __future__ import annotations

from typing import NamedTuple

from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.people import PersonalRead

__all__ = ["PersonalReadRow", "note", "of_account"]


class PersonalReadRow(NamedTuple):
    """One look. `what` is `party`, or `document` and its id."""

    account: str
    kid: str
    what: str
    at_ms: int


def note(store: Store, row: PersonalReadRow) -> None:
    """Note a look."""
    insert_rows(store, PersonalRead, PersonalReadRow._fields, [row])


def of_account(store: Store, account: str, limit: int = 200) -> list[PersonalReadRow]:
    """Return the looks at an account, the newest first."""
    found = store.rows(
        "SELECT account, kid, what, at_ms FROM personal_reads WHERE account = ? ORDER BY seq DESC LIMIT ?",
        (account, limit),
    )
    return [PersonalReadRow(*row) for row in found]
