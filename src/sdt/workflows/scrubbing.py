"""Clearing what a database keeps of overwritten rows, where the worker's role may not: as the owner of the tables.

PostgreSQL lets nobody but a table's owner vacuum it, and whoever owns a table may alter and drop it, which no process
that serves payments should.
"""

from __future__ import annotations

from typing import Final

from sdt.store import Store, outbox
from sdt.store.database import OwnerOnly
from sdt.store.wrapped import FILES
from sdt.workflows.erasure import TOPIC

__all__ = ["TABLES", "WRAPPED", "scrub"]

TABLES: Final = ("person_keys", "users", "former_parties", "bank_accounts")
"""What an erasure overwrites."""
WRAPPED: Final = ("person_keys", *(of.table for of in FILES.values()))
"""What wrapping anew overwrites."""


async def scrub(store: Store, now_ms: int) -> int:
    """Clear every table that holds personal data; return how many erasures waited for that and are done now.

    Errors: OwnerOnly; Unavailable. Nothing is noted as done then.
    """
    # Those whose files the worker has removed already. Read before: a later one is not cleared by what runs now.
    waiting = await store.read(outbox.failing, TOPIC, OwnerOnly.code)
    await store.scrub(*dict.fromkeys((*TABLES, *WRAPPED)))
    await store.run(outbox.done, waiting, now_ms)
    return len(waiting)
