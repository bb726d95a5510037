"""Whom an account's record named before: sealed as it was, kept until the person is erased."""

from __future__ import annotations

from sdt.store.database import Store

__all__ = ["forget", "keep", "last_passed"]


def keep(store: Store, account: str, round: int, *, passed: bool, at_ms: int) -> None:
    """Keep whom the record names now, in a round of the identity check. `passed` says that it had passed with them.

    Whoever calls has the account's identity check to itself until the commit.
    """
    store.execute(
        "INSERT INTO former_parties (account, n, round, sealed, passed, kept_at_ms) "
        "SELECT u.account, (SELECT coalesce(max(f.n), 0) + 1 FROM former_parties f WHERE f.account = u.account), "
        "?, u.person_sealed, ?, ? FROM users u WHERE u.account = ? AND u.person_sealed IS NOT NULL",
        (round, passed, at_ms, account),
    )


def last_passed(store: Store, account: str) -> bytes | None:
    """Return whom the identity check passed with last; None where the record itself names them, or it never passed."""
    found = store.row(
        "SELECT f.sealed FROM former_parties f JOIN users u ON u.account = f.account "
        "WHERE f.account = ? AND f.passed AND f.sealed IS NOT NULL AND coalesce(u.kyc_status, '') <> 'passed' "
        "ORDER BY f.n DESC LIMIT 1",
        (account,),
    )
    return bytes(found[0]) if found else None


def forget(store: Store, account: str) -> None:
    """Empty everything that was kept of an account; that it was kept stands."""
    store.execute("UPDATE former_parties SET sealed = NULL WHERE account = ?", (account,))
