"""How the database does, as this process sees it: one observation a database transaction, not a statement."""

from __future__ import annotations

from typing import Final

from sdt.observing.figures import Gauge, Histogram

__all__ = ["DATABASE", "DATABASE_WAITING"]

DATABASE: Final = Histogram(
    "sdt_database_seconds", "How long a unit of work with the database took, waiting for its thread included.", ["kind"]
)
DATABASE_WAITING: Final = Gauge(
    "sdt_database_waiting_transactions", "Units of work that wait for the database's threads, or are in them."
)
