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
            if self._index is None or self._digest != row.digest:
                # Two lists at once would be twice the memory.
                self._index = None
                self._index = await asyncio.to_thread(lambda: Index(open_edition(self._home, row)))
                self._digest = row.digest
            index = self._index
            found = await asyncio.to_thread(
                lambda: tuple(search(index, tuple(subjects), threshold) for subjects in parties)
            )
            return row.digest, found
