"""Where the identity check of each account stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sdt.store import accounts
from sdt.store.database import Store
from sdt.store.standing import NOT_ENDED

__all__ = ["DeskRow", "ExaminationRow", "get", "open_applications", "page", "put", "waiting_for_desk"]


class ExaminationRow(NamedTuple):
    """One identity check: the user's columns first, then the examination's.

    `round` counts applications of the account, the first and each renewal. `subjects` and the reasons are lists of
    codes. Units: times in unix seconds, `updated_at_ms` in milliseconds.
    """

    account: str
    application: str | None
    status: str | None
    reasons: Sequence[str]
    round: int
    attempts_left: int
    tier: int
    resident: bool | None
    residency: str
    residency_reasons: Sequence[str]
    subjects: Sequence[dict[str, Any]]
    decided_at_s: int | None
    expires_at_s: int | None
    decision_act: str | None
    updated_at_ms: int


class DeskRow(NamedTuple):
    """Somebody for the identity desk, and whether what stands on chain in each domain is what was found."""

    user_id: str
    account: str
    residency: str
    application: str
    status: str
    decision_act: str | None
    dollar_tier: int | None
    cash_tier: int | None
    dollar_stands: bool
    cash_stands: bool


_OWN: Final = (
    "round",
    "attempts_left",
    "tier",
    "resident",
    "residency",
    "residency_reasons",
    "subjects",
    "decided_at_s",
    "expires_at_s",
    "decision_act",
    "updated_at_ms",
)
_SELECT: Final = (
    f"SELECT u.account, u.kyc_application, u.kyc_status, u.kyc_reasons, {', '.join('e.' + c for c in _OWN)} "  # noqa: S608
    "FROM users u JOIN examinations e ON e.account = u.account "
)


def get(store: Store, account: str, *, lock: bool = False) -> ExaminationRow | None:
    """Return the identity check of an account; with `lock` nobody else changes it until the transaction ends."""
    tail = " FOR UPDATE" if lock and store.postgres else ""
    found = store.row(f"{_SELECT}WHERE u.account = ?{tail}", (account,))
    return _row(found) if found else None


def _row(found: Any) -> ExaminationRow:
    row = ExaminationRow._make(found)
    return row._replace(
        reasons=json.loads(found[3]),
        resident=None if row.resident is None else bool(row.resident),
        residency_reasons=json.loads(found[9]),
        subjects=json.loads(found[10]),
    )


def page(store: Store, status: str, after: str, limit: int) -> list[ExaminationRow]:
    """Return the checks that stand so, by account, the first after `after`."""
    found = store.rows(
        f"{_SELECT}WHERE u.kyc_status = ? AND u.account > ? ORDER BY u.account LIMIT ?", (status, after, limit)
    )
    return [_row(row) for row in found]


def put(store: Store, row: ExaminationRow) -> None:
    """Write where an identity check stands now."""
    assert row.status is not None
    with store.transaction():
        accounts.set_kyc(store, row.account, row.application, row.status, row.reasons)
        values = (
            row.account,
            *row[4:9],
            json.dumps(list(row.residency_reasons)),
            json.dumps(list(row.subjects)),
            *row[11:],
        )
        store.execute(
            f"INSERT INTO examinations (account, {', '.join(_OWN)}) VALUES ({', '.join('?' * len(values))}) "  # noqa: S608
            f"ON CONFLICT (account) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in _OWN)}",
            values,
        )


def open_applications(store: Store, statuses: Sequence[str], limit: int = 500) -> list[str]:
    """Return the applications at the vendor that stand so, those not looked at for longest first.

    Those from before examinations were kept in detail are among them, whatever their status.
    """
    found = store.rows(
        "SELECT u.kyc_application FROM users u LEFT JOIN examinations e ON e.account = u.account "  # noqa: S608
        f"WHERE u.kyc_application IS NOT NULL AND (e.account IS NULL OR (e.decision_act IS NULL AND "
        f"({store.among('u.kyc_status')} OR {store.among('e.residency')} AND u.kyc_status = 'passed'))) "
        "ORDER BY coalesce(e.updated_at_ms, 0) LIMIT ?",
        (store.listed(statuses), store.listed(statuses), limit),
    )
    return [application for (application,) in found]


def waiting_for_desk(store: Store, limit: int) -> list[DeskRow]:
    """Return whom the identity desk is to attest: what is established is not on chain yet, or is there otherwise.

    Whoever's attestation is under way waits; whose corrected data the vendor has not got too, for the desk asks the
    vendor, who speaks of the data of before. Who was found comes first: who was not, however many, keep nobody back.
    """
    found = store.rows(
        "SELECT * FROM (SELECT u.user_id, u.account, u.residency, u.kyc_application, u.kyc_status, e.decision_act, "  # noqa: S608
        "d.tier AS dollar_tier, c.tier AS cash_tier, "
        f"{_stands('d')} AND (e.resident IS NULL OR NOT e.resident OR d.resident) AS dollar_stands, "
        f"{_stands('c')} AS cash_stands, coalesce(e.resident, d.resident, ?) AS lives_here, u.created_at_ms, "
        "e.round, coalesce(e.updated_at_ms, 0) AS looked_at_ms "
        "FROM users u "
        "LEFT JOIN examinations e ON e.account = u.account "
        "LEFT JOIN identities d ON d.account = u.account AND d.domain = 'dollar' "
        "LEFT JOIN identities c ON c.account = u.account AND c.domain = 'cash' "
        "WHERE u.registered AND u.kyc_application IS NOT NULL) AS w WHERE ("
        "(kyc_status = 'pending' AND dollar_tier IS NULL) "
        "OR (kyc_status = 'passed' AND NOT (dollar_stands AND (cash_stands OR NOT lives_here))) "
        "OR (kyc_status = 'failed' AND decision_act IS NOT NULL AND (dollar_tier > 0 OR cash_tier > 0))) "
        "AND (decision_act IS NOT NULL OR NOT EXISTS (SELECT 1 FROM outbox o WHERE o.topic = 'identity' "
        "AND o.done_at_ms IS NULL AND o.key >= account || ':' || round || ':' "
        "AND o.key < account || ':' || round || ';')) "
        "ORDER BY kyc_status = 'pending', looked_at_ms, created_at_ms LIMIT ?",
        (False, limit),
    )
    # Asked of those few alone, and not in the same statement: there the planner may read the whole history.
    under_way = _attested_soon(store, [row[1] for row in found])
    return [DeskRow._make((*row[:8], bool(row[8]), bool(row[9]))) for row in found if row[1] not in under_way]


def _attested_soon(store: Store, accounts: Sequence[str]) -> set[str]:
    """Return those of these accounts whose attestation is under way."""
    if not accounts:
        return set()
    found = store.rows(
        f"SELECT counterparty FROM transactions WHERE {store.among('counterparty')} "  # noqa: S608
        f"AND type = 'attest_identity' AND {NOT_ENDED}",
        (store.listed(accounts),),
    )
    return {account for (account,) in found}


def _stands(identity: str) -> str:
    """Return the condition that an attested identity is what the examination found; one of before was not kept."""
    return (
        f"({identity}.account IS NOT NULL AND (e.expires_at_s IS NULL OR ({identity}.expires_at_s >= e.expires_at_s "
        f"AND {identity}.tier = e.tier)))"
    )
