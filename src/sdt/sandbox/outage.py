"""Days on which the sandbox bank takes no files: for so many seconds an upload is refused and nothing is kept of it."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Final

from msgspec import Meta, Struct

from sdt.domain.errors import Unavailable
from sdt.sandbox.fields import rfc3339

__all__ = ["SCHEMA", "Outage", "OutageAnswer", "begin", "check"]

SCHEMA: Final = "create table if not exists outage(one integer primary key check (one = 1), until real not null);"


class Outage(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long; 0 ends it."""

    seconds: Annotated[int, Meta(ge=0, le=3600)]


class OutageAnswer(Struct, frozen=True):
    """Until when."""

    until: str


def begin(connection: sqlite3.Connection, order: Outage, now: float) -> OutageAnswer:
    """Take no file from now on, for so long."""
    connection.execute("insert or replace into outage values(1, ?)", (now + order.seconds,))
    return OutageAnswer(rfc3339(now + order.seconds))


def check(connection: sqlite3.Connection, now: float) -> None:
    """Errors: Unavailable while no file is taken."""
    row = connection.execute("select until from outage").fetchone()
    if row is not None and now < row[0]:
        raise Unavailable("The bank takes no files now.", code="files_not_taken")
