"""The settled keys in memory, so that a hot request costs no query: filled on a miss, kept current by following.

It may lag behind the chain by a moment; every signer asks the chain itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from sdt.domain.authority import KeyFacts
from sdt.domain.errors import Unavailable
from sdt.store import Store, accounts, registry
from sdt.store.accounts import KeyRow

__all__ = ["KeyCache"]

FOLLOW_S = 0.5
log = logging.getLogger(__name__)


class KeyCache:
    """Keys by kid. `load` what is missing, then `get`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, KeyFacts] = {}
        self._last = 0

    def get(self, kid: str) -> KeyFacts | None:
        """Return a key that is known here."""
        return self._keys.get(kid)

    async def load(self, kids: Collection[str]) -> None:
        """Look up keys that are not known here yet: a registration may just have settled."""
        missing = [kid for kid in dict.fromkeys(kids) if kid not in self._keys]
        if missing:
            self._take(await self._store.read(_rows, missing))

    async def find(self, kid: str) -> KeyFacts | None:
        """Return one key, from here or from the database."""
        await self.load([kid])
        return self.get(kid)

    def forget(self) -> None:
        """Know nothing: whoever cannot follow looks each key up again."""
        self._keys.clear()

    async def follow(self) -> None:
        """Keep what is known current: a revoked key stops counting within half a second."""
        while True:
            try:
                rows, self._last = await self._store.read(accounts.keys_since, self._last)
                self._take(rows)
            except Unavailable as error:
                log.warning("keys are not followed: %s", error.detail)
            await asyncio.sleep(FOLLOW_S)

    def _take(self, rows: Collection[KeyRow]) -> None:
        for row in rows:
            self._keys[row.kid] = registry.key_facts(row)


def _rows(store: Store, kids: Collection[str]) -> list[KeyRow]:
    found = (accounts.key(store, kid) for kid in kids)
    return [row for row in found if row is not None]
