"""Currency at the sandbox bank's counter: coin and paper that a clerk counts, and who hands it in.

The clerk looks at a document of whoever stands at the counter, and asks for whom the money is.
Source: 31 C.F.R. 1010.312 (identification of whoever conducts a transaction in currency).
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import NotFound, Unprocessable
from sdt.sandbox import accounts
from sdt.sandbox.fields import Address, Name, Reference, Slug, Units, rfc3339

__all__ = ["SCHEMA", "CurrencyDeposit", "CurrencyOrder", "count", "find"]

SCHEMA: Final = """
create table if not exists currency(
  id text primary key, account text not null references account(id), cents integer not null,
  reference text not null unique, by_holder integer not null, conductor text not null, at real not null) without rowid;
"""


class Conductor(Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever stands at the counter, as the document says."""

    given_name: Name
    family_name: Name
    born_on: Annotated[str, Meta(pattern=r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}\Z")]
    address: Address
    document: Literal["drivers_license", "state_id", "passport"]
    document_number: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{3,25}\Z")]
    document_issuer: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]

    def __repr__(self) -> str:
        return "Conductor(…)"


class CurrencyOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Count currency into a clearing account; `by_holder`: who hands it in is who it is for.

    `hours_ago`: the slip of an earlier day, that a courier brought to be booked today.
    """

    account: Slug
    amount_cents: Units
    reference: Reference
    by_holder: bool
    conductor: Conductor
    hours_ago: Annotated[int, Meta(ge=0, le=24 * 30)] = 0


class CurrencyDeposit(Struct, frozen=True):
    """Currency that was counted."""

    deposit_id: str
    account: str
    amount_cents: str
    reference: str
    by_holder: bool
    conductor: Conductor
    counted_at: str


def count(connection: sqlite3.Connection, order: CurrencyOrder, now: float) -> CurrencyDeposit:
    """Count what was handed in: it is in the account at once. One reference is counted once.

    Errors: NotFound; Unprocessable (not_clearing, counted_already).
    """
    if accounts.kind_of(connection, order.account) != "clearing":
        raise Unprocessable("Currency is counted into a clearing account only.", code="not_clearing")
    if connection.execute("select 1 from currency where reference = ?", (order.reference,)).fetchone():
        raise Unprocessable("Currency was counted under this reference before.", code="counted_already")
    deposit, cents, at = f"cur_{secrets.token_hex(12)}", int(order.amount_cents), now - order.hours_ago * 3600
    connection.execute(
        "insert into currency values(?, ?, ?, ?, ?, ?, ?)",
        (deposit, order.account, cents, order.reference, order.by_holder, msgspec.json.encode(order.conductor), at),
    )
    accounts.post(
        connection, order.account, "in", cents, kind="currency", subject=deposit, reference=order.reference, at=at
    )
    return find(connection, deposit)


def find(connection: sqlite3.Connection, deposit: str) -> CurrencyDeposit:
    """Return what was counted. Errors: NotFound."""
    row = connection.execute(
        "select id, account, cents, reference, by_holder, conductor, at from currency where id = ?", (deposit,)
    ).fetchone()
    if row is None:
        raise NotFound("There is no such deposit of currency.", code="currency_unknown")
    conductor = msgspec.json.decode(row[5], type=Conductor)
    return CurrencyDeposit(row[0], row[1], str(row[2]), row[3], bool(row[4]), conductor, rfc3339(row[6]))
