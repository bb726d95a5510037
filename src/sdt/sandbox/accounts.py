"""Accounts with numbered statement lines: dollars at the bank, fine weight in a vault."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final, Literal

from sdt.domain.errors import NotFound

SCHEMA: Final = """
create table if not exists account(
  id text primary key, kind text not null, balance integer not null, last_sequence integer not null) without rowid;
create table if not exists line(
  account text not null references account(id), sequence integer not null, kind text not null, flow text not null,
  units integer not null check (units > 0), subject text not null, reference text not null, at real not null,
  primary key(account, sequence)) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One movement, as stored."""

    sequence: int
    kind: str
    flow: Literal["in", "out"]
    units: int
    subject: str
    reference: str
    at: float


@dataclass(frozen=True, slots=True)
class Lines:
    """An account's balance (below zero when overdrawn) and the lines after a number."""

    balance: int
    last_sequence: int
    lines: tuple[Line, ...]
    more: bool


def open_account(connection: sqlite3.Connection, account: str, kind: str) -> bool:
    """Open an empty account; return False when it was there."""
    return bool(connection.execute("insert or ignore into account values(?, ?, 0, 0)", (account, kind)).rowcount)


def kind_of(connection: sqlite3.Connection, account: str) -> str:
    """Return what an account is for.

    Errors: NotFound.
    """
    row = connection.execute("select kind from account where id = ?", (account,)).fetchone()
    if row is None:
        raise NotFound("There is no such account.", code="account_unknown")
    kind: str = row[0]
    return kind


def balance_of(connection: sqlite3.Connection, account: str) -> int:
    """Return the balance in the account's smallest unit."""
    balance: int = connection.execute("select balance from account where id = ?", (account,)).fetchone()[0]
    return balance


def post(
    connection: sqlite3.Connection,
    account: str,
    flow: Literal["in", "out"],
    units: int,
    *,
    kind: str,
    subject: str,
    reference: str,
    at: float,
) -> None:
    """Move value in or out and write the next line."""
    change = units if flow == "in" else -units
    sequence = connection.execute(
        "update account set balance = balance + ?, last_sequence = last_sequence + 1 where id = ?"
        " returning last_sequence",
        (change, account),
    ).fetchone()[0]
    connection.execute(
        "insert into line values(?, ?, ?, ?, ?, ?, ?, ?)",
        (account, sequence, kind, flow, units, subject, reference, at),
    )


def lines_after(connection: sqlite3.Connection, account: str, after: int, limit: int) -> Lines:
    """Return the balance now and at most `limit` lines numbered above `after`.

    Errors: NotFound.
    """
    kind_of(connection, account)
    balance, last = connection.execute("select balance, last_sequence from account where id = ?", (account,)).fetchone()
    rows = connection.execute(
        "select sequence, kind, flow, units, subject, reference, at from line"
        " where account = ? and sequence > ? order by sequence limit ?",
        (account, after, limit),
    ).fetchall()
    lines = tuple(Line(*row) for row in rows)
    return Lines(balance, last, lines, more=bool(lines) and lines[-1].sequence < last)
