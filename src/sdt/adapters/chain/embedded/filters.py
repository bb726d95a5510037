"""Filters that a client makes once and then polls, as web3 and ethers do for events and new blocks.

They live in memory: a restart forgets them, and a client makes them again when told "filter not found".
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sdt.adapters.chain.embedded import present
from sdt.adapters.chain.embedded.chain import Chain
from sdt.adapters.chain.embedded.errors import server_error

__all__ = ["Filters"]

_IDLE_S = 300.0
_FILTERS_MAX = 1_000

LogFinder = Callable[[dict[str, Any]], Any]


@dataclass
class _Filter:
    """What is wanted (None: new blocks), the next block to look at, and when it was last asked for."""

    wanted: dict[str, Any] | None
    following: int
    asked_at_s: float


class Filters:
    """The filters of all clients; used from the server's loop and its threads, one request at a time each."""

    def __init__(self, chain: Chain, find_logs: LogFinder) -> None:
        self._chain = chain
        self._find_logs = find_logs
        self._filters: dict[str, _Filter] = {}

    def new_logs(self, wanted: Any) -> str:
        """Make a filter of logs; anything wrong with it is said now."""
        self._find_logs({**wanted, "fromBlock": "latest", "toBlock": "latest"} if isinstance(wanted, dict) else wanted)
        return self._add(wanted)

    def new_blocks(self) -> str:
        """Make a filter of new blocks' hashes."""
        return self._add(None)

    def _add(self, wanted: dict[str, Any] | None) -> str:
        now = time.monotonic()
        for name in [name for name, one in self._filters.items() if now - one.asked_at_s > _IDLE_S]:
            self._filters.pop(name, None)
        if len(self._filters) >= _FILTERS_MAX:
            raise server_error("too many filters")
        name = present.quantity(secrets.randbits(127) | 1 << 127)
        self._filters[name] = _Filter(wanted, self._chain.head.header.number + 1, now)
        return name

    def changes(self, name: Any) -> object:
        """Return what is new since the last time."""
        one = self._known(name)
        first, last = one.following, self._chain.head.header.number
        if first > last:
            return []
        one.following = last + 1
        if one.wanted is None:
            newest_first = self._chain.store.hashes(last, last + 1 - first)
            return [present.data(block_hash) for block_hash in reversed(newest_first)]
        return self._find_logs({**one.wanted, "fromBlock": present.quantity(first), "toBlock": present.quantity(last)})

    def logs(self, name: Any) -> object:
        """Return all logs that a filter of logs matches."""
        one = self._known(name)
        if one.wanted is None:
            raise server_error("filter not found")
        return self._find_logs(one.wanted)

    def remove(self, name: Any) -> bool:
        """Forget a filter; return whether there was one."""
        return isinstance(name, str) and self._filters.pop(name, None) is not None

    def _known(self, name: Any) -> _Filter:
        one = self._filters.get(name) if isinstance(name, str) else None
        if one is None:
            raise server_error("filter not found")
        one.asked_at_s = time.monotonic()
        return one
