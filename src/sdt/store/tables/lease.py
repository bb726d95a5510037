"""The table of leases: which process settles for which chain key."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class Lease(Table):
    """Who settles: `epoch` grows with every taking, and times are those of the database's own clock."""

    name = text(96, primary_key=True)
    holder = text(96)
    epoch = BigIntegerField()
    taken_at_ms = BigIntegerField()
    expires_at_ms = BigIntegerField()

    class Meta:
        table_name = "leases"


# What makes `epoch` a key to PostgreSQL: FOR KEY SHARE then stops whoever takes the lease, and no renewal.
index(Lease, "leases_epoch", "name, epoch, holder", unique=True)


TABLES: Final[tuple[type[Table], ...]] = (Lease,)
