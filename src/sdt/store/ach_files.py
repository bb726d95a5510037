"""The files we made and those that came in: stored sealed, under names and digests that are used once."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sdt.domain.case_kinds import SETTLED
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.tables.ach import AchFile, AchInbound, AchRecord

__all__ = [
    "AchFileRow",
    "InboundRow",
    "RecordRow",
    "add_file",
    "add_inbound",
    "add_record",
    "came_again",
    "counts",
    "file",
    "file_data",
    "files",
    "finish_inbound",
    "inbound",
    "is_known_name",
    "modifiers",
    "moved_by_account",
    "moved_units",
    "note_name",
    "read_days",
    "set_file",
    "try_now",
    "under_way",
    "unread",
]


class AchFileRow(NamedTuple):
    """One file that we made, without its bytes. Units: cents."""

    name: str
    token: str
    made_on: str
    modifier: str
    status: str
    """built, sending, unknown, delivered, filed (its entries know), acknowledged, rejected, disputed (the bank has
    another one under this name)."""
    digest: str
    entry_count: int
    entry_hash: str
    debit_units: int
    credit_units: int
    tries: int
    code: str | None
    made_at_ms: int
    delivered_at_ms: int | None
    updated_at_ms: int


class InboundRow(NamedTuple):
    """One file that came in, without its bytes."""

    digest: str
    name: str
    kind: str
    """ack, returns, changes, or unreadable."""
    status: str
    """stored, read, faulty."""
    day: str
    records: int
    unmatched: int
    detail: str
    read_at_ms: int


class RecordRow(NamedTuple):
    """One record of a file that came in. Units: cents."""

    record: str
    digest: str
    kind: str
    code: str
    trace: str
    entry_id: str | None
    units: int
    day: str
    read_at_ms: int


_FILE: Final = ", ".join(AchFileRow._fields)
_INBOUND: Final = ", ".join(InboundRow._fields)


def add_file(store: Store, row: AchFileRow, data_sealed: bytes) -> None:
    """Store a file that was built, before anything of it is sent."""
    columns = (*AchFileRow._fields, "data_sealed")
    fresh = insert_new(store, AchFile, columns, [(*row, data_sealed)], key="name")
    assert fresh, "a file's name is used once"


def set_file(
    store: Store,
    name: str,
    status: str,
    at_ms: int,
    *,
    code: str | None = None,
    tried: bool = False,
    delivered: bool = False,
) -> None:
    """Write where a file stands."""
    with store.transaction():
        changed = store.execute(
            "UPDATE ach_files SET status = ?, code = coalesce(CAST(? AS VARCHAR(64)), code), tries = tries + ?, "
            "delivered_at_ms = CASE WHEN ? = 1 THEN ? ELSE delivered_at_ms END, updated_at_ms = ? WHERE name = ?",
            (status, code, int(tried), int(delivered), at_ms, at_ms, name),
        ).rowcount
        assert changed == 1, f"there is no file {name}"


def file(store: Store, name: str) -> AchFileRow | None:
    """Return a file."""
    found = store.row(f"SELECT {_FILE} FROM ach_files WHERE name = ?", (name,))  # noqa: S608
    return AchFileRow(*found) if found else None


def counts(store: Store) -> dict[str, int]:
    """Return how many files stand in each status."""
    return {s: int(n) for s, n in store.rows("SELECT status, count(*) FROM ach_files GROUP BY status ORDER BY status")}


def under_way(store: Store) -> bool:
    """Return whether something is wanted, on its way, or followed: else the bank has only late returns for us."""
    open_files = "'built', 'sending', 'unknown', 'delivered', 'filed'"
    found = store.row(
        "SELECT EXISTS (SELECT 1 FROM ach_entries WHERE stage = 'wanted') "  # noqa: S608 - words of this file
        "OR EXISTS (SELECT 1 FROM ach_entries WHERE follow_at IS NOT NULL) "
        f"OR EXISTS (SELECT 1 FROM ach_files WHERE status IN ({open_files}))"
    )
    return bool(found[0])


def try_now(store: Store, name: str) -> bool:
    """Take away a file's pause before it is tried again; return whether it waits at all."""
    changed: int = store.execute(
        "UPDATE ach_files SET tries = 0 WHERE name = ? AND status IN ('built', 'sending', 'unknown')", (name,)
    ).rowcount
    return changed == 1


def file_data(store: Store, name: str) -> bytes:
    """Return a file's bytes as they were sealed."""
    return bytes(store.row("SELECT data_sealed FROM ach_files WHERE name = ?", (name,))[0])


def files(store: Store, *statuses: str, limit: int = 200) -> list[AchFileRow]:
    """Return files, the oldest first; without statuses the newest first."""
    if not statuses:
        found: list[Any] = store.rows(f"SELECT {_FILE} FROM ach_files ORDER BY made_at_ms DESC LIMIT ?", (limit,))  # noqa: S608
    else:
        found = store.rows(
            f"SELECT {_FILE} FROM ach_files WHERE {store.among('status')} ORDER BY made_at_ms, name LIMIT ?",  # noqa: S608
            (store.listed(statuses), limit),
        )
    return [AchFileRow(*row) for row in found]


def modifiers(store: Store, made_on: str) -> set[str]:
    """Return the modifiers that files of a day have."""
    return {modifier for (modifier,) in store.rows("SELECT modifier FROM ach_files WHERE made_on = ?", (made_on,))}


