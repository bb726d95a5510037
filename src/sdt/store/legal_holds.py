"""Orders that forbid to erase what is known of an account."""

from __future__ import annotations

from typing import Final, NamedTuple

from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.people import LegalHold

__all__ = ["LegalHoldRow", "get", "lift", "of_account", "place"]


class LegalHoldRow(NamedTuple):
    """One order; `id` is the act that placed it, `placed_by` the kid of the officer's key."""

    id: str
    account: str
    order_number: str
    authority: str
    placed_by: str
    placed_at_ms: int
    lifted_act: str | None = None
    lifted_at_ms: int | None = None


_COLUMNS: Final = ", ".join(LegalHoldRow._fields)


def place(store: Store, row: LegalHoldRow) -> None:
    """Place a hold."""
    insert_rows(store, LegalHold, LegalHoldRow._fields, [row])


def get(store: Store, id: str) -> LegalHoldRow | None:
    """Return a hold by the act that placed it."""
    found = store.row(f"SELECT {_COLUMNS} FROM legal_holds WHERE id = ?", (id,))  # noqa: S608
    return LegalHoldRow(*found) if found else None


def lift(store: Store, id: str, act_id: str, at_ms: int) -> bool:
    """Lift a hold; return whether it stood."""
    changed: int = store.execute(
        "UPDATE legal_holds SET lifted_act = ?, lifted_at_ms = ? WHERE id = ? AND lifted_act IS NULL",
        (act_id, at_ms, id),
    ).rowcount
    return changed == 1


def of_account(store: Store, account: str, *, standing: bool = False) -> list[LegalHoldRow]:
    """Return the holds of an account, the oldest first; `standing`: only those that were not lifted."""
    condition = " AND lifted_act IS NULL" if standing else ""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM legal_holds WHERE account = ?{condition} ORDER BY placed_at_ms, id",  # noqa: S608
        (account,),
    )
    return [LegalHoldRow(*row) for row in found]
