"""Lists in force, and how everybody stands: rows alone. Who may be meant is in `sanctions_matches`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sdt.store.database import Store
from sdt.store.registry import lock_account

__all__ = [
    "UNPAYABLE",
    "ListRow",
    "Progress",
    "StandingRow",
    "add_list",
    "due_among",
    "edition",
    "editions",
    "held_issues",
    "in_force",
    "outdate",
    "payout_waits",
    "progress",
    "put_in_force",
    "put_standing",
    "rescreened",
    "set_standing",
    "standing",
    "standing_of",
    "unpayable",
    "unscreened",
]


class ListRow(NamedTuple):
    """One edition of the list. Counts say what it changed against the one in force when it was loaded.

    `addresses` is None of what was loaded before they were counted.
    """

    digest: str
    list_date: str
    entries: int
    names: int
    added: int
    removed: int
    changed: int
    loaded_at_ms: int
    loaded_by: str
    in_force_at_ms: int | None = None
    put_by: str | None = None
    superseded_at_ms: int | None = None
    rescreened_at_ms: int | None = None
    addresses: int | None = None


class StandingRow(NamedTuple):
    """How the people behind one account stand: `clear`, `review` or `blocked`."""

    account: str
    standing: str
    party_digest: str
    list_digest: str
    valid_until_s: int
    screened_at_ms: int


class Progress(NamedTuple):
    """How far everybody is screened against the edition in force."""

    people: int
    screened: int
    review: int
    blocked: int


_LIST: Final = ", ".join(ListRow._fields)
_STANDING: Final = ", ".join(StandingRow._fields)
_SETS: Final = ", ".join(f"{name} = excluded.{name}" for name in (*StandingRow._fields[1:], "asked_digest"))
_UNASKED: Final = "coalesce(s.asked_digest, '') <> s.party_digest"
"""Of a standing `s`: written by a version that asks about those behind an account alone, and may write it once more."""


def add_list(store: Store, row: ListRow) -> bool:
    """Note an edition whose files are in place; return whether it is new."""
    with store.transaction():
        added: int = store.execute(
            f"INSERT INTO sanctions_lists ({_LIST}) VALUES ({', '.join('?' * len(row))}) "  # noqa: S608
            "ON CONFLICT (digest) DO NOTHING",
            row,
        ).rowcount
    return added == 1


def edition(store: Store, digest: str) -> ListRow | None:
    """Return an edition that was loaded."""
    found = store.row(f"SELECT {_LIST} FROM sanctions_lists WHERE digest = ?", (digest,))  # noqa: S608
    return ListRow(*found) if found else None


def in_force(store: Store) -> ListRow | None:
    """Return the edition in force; None before the first."""
    found = store.row(
        f"SELECT {_LIST} FROM sanctions_lists WHERE in_force_at_ms IS NOT NULL AND superseded_at_ms IS NULL "  # noqa: S608
        "ORDER BY in_force_at_ms DESC LIMIT 1"
    )
    return ListRow(*found) if found else None


def editions(store: Store, limit: int = 20) -> list[ListRow]:
    """Return the editions that were loaded, the newest first."""
    found = store.rows(f"SELECT {_LIST} FROM sanctions_lists ORDER BY loaded_at_ms DESC LIMIT ?", (limit,))  # noqa: S608
    return [ListRow(*row) for row in found]


def put_in_force(store: Store, digest: str, put_by: str, at_ms: int) -> None:
    """Let one edition follow the one in force."""
    with store.transaction():
        store.execute(
            "UPDATE sanctions_lists SET superseded_at_ms = ? WHERE in_force_at_ms IS NOT NULL "
            "AND superseded_at_ms IS NULL",
            (at_ms,),
        )
        changed = store.execute(
            "UPDATE sanctions_lists SET in_force_at_ms = ?, put_by = ?, superseded_at_ms = NULL, "
            "rescreened_at_ms = NULL WHERE digest = ?",
            (at_ms, put_by, digest),
        ).rowcount
        assert changed == 1, "only an edition that was loaded is put in force"


def rescreened(store: Store, digest: str, at_ms: int) -> None:
    """Note when everybody had been screened against an edition."""
    with store.transaction():
        store.execute(
            "UPDATE sanctions_lists SET rescreened_at_ms = ? WHERE digest = ? AND rescreened_at_ms IS NULL",
            (at_ms, digest),
        )


def standing(store: Store, account: str) -> StandingRow | None:
    """Return how an account stands, with what it was screened with."""
    found = store.row(f"SELECT {_STANDING} FROM sanctions_standing WHERE account = ?", (account,))  # noqa: S608
    return StandingRow(*found) if found else None


def standing_of(store: Store, account: str, *, lock: bool = False) -> str | None:
    """Return how an account stands, as payments see it; with `lock` nobody else judges it until the commit."""
    tail = " FOR UPDATE" if lock and store.postgres else ""
    found = store.row(f"SELECT standing FROM users WHERE account = ?{tail}", (account,))  # noqa: S608
    return found[0] if found else None


def put_standing(store: Store, row: StandingRow) -> None:
    """Write how an account stands, and where payments look."""
    with store.transaction():
        store.execute(
            f"INSERT INTO sanctions_standing ({_STANDING}, asked_digest) VALUES (?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            f"ON CONFLICT (account) DO UPDATE SET {_SETS}",
            (*row, row.party_digest),
        )
        store.execute("UPDATE users SET standing = ? WHERE account = ?", (row.standing, row.account))


def set_standing(store: Store, account: str, standing: str, valid_until_s: int) -> None:
    """Write what officers decided of an account that was screened."""
    with store.transaction():
        store.execute(
            "UPDATE sanctions_standing SET standing = ?, valid_until_s = ? WHERE account = ?",
            (standing, valid_until_s, account),
        )
        store.execute("UPDATE users SET standing = ? WHERE account = ?", (standing, account))


def outdate(store: Store, account: str) -> None:
    """Let an account be screened anew: whom it names changed, or an officer ended what was ignored.

    Nothing goes out to its bank accounts until that is done. Within the transaction that changes it, and before:
    whoever writes at this moment how the account stands is waited for, and whoever does after it sees the change.
    """
    lock_account(store, account)
    store.execute("UPDATE sanctions_standing SET valid_until_s = 0 WHERE account = ?", (account,))


UNPAYABLE: Final = (
    "(u.standing IN ('review', 'blocked') OR (u.person_sealed IS NOT NULL AND EXISTS "  # noqa: S608 - words of ours
    f"(SELECT 1 FROM sanctions_standing s WHERE s.account = u.account AND (s.valid_until_s = 0 OR {_UNASKED}))))"
)
"""Of a user `u`: not clear, or somebody is named who is not screened yet. An erased one is screened no more."""


def payout_waits(store: Store, transaction_id: str) -> bool:
    """Return whether a redemption is not paid out now, because its account is not clear or not screened as it is."""
    found = store.row(
        "SELECT 1 FROM transactions t JOIN users u ON u.account = t.account "  # noqa: S608
        f"WHERE t.id = ? AND t.type = 'redeem' AND {UNPAYABLE}",
        (transaction_id,),
    )
    return found is not None


def unpayable(store: Store, account: str) -> bool:
    """Return whether nothing goes out to an account's bank accounts now: it is not clear, or not screened as it is."""
    return store.row(f"SELECT 1 FROM users u WHERE u.account = ? AND {UNPAYABLE}", (account,)) is not None  # noqa: S608


