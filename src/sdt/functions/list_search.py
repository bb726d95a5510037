"""The search of the sanctions list inside the function's own process, which has nothing else to do meanwhile.

The worker gives it a process of its own, so that no search takes the time of the loop that settles; a function would
pay for a second interpreter in memory and in each cold start, and win nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sdt.domain.errors import Unavailable
from sdt.domain.sanctions.index import Index
from sdt.domain.sanctions.search import search
from sdt.domain.sanctions.subjects import Found, Subject
from sdt.store import Store, sanctions
from sdt.store.sanctions import ListRow
from sdt.workflows.sanctions_lists import open_edition

__all__ = ["ListSearch"]


class ListSearch:
    """Asks who on the list in force may be meant. When another list is put in force, the next question reads that."""

    def __init__(self, store: Store, home: Path) -> None:
        self._store = store
        self._home = home
        self._digest = ""
        self._index: Index | None = None
        self._one = asyncio.Lock()
        self._opening: tuple[str, asyncio.Task[Index]] | None = None

    async def in_force(self) -> ListRow:
        """Return the list in force. Errors: Unavailable when there is none: nobody passes unscreened."""
        row = await self._store.read(sanctions.in_force)
        if row is None:
            raise Unavailable("No sanctions list is in force.", code="sanctions_list")
        return row

    async def find(
        self, parties: Sequence[Sequence[Subject]], threshold: int
    ) -> tuple[str, tuple[tuple[Found, ...], ...]]:
        """Return the digest of the list that was asked, and who may be meant, party by party.

        Units: threshold 0 to 100. Errors: Unavailable when there is no list, or its files cannot be read.
        """
        async with self._one:
            row = await self.in_force()
            index = await self._index_of(row)
            found = await asyncio.to_thread(
                lambda: tuple(search(index, tuple(subjects), threshold) for subjects in parties)
            )
            return row.digest, found

    async def _index_of(self, row: ListRow) -> Index:
        """Return the index of a list, opened once: an invocation that runs out of time meanwhile leaves it to the next.

        Two lists at once would be twice the memory.
        """
        if self._index is not None and self._digest == row.digest:
            return self._index
        self._index = None
        if self._opening is not None and self._opening[0] != row.digest:
            await asyncio.wait([self._opening[1]])
            self._opening = None
        if self._opening is None:
            reading = asyncio.to_thread(lambda: Index(open_edition(self._home, row)))
            self._opening = (row.digest, asyncio.create_task(reading))
        opening = self._opening[1]
        try:
            self._index = await asyncio.shield(opening)
        finally:
            if opening.done():
                self._opening = None
        self._digest = row.digest
        return self._index
