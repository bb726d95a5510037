"""What befalls a sandbox vault: a bar is lost, a bar fails its re-assay, and days on which nothing is signed."""

from __future__ import annotations

import sqlite3
from typing import Final

from sdt.domain.errors import Unavailable, Unprocessable
from sdt.sandbox import accounts, redemptions
from sdt.sandbox.depository_messages import BarAnswer, Silence, SilenceAnswer
from sdt.sandbox.fields import rfc3339
from sdt.sandbox.weight import fine_ng

SCHEMA: Final = "create table if not exists silence(vault text primary key, until real not null) without rowid;"
IN_VAULT: Final = ("held", "locked", "picked")


def lose(connection: sqlite3.Connection, bar: BarAnswer, now: float) -> None:
    """Note that a bar is gone: out of the holding statement at once.

    Errors: Unprocessable when it is not in the vault.
    """
    _check_there(bar)
    redemptions.break_orders(connection, bar.bar_id)
    connection.execute("update bar set status = 'lost' where bar_id = ?", (bar.bar_id,))
    _post(connection, bar, int(bar.fine_ng), "loss", now)


def reassay(connection: sqlite3.Connection, bar: BarAnswer, fineness: int, now: float) -> None:
    """Cut a bar's fine weight to what a new assay finds. Errors: Unprocessable when it finds no less."""
    _check_there(bar)
    fine = fine_ng(bar.form, int(bar.gross_ng), fineness)
    if fine >= int(bar.fine_ng):
        raise Unprocessable("The bar counts for no less than before.", code="reassay_passed")
    redemptions.break_orders(connection, bar.bar_id)
    connection.execute(
        "update bar set status = 'held', fineness = ?, fine_ng = ? where bar_id = ?", (fineness, fine, bar.bar_id)
    )
    _post(connection, bar, int(bar.fine_ng) - fine, "reassay", now)


def fall_silent(connection: sqlite3.Connection, vault: str, order: Silence, now: float) -> SilenceAnswer:
    """Sign no holding statement for some seconds; 0 ends it. Errors: NotFound."""
    accounts.kind_of(connection, vault)
    until = now + order.seconds
    connection.execute("insert or replace into silence values(?, ?)", (vault, until))
    return SilenceAnswer(vault, rfc3339(until))


def check_speaks(connection: sqlite3.Connection, vault: str, now: float) -> None:
    """Errors: Unavailable while the vault signs nothing."""
    row = connection.execute("select until from silence where vault = ?", (vault,)).fetchone()
    if row is not None and now < row[0]:
        raise Unavailable("The vault is closed for stock-taking: no statement is signed.", code="vault_closed")


def _check_there(bar: BarAnswer) -> None:
    if bar.status not in IN_VAULT:
        raise Unprocessable(f"A bar that is {bar.status} is not in the vault.", code="bar_not_in_vault")


def _post(connection: sqlite3.Connection, bar: BarAnswer, ng: int, kind: str, now: float) -> None:
    accounts.post(connection, bar.vault, "out", ng, kind=kind, subject=bar.bar_id, reference=bar.drop_off, at=now)
