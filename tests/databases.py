"""Which database a rig of the tests opens: a SQLite file, or with SDT_TEST_DATABASE=postgresql one of PostgreSQL.

Tests of the store itself run on both in every run (`store_rig`); this is for everything built on it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import outside
import postgres
from sdt.store import open_store
from sdt.store.database import connect
from sdt.store.tables import TABLES

TEMPLATE = "migrated"
_made: dict[Path, str] = {}
_open = ExitStack()


def on_postgresql() -> bool:
    """Return whether this run is one on PostgreSQL."""
    return os.environ.get("SDT_TEST_DATABASE") == "postgresql"


def database_at(path: Path) -> str:
    """Return the address of the database that stands for a file: the same one each time."""
    if not on_postgresql():
        return f"sqlite:///{path}"
    if path not in _made:
        _made[path] = postgres.new_database(_server(), f"of_file_{len(_made)}", TEMPLATE)
    return _made[path]


def contents(path: Path) -> bytes:
    """Return everything that is kept in the database that stands for a file, as bytes to search in."""
    if not on_postgresql():
        return b"".join(Path(f"{path}{end}").read_bytes() for end in ("", "-wal") if Path(f"{path}{end}").exists())
    store = connect(database_at(path))
    try:
        cursor, kept = store.database.connection().cursor(), bytearray()
        for table in TABLES:
            with cursor.copy(f"COPY {table._meta.table_name} TO STDOUT (FORMAT binary)") as copy:
                for piece in copy:
                    kept += piece
        return bytes(kept)
    finally:
        store.close()


def drop_all() -> None:
    """Remove what was made for the test that ends."""
    for path in [path for path in _made if path != Path()]:
        postgres.drop_database(_made[Path()], _made.pop(path).rpartition("/")[2])


def stop() -> None:
    """End the server, if there is one."""
    _made.clear()
    _open.close()


def _server() -> str:
    """Start the server of this run, with a migrated database to copy."""
    if Path() not in _made:
        binaries = postgres.binaries()
        if binaries is None:
            outside.lacking(postgres.HOW_TO_GET_IT)
        url = _made[Path()] = _open.enter_context(postgres.cluster(binaries))
        open_store(postgres.new_database(url, TEMPLATE), migrate=True).close()
    return _made[Path()]
