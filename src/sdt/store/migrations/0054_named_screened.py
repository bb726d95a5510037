"""Whoever linked bank accounts name and whoever handed in currency are screened with their accounts from now on."""

from __future__ import annotations

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Have those accounts screened anew that name somebody, whatever was found of the people behind them."""
    db.execute_sql(
        "UPDATE sanctions_standing SET valid_until_s = 0 WHERE account IN (SELECT account FROM bank_accounts) "
        "OR account IN (SELECT account FROM currency_deposits)"
    )


def down(migrator: Any, db: Any) -> None:
    """Leave it: they are screened once more."""
