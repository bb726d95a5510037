"""What monitoring keeps of movements: how far it has read, days added up, and the larger movements themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple

from sdt.domain.monitoring.movements import Book, Channel, Direction, DomainName, Movement, Slot, Total
from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.monitoring import Movement as MovementTable

__all__ = [
    "Horizon",
    "PostingRow",
    "add_days",
    "advance",
    "books",
    "cursor",
    "horizon",
    "is_reached",
    "keep",
    "kept",
    "last_days",
    "mark_judged",
    "page",
    "pairs",
    "unjudged",
]


class PostingRow(NamedTuple):
    """One posting with the type of its transaction. Units: the token's smallest; at_ms unix milliseconds."""

    id: int
    transaction_id: str
    debit: str
    credit: str
    token: str
    units: int
    at_ms: int
    type: str


class Horizon(NamedTuple):
    """Postings up to `last_id` are all there once every transaction below `ends_before` has ended."""

    last_id: int
    ends_before: int


def horizon(store: Store) -> Horizon:
    """Return how far postings reach now.

    PostgreSQL draws their numbers before the commit: a lower one may still appear, from a transaction that runs now.
    """
    (last,) = store.row("SELECT coalesce(max(id), 0) FROM postings")
    if not store.postgres:
        return Horizon(int(last), 0)
    (ends_before,) = store.row("SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)")
    return Horizon(int(last), int(ends_before))


def is_reached(store: Store, to: Horizon) -> bool:
    """Return whether nothing can appear at or below a horizon any more."""
    if not store.postgres:
        return True
    (running,) = store.row("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)")
    return int(running) >= to.ends_before


def page(store: Store, after: int, to: int, limit: int) -> list[PostingRow]:
    """Return the postings after one and up to another, in order."""
    found = store.rows(
        "SELECT p.id, p.transaction_id, p.debit, p.credit, p.token, p.units, p.at_ms, coalesce(t.type, '') "
        "FROM postings p LEFT JOIN transactions t ON t.id = p.transaction_id "
        "WHERE p.id > ? AND p.id <= ? ORDER BY p.id LIMIT ?",
        (after, to, limit),
    )
    return [PostingRow(*row) for row in found]


def cursor(store: Store, name: str) -> tuple[int, str | None]:
    """Return how far a part of monitoring has read: a number, and a mark of its own."""
    found = store.row("SELECT position, mark FROM monitor_cursors WHERE name = ?", (name,))
    return (int(found[0]), found[1]) if found else (0, None)


def advance(store: Store, name: str, before: int, after: int, mark: str | None = None) -> bool:
    """Move a cursor from where it stood; return False when somebody else moved it meanwhile."""
    with store.transaction():
        store.execute(
            "INSERT INTO monitor_cursors (name, position, mark) VALUES (?, 0, NULL) ON CONFLICT (name) DO NOTHING",
            (name,),
        )
        moved: int = store.execute(
            "UPDATE monitor_cursors SET position = ?, mark = ? WHERE name = ? AND position = ?",
            (after, mark, name, before),
        ).rowcount
    return moved == 1


def add_days(store: Store, totals: Iterable[tuple[str, date, Slot, Total]]) -> None:
    """Add to the days of accounts. A day that more comes to is to be looked at again when it is over."""
    rows = [
        (account, day.isoformat(), channel.value, direction.value, domain, total.count, total.cents, False)
        for account, day, (channel, direction, domain), total in sorted(totals, key=lambda row: (row[0], row[1]))
    ]
    if rows:
        store.many(
            "INSERT INTO movement_days (account, day, channel, direction, domain, count, cents, judged) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, day, channel, direction, domain) DO UPDATE SET "
            "count = movement_days.count + excluded.count, cents = movement_days.cents + excluded.cents, "
            "judged = excluded.judged",
            rows,
        )


def books(store: Store, accounts: Collection[str], since: date, until: date) -> dict[str, Book]:
    """Return the days of accounts within a span, both ends included."""
    found = store.rows(
        "SELECT account, day, channel, direction, domain, count, cents FROM movement_days "  # noqa: S608
        f"WHERE {store.among('account')} AND day BETWEEN ? AND ?",
        (store.listed(accounts), since.isoformat(), until.isoformat()),
    )
    kept: dict[str, dict[date, dict[Slot, Total]]] = {}
    for account, day, channel, direction, domain, count, cents in found:
        slot = (_CHANNEL[channel], _DIRECTION[direction], domain)
        kept.setdefault(account, {}).setdefault(date.fromisoformat(day), {})[slot] = Total(int(count), int(cents))
    return dict(kept)


