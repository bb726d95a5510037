"""Everything that holds a wrapped key, as whoever wraps all of them anew goes through it: a page at a time, by key."""

from __future__ import annotations

from typing import Final, NamedTuple

from sdt.store.database import Store

__all__ = [
    "FILES",
    "Sealed",
    "file_heads",
    "file_sealed",
    "keys_otherwise",
    "keys_otherwise_count",
    "put_file",
    "put_key",
]


class Sealed(NamedTuple):
    """A table of sealed files: its name, and the column that names a file."""

    table: str
    name: str


FILES: Final = {"made": Sealed("ach_files", "name"), "came in": Sealed("ach_inbound", "digest")}


def keys_otherwise(store: Store, prefix: bytes, after: str, limit: int) -> list[tuple[str, bytes]]:
    """Return users, the first after `after`, whose key is there and is not wrapped under this prefix, with that key."""
    found = store.rows(
        "SELECT user_id, wrapped FROM person_keys WHERE user_id > ? AND wrapped IS NOT NULL "
        "AND substr(wrapped, 1, ?) <> ? ORDER BY user_id LIMIT ?",
        (after, len(prefix), prefix, limit),
    )
    return [(user_id, bytes(wrapped)) for user_id, wrapped in found]


def keys_otherwise_count(store: Store, prefix: bytes) -> int:
    """Return how many keys are wrapped otherwise."""
    found = store.row(
        "SELECT count(*) FROM person_keys WHERE wrapped IS NOT NULL AND substr(wrapped, 1, ?) <> ?",
        (len(prefix), prefix),
    )
    return int(found[0])


def put_key(store: Store, user_id: str, old: bytes, new: bytes) -> bool:
    """Replace a wrapped key by the same key wrapped anew, unless it was erased or replaced meanwhile."""
    changed: int = store.execute(
        "UPDATE person_keys SET wrapped = ? WHERE user_id = ? AND wrapped = ?", (new, user_id, old)
    ).rowcount
    return changed == 1


def file_heads(store: Store, of: Sealed, after: str, size: int, limit: int) -> list[tuple[str, bytes]]:
    """Return files that were not emptied, the first after `after`, with the first `size` bytes of each."""
    found = store.rows(
        f"SELECT {of.name}, substr(data_sealed, 1, ?) FROM {of.table} WHERE {of.name} > ? "  # noqa: S608 - our names
        f"AND length(data_sealed) > 0 ORDER BY {of.name} LIMIT ?",
        (size, after, limit),
    )
    return [(name, bytes(head)) for name, head in found]


def file_sealed(store: Store, of: Sealed, name: str) -> bytes | None:
    """Return a file's bytes as they are sealed; None when it is not kept any more."""
    found = store.row(f"SELECT data_sealed FROM {of.table} WHERE {of.name} = ?", (name,))  # noqa: S608 - our names
    return bytes(found[0]) if found else None


def put_file(store: Store, of: Sealed, name: str, old: bytes, new: bytes) -> bool:
    """Replace a sealed file by the same file with its key wrapped anew."""
    changed: int = store.execute(
        f"UPDATE {of.table} SET data_sealed = ? WHERE {of.name} = ? AND data_sealed = ?",  # noqa: S608 - our names
        (new, name, old),
    ).rowcount
    return changed == 1