def moved_units(store: Store, made_on: str, token: str) -> int:
    """Return what the files of a day move for a token, both directions together. Units: cents."""
    found = store.row(
        "SELECT coalesce(sum(debit_units + credit_units), 0) FROM ach_files "
        "WHERE made_on = ? AND token = ? AND status <> 'rejected'",
        (made_on, token),
    )
    return int(found[0])


def moved_by_account(store: Store, made_on: str, token: str) -> dict[str, int]:
    """Return what each account has in the files of a day. Units: cents."""
    return {
        account: int(units)
        for account, units in store.rows(
            "SELECT e.account, sum(e.units) FROM ach_entries e JOIN ach_files f ON f.name = e.file_name "
            "WHERE f.made_on = ? AND f.token = ? AND f.status <> 'rejected' GROUP BY e.account",
            (made_on, token),
        )
    }


_IS_FAULTY: Final = "i.digest = n.digest AND i.status = 'faulty'"
_ENDED: Final = ", ".join(f"'{status}'" for status in SETTLED)
_UNSETTLED: Final = (
    "NOT EXISTS (SELECT 1 FROM cases c WHERE c.kind = 'ach_unmatched' "  # noqa: S608 - words of the domain
    f"AND c.key = 'inbound:' || n.digest || ':' || n.name AND c.status IN ({_ENDED}))"
)
"""Of a name whose bytes are not believed: no officer has closed the case about them."""


def is_known_name(store: Store, name: str) -> bool:
    """Return whether what stands under this name is dealt with.

    Bytes that nobody believes may be half a file: they are fetched again until they change, or an officer settles it.
    """
    found = store.row(
        f"SELECT 1 FROM ach_inbound_names n WHERE n.name = ? AND NOT ({_UNSETTLED} "  # noqa: S608 - words of this file
        f"AND EXISTS (SELECT 1 FROM ach_inbound i WHERE {_IS_FAULTY}))",
        (name,),
    )
    return found is not None


def note_name(store: Store, name: str, digest: str, at_ms: int) -> bool:
    """Remember a name and the bytes that stood under it, the newest while none were believed; return whether new."""
    changed = store.row(
        "INSERT INTO ach_inbound_names AS n (name, digest, read_at_ms) VALUES (?, ?, ?) "  # noqa: S608
        "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, read_at_ms = excluded.read_at_ms "
        f"WHERE n.digest <> excluded.digest AND EXISTS (SELECT 1 FROM ach_inbound i WHERE {_IS_FAULTY}) "
        "RETURNING name",
        (name, digest, at_ms),
    )
    return changed is not None


def came_again(store: Store, digest: str, day: str) -> None:
    """Write until which day bytes that are not believed stood under some name."""
    store.execute(
        "UPDATE ach_inbound SET day = ? WHERE digest = ? AND status = 'faulty' AND day < ?", (day, digest, day)
    )


def add_inbound(store: Store, row: InboundRow, data_sealed: bytes) -> bool:
    """Store a file that came in; return whether its bytes are new."""
    columns = (*InboundRow._fields, "data_sealed")
    return bool(insert_new(store, AchInbound, columns, [(*row, data_sealed)], key="digest"))


def finish_inbound(store: Store, digest: str, status: str, *, records: int, unmatched: int, detail: str) -> None:
    """Write that a file was read through."""
    store.execute(
        "UPDATE ach_inbound SET status = ?, records = ?, unmatched = ?, detail = ? WHERE digest = ?",
        (status, records, unmatched, detail, digest),
    )


def inbound(store: Store, limit: int = 200) -> list[InboundRow]:
    """Return the files that came in, the newest first."""
    found = store.rows(f"SELECT {_INBOUND} FROM ach_inbound ORDER BY read_at_ms DESC, name DESC LIMIT ?", (limit,))  # noqa: S608
    return [InboundRow(*row) for row in found]


def unread(store: Store) -> list[tuple[InboundRow, bytes]]:
    """Return the files that are stored and were not read through, the oldest first, with their bytes as sealed."""
    found = store.rows(
        f"SELECT {_INBOUND}, data_sealed FROM ach_inbound WHERE status = 'stored' ORDER BY read_at_ms, name"  # noqa: S608
    )
    return [(InboundRow(*row), bytes(sealed)) for *row, sealed in found]


def read_days(store: Store, first_day: str) -> set[str]:
    """Return the days from `first_day` whose files of returns were read, each of them that came.

    One that is not believed may hold returns of its day; where that cannot be read, of any day until it came.
    """
    found = store.rows(
        "SELECT DISTINCT day FROM ach_inbound WHERE kind = 'returns' AND status = 'read' AND day >= ?", (first_day,)
    )
    days = {day for (day,) in found}
    faulty = store.rows(
        f"SELECT i.kind, i.day FROM ach_inbound i JOIN ach_inbound_names n ON {_IS_FAULTY} "  # noqa: S608
        f"WHERE i.kind <> 'ack' AND i.day >= ? AND {_UNSETTLED}",
        (first_day,),
    )
    for kind, until in faulty:
        days = {day for day in days if day > until} if kind == "unreadable" else days - {until}
    return days


def add_record(store: Store, row: RecordRow) -> bool:
    """Note a record of a file that came in; return whether it was never seen."""
    return bool(insert_new(store, AchRecord, RecordRow._fields, [row], key="record"))
