"""What waits for the identity desk: where to look at the vendor, or the officers' acts that decided."""

from __future__ import annotations

from typing import Any, Final

from sdt.domain.envelope import b64url
from sdt.store import Store, accounts, examinations, office

__all__ = ["identity_tasks", "papers"]

TASKS_MAX: Final = 500


def identity_tasks(store: Store) -> list[dict[str, Any]]:
    """Return the accounts whose identity is decided, or looked at, and stands otherwise on chain.

    `attested` are the domains that stand as they should; `standing` those in which a tier is attested at all.
    """
    return [_task(store, row) for row in examinations.waiting_for_desk(store, TASKS_MAX)]


def _task(store: Store, row: examinations.DeskRow) -> dict[str, Any]:
    stands = {"dollar": row.dollar_stands, "cash": row.cash_stands}
    tiers = {"dollar": row.dollar_tier, "cash": row.cash_tier}
    return {
        "kind": "application",
        "user_id": row.user_id,
        "account": row.account,
        "residency": row.residency,
        "application_id": row.application,
        "kyc_status": row.status,
        "attested": [domain for domain, right in stands.items() if right],
        "standing": [domain for domain, tier in tiers.items() if tier],
        "decision": papers(store, row.decision_act) if row.decision_act else None,
    }


def papers(store: Store, act_id: str) -> dict[str, Any]:
    """Return an act that was agreed to, and the word for it: exact bytes, and the keys to check them with."""
    act = office.get(store, act_id)
    assert act is not None, "a decision names its act"
    agree = office.get(store, act.second_act or "")
    assert agree is not None, "a decision was agreed to"
    keys = {kid: accounts.key(store, kid) for kid in (act.kid, agree.kid)}
    return {
        "act": bytes(act.raw).decode("ascii"),
        "agree": bytes(agree.raw).decode("ascii"),
        "keys": {kid: b64url(bytes(key.public_key)).decode() for kid, key in keys.items() if key},
    }
