"""Wrapping every key anew: after the wrapping key was rotated, or another takes its place; while the platform runs.

What is done is done: each page is one commit, and whoever goes on after a kill finds only what is left. A key is
replaced only if it still stands as it was read, so that whoever is erased meanwhile stays erased.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from sdt.domain.errors import Unavailable
from sdt.domain.sealing import SealBroken
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, wrapped
from sdt.store.wrapped import FILES, Sealed
from sdt.workflows.people import People
from sdt.workflows.scrubbing import WRAPPED
from sdt.workflows.sealed_files import DATA_LABEL, HEAD_BYTES, INBOUND_LABEL, is_wrapped_by, wrapped_anew

__all__ = ["Rewrapping"]

AT_ONCE: Final = 200
PAUSE_S: Final = 0.01
_LABELS: Final = {"made": DATA_LABEL, "came in": INBOUND_LABEL}
log = logging.getLogger(__name__)


class Rewrapping:
    """Goes through all that is wrapped.

    `broken` are those that do not open: somebody must look at them. `scrubbed` says whether the old wraps' bytes went.
    """

    def __init__(self, store: Store, keys: Wrapping, at_once: int = AT_ONCE) -> None:
        self._store, self._keys, self._at_once = store, keys, at_once
        self.broken: set[str] = set()
        self.scrubbed = True

    async def left(self) -> int:
        """Return how many are not wrapped by what wraps now."""
        prefix = await asyncio.to_thread(self._keys.prefix)
        left = await self._store.read(wrapped.keys_otherwise_count, prefix)
        for of in FILES.values():
            after = ""
            while page := await self._store.read(wrapped.file_heads, of, after, HEAD_BYTES, self._at_once):
                left += sum(not is_wrapped_by(prefix, head) for _, head in page)
                after = page[-1][0]
        return left

    async def run(self, at_ms: int) -> AsyncIterator[int]:
        """Wrap everything anew, and yield after each commit how many it was. Errors: Unavailable."""
        yield await People(self._store, self._keys).adopt(at_ms)
        prefix = await asyncio.to_thread(self._keys.prefix)
        async for count in self._people(prefix):
            yield count
        for kind, of in FILES.items():
            async for count in self._files(of, _LABELS[kind], prefix):
                yield count
        # What the old wraps left in freed pages goes. Where it does not, whoever ran this is told.
        try:
            await self._store.scrub(*WRAPPED)
        except Unavailable as error:
            self.scrubbed = False
            log.warning("what the old wraps left in overwritten rows is not cleared: %s", error.detail)

    async def _people(self, prefix: bytes) -> AsyncIterator[int]:
        after = ""
        while page := await self._store.read(wrapped.keys_otherwise, prefix, after, self._at_once):
            # Not within the database transaction: a key service takes its time, and payments must not wait for it.
            anew = await asyncio.to_thread(self._anew, page)
            yield await self._store.run(_put_keys, anew)
            after = page[-1][0]
            await asyncio.sleep(PAUSE_S)

    def _anew(self, page: list[tuple[str, bytes]]) -> list[tuple[str, bytes, bytes]]:
        anew = []
        for user_id, old in page:
            try:
                anew.append((user_id, old, self._keys.wrap(self._keys.unwrap(old, user_id), user_id)))
            except SealBroken as error:
                log.error("the key of user %s cannot be wrapped anew: %s", user_id, error.detail)
                self.broken.add(user_id)
        return anew

    async def _files(self, of: Sealed, label: str, prefix: bytes) -> AsyncIterator[int]:
        after = ""
        while page := await self._store.read(wrapped.file_heads, of, after, HEAD_BYTES, self._at_once):
            for name in [name for name, head in page if not is_wrapped_by(prefix, head)]:
                old = await self._store.read(wrapped.file_sealed, of, name)
                if old is None:
                    continue
                try:
                    new = await asyncio.to_thread(wrapped_anew, self._keys, old, label + name)
                except SealBroken as error:
                    log.error("the file %s cannot be wrapped anew: %s", name, error.detail)
                    self.broken.add(name)
                    continue
                yield int(await self._store.run(wrapped.put_file, of, name, old, new))
            after = page[-1][0]


def _put_keys(store: Store, anew: list[tuple[str, bytes, bytes]]) -> int:
    return sum(wrapped.put_key(store, *each) for each in anew)