def held_issues(store: Store, account: str) -> list[str]:
    """Return mints for an account that wait for their second officer; nobody else moves them until the commit."""
    tail = " FOR UPDATE" if store.postgres else ""
    found = store.rows(
        "SELECT id FROM transactions WHERE counterparty = ? AND type = 'issue' AND status = 'held' "  # noqa: S608
        f"ORDER BY seq{tail}",
        (account,),
    )
    return [transaction_id for (transaction_id,) in found]


def unscreened(store: Store, list_digest: str, now_s: int, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
    """Return (created_at_ms, account) of those not yet screened as they are against an edition, or whose time is over.

    The oldest first, from `after` on. Nobody who was erased.
    """
    return store.rows(
        "SELECT u.created_at_ms, u.account FROM users u "  # noqa: S608 - words of ours
        "LEFT JOIN sanctions_standing s ON s.account = u.account "
        "LEFT JOIN person_keys k ON k.user_id = u.user_id "
        "WHERE u.person_sealed IS NOT NULL AND k.erased_at_ms IS NULL AND (u.created_at_ms, u.account) > (?, ?) "
        f"AND (s.account IS NULL OR s.list_digest <> ? OR s.valid_until_s <= ? OR {_UNASKED}) "
        "ORDER BY u.created_at_ms, u.account LIMIT ?",
        (*after, list_digest, now_s, limit),
    )


def due_among(store: Store, accounts: Collection[str], now_s: int) -> set[str]:
    """Return those of these accounts not screened as they are against the list in force, or whose time is over."""
    if not accounts:
        return set()
    found = store.rows(
        "SELECT s.account FROM sanctions_standing s JOIN sanctions_lists l ON l.digest = s.list_digest "  # noqa: S608
        f"WHERE {store.among('s.account')} AND s.valid_until_s > ? AND NOT {_UNASKED} AND l.in_force_at_ms IS NOT NULL "
        "AND l.superseded_at_ms IS NULL",
        (store.listed(accounts), now_s),
    )
    return set(accounts) - {account for (account,) in found}


def progress(store: Store, list_digest: str) -> Progress:
    """Return how far everybody is screened, and how many are not clear."""
    (people,) = store.row(
        "SELECT count(*) FROM users u LEFT JOIN person_keys k ON k.user_id = u.user_id "
        "WHERE u.person_sealed IS NOT NULL AND k.erased_at_ms IS NULL"
    )
    (done,) = store.row(
        "SELECT count(*) FROM sanctions_standing s JOIN users u ON u.account = s.account "
        "LEFT JOIN person_keys k ON k.user_id = u.user_id "
        "WHERE s.list_digest = ? AND u.person_sealed IS NOT NULL AND k.erased_at_ms IS NULL",
        (list_digest,),
    )
    hit = dict(
        store.rows("SELECT standing, count(*) FROM sanctions_standing WHERE standing <> 'clear' GROUP BY standing")
    )
    return Progress(int(people), int(done), int(hit.get("review", 0)), int(hit.get("blocked", 0)))
