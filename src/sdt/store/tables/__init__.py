"""The tables, as Peewee models: what `sdt.store.migrations` builds up to and what the DDL export prints.

One module for each part of the platform; `TABLES` lists them all, in the order in which they are made.
"""

from __future__ import annotations

from typing import Final

from sdt.store.tables import (
    ach,
    attestation,
    cases,
    core,
    deliveries,
    lease,
    money,
    monitoring,
    office,
    people,
    sanctions,
    traces,
)
from sdt.store.tables.columns import Table

__all__ = ["TABLES"]

TABLES: Final[tuple[type[Table], ...]] = (
    *core.TABLES,
    *cases.TABLES,
    *monitoring.TABLES,
    *people.TABLES,
    *office.TABLES,
    *deliveries.TABLES,
    *ach.TABLES,
    *sanctions.TABLES,
    *money.TABLES,
    *lease.TABLES,
    *attestation.TABLES,
    *traces.TABLES,
)
"""One line for each part of the platform."""