def last_days(store: Store, accounts: Collection[str], before: date) -> dict[str, tuple[date, list[Slot]]]:
    """Return the last day before another on which each account moved anything, and by which ways."""
    found = store.rows(
        "SELECT d.account, d.day, d.channel, d.direction, d.domain FROM movement_days d JOIN "  # noqa: S608
        f"(SELECT account, max(day) AS day FROM movement_days WHERE {store.among('account')} AND day < ? "
        "GROUP BY account) AS last ON last.account = d.account AND last.day = d.day",
        (store.listed(accounts), before.isoformat()),
    )
    days: dict[str, tuple[date, list[Slot]]] = {}
    for account, day, channel, direction, domain in found:
        slots = days.setdefault(account, (date.fromisoformat(day), []))[1]
        slots.append((_CHANNEL[channel], _DIRECTION[direction], domain))
    return days


def unjudged(store: Store, before: date, limit: int) -> tuple[date, list[str]] | None:
    """Return the oldest day before another that was not looked at as a whole, and accounts that moved on it."""
    found = store.row("SELECT min(day) FROM movement_days WHERE NOT judged AND day < ?", (before.isoformat(),))
    if not found or found[0] is None:
        return None
    accounts = store.rows(
        "SELECT DISTINCT account FROM movement_days WHERE NOT judged AND day = ? ORDER BY account LIMIT ?",
        (found[0], limit),
    )
    return date.fromisoformat(found[0]), [account for (account,) in accounts]


def mark_judged(store: Store, accounts: Collection[str], day: date) -> None:
    """Note that a day of these accounts was looked at as a whole."""
    with store.transaction():
        store.execute(
            f"UPDATE movement_days SET judged = ? WHERE {store.among('account')} AND day = ? AND NOT judged",  # noqa: S608
            (True, store.listed(accounts), day.isoformat()),
        )


_KEPT: Final = ("transaction_id", "account", "channel", "direction", "domain", "cents", "at_s", "counterparty")


def keep(store: Store, movements: Sequence[Movement]) -> None:
    """Keep single movements, each once."""
    if not movements:
        return
    known = set(
        store.rows(
            f"SELECT transaction_id, account, direction FROM movements WHERE {store.among('transaction_id')}",  # noqa: S608
            (store.listed({m.id for m in movements}),),
        )
    )
    rows = [
        (m.id, m.person, m.channel.value, m.direction.value, m.domain, m.cents, m.at_s, m.counterparty)
        for m in movements
        if (m.id, m.person, m.direction.value) not in known
    ]
    insert_rows(store, MovementTable, _KEPT, rows)


def kept(store: Store, account: str, transaction_ids: Collection[str]) -> list[Movement]:
    """Return an account's kept movements of these transactions."""
    found = store.rows(
        "SELECT transaction_id, account, channel, direction, cents, at_s, counterparty, domain FROM movements "  # noqa: S608
        f"WHERE account = ? AND {store.among('transaction_id')}",
        (account, store.listed(transaction_ids)),
    )
    return [movement_of(row) for row in found]


def pairs(
    store: Store, accounts: Collection[str], counterparties: Collection[str], since_s: int, until_s: int, limit: int
) -> list[Movement]:
    """Return the kept movements between accounts and their counterparties in a span of time, the newest first."""
    found = store.rows(
        "SELECT transaction_id, account, channel, direction, cents, at_s, counterparty, domain FROM movements "  # noqa: S608
        f"WHERE {store.among('account')} AND {store.among('counterparty')} AND at_s BETWEEN ? AND ? "
        "ORDER BY at_s DESC, seq DESC LIMIT ?",
        (store.listed(accounts), store.listed(counterparties), since_s, until_s, limit),
    )
    return [movement_of(row) for row in found]


def movement_of(row: Sequence[object]) -> Movement:
    """Return a kept movement: transaction_id, account, channel, direction, cents, at_s, counterparty, domain."""
    id_, account, channel, direction, cents, at_s, counterparty, domain = row
    assert isinstance(cents, int)
    assert isinstance(at_s, int)
    dollar_or_cash: DomainName = "dollar" if domain == "dollar" else "cash"
    return Movement(
        str(id_),
        str(account),
        _CHANNEL[str(channel)],
        _DIRECTION[str(direction)],
        cents,
        at_s,
        str(counterparty),
        dollar_or_cash,
    )


_CHANNEL: Final = {channel.value: channel for channel in Channel}
_DIRECTION: Final = {direction.value: direction for direction in Direction}
