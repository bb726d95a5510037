"""Whether the database is the one that the chain was written from, or an older copy of it that somebody restored.

What is signed is stored before it is sent, so the chain can never know a batch that the database does not. If it does,
going on would post other books than the chain's, and form numbers that are taken: nobody may settle by this database.
"""

from __future__ import annotations

from typing import Final

from eth_hash.auto import keccak

from sdt.adapters.chain.reader import ChainReader
from sdt.domain.errors import Conflict
from sdt.store import Store, batches

__all__ = ["DatabaseBehind", "refuse_older_database"]

_NUMBER: Final = bytes(keccak(b"number()")[:4])
_HEAD: Final = bytes(keccak(b"head()")[:4])


class DatabaseBehind(Conflict):
    """The chain has batches that the database lacks: it was restored to a time before them."""

    code = "database_behind_chain"


async def refuse_older_database(store: Store, reader: ChainReader, settlement: str) -> None:
    """Hold the newest batch on chain against the database. Errors: DatabaseBehind; ChainUnavailable."""
    number, head = await reader.eth_calls([(settlement, _NUMBER), (settlement, _HEAD)])
    on_chain = int.from_bytes(number, "big")
    newest, known = await store.read(_known, on_chain)
    if on_chain and known != head:
        raise DatabaseBehind(
            f"The chain has batch {on_chain} and the database knows signed ones up to {newest}: it is an older copy. "
            "docs/operations/database.md says how to go on.",
            on_chain=on_chain,
            in_database=newest,
        )


def _known(store: Store, number: int) -> tuple[int, bytes | None]:
    """Return the number of the newest batch that was signed, and the head of the one of a number."""
    (newest,) = store.row("SELECT coalesce(max(number), 0) FROM batches WHERE status <> 'void' AND head IS NOT NULL")
    row = batches.get(store, number)
    return int(newest), bytes(row.head) if row and row.head is not None else None
