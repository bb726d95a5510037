"""Returns that we send back: which return each answers and why. Where it stands is in `ach`, as for every entry."""

from __future__ import annotations

from typing import Final, NamedTuple

from sdt.store.ach_files import RecordRow
from sdt.store.bulk import insert_new
from sdt.store.database import Store
from sdt.store.tables.ach import AchDishonor

__all__ = ["DishonorRow", "Try", "add", "get", "of_entry", "returns_of", "source_of"]


class DishonorRow(NamedTuple):
    """One dishonored return: `id` is its entry's, `entry_id` that of what came back, `record` the return's key."""

    id: str
    entry_id: str
    record: str
    reason: str
    fields: str
    """Numbers of wrong fields, parted by asterisks; empty but for R69."""


class Try(NamedTuple):
    """One attempt to send a return back: where its entry stands, and why it goes."""

    stage: str
    status: str
    reason: str


_COLUMNS: Final = ", ".join(DishonorRow._fields)


def add(store: Store, row: DishonorRow) -> None:
    """Write why a return goes back."""
    fresh = insert_new(store, AchDishonor, DishonorRow._fields, [row], key="id")
    assert fresh, "an entry answers one return"


def get(store: Store, id: str) -> DishonorRow | None:
    """Return what an entry of ours answers."""
    found = store.row(f"SELECT {_COLUMNS} FROM ach_dishonors WHERE id = ?", (id,))  # noqa: S608
    return DishonorRow(*found) if found else None


def of_entry(store: Store, entry_id: str) -> list[Try]:
    """Return every dishonor of an entry's returns, the oldest first."""
    found = store.rows(
        "SELECT e.stage, e.status, d.reason FROM ach_dishonors d JOIN ach_entries e ON e.id = d.id "
        "WHERE d.entry_id = ? ORDER BY d.id",
        (entry_id,),
    )
    return [Try(*row) for row in found]


def returns_of(store: Store, entry_id: str) -> list[RecordRow]:
    """Return the returns that came of an entry, the first one first: it is that which was booked."""
    columns = ", ".join(RecordRow._fields)
    found = store.rows(
        f"SELECT {columns} FROM ach_records WHERE entry_id = ? AND kind = 'return'",  # noqa: S608
        (entry_id,),
    )
    rows = [RecordRow(*row) for row in found]
    return sorted(rows, key=lambda row: (row.read_at_ms, row.record.rsplit(":", 1)[1]))


def source_of(store: Store, record: str) -> tuple[str, str, bytes] | None:
    """Return (digest, day, sealed bytes) of the file in which a record first came; None once it was emptied."""
    found = store.row(
        "SELECT i.digest, i.day, i.data_sealed FROM ach_records r JOIN ach_inbound i ON i.digest = r.digest "
        "WHERE r.record = ? AND length(i.data_sealed) > 0",
        (record,),
    )
    return (found[0], found[1], bytes(found[2])) if found else None
