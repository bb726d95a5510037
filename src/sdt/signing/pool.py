"""Which presignatures the coordinator may use next: those that both members of a pair hold ready."""

from __future__ import annotations

from collections import deque
from typing import Final

from sdt.domain.errors import SdtError
from sdt.signing.locations import Remote, both
from sdt.signing.wire import PAIRS, ListStock, Pair, StockList

LIST_TIMEOUT_S: Final = 5.0


class Pool:
    """Ready presignatures by pair, as the members listed them; a taken one is never offered again."""

    def __init__(self, remotes: dict[int, Remote]) -> None:
        self._remotes = remotes
        self._ready: dict[Pair, deque[tuple[bytes, int]]] = {pair: deque() for pair in PAIRS}
        self._taken: set[tuple[bytes, int]] = set()
        self._listed: set[Pair] = set()

    def has(self, pair: Pair) -> bool:
        """Tell whether there is one to take."""
        return bool(self._ready[pair])

    def take(self, pair: Pair) -> tuple[bytes, int]:
        """Return the next one."""
        taken = self._ready[pair].popleft()
        self._taken.add(taken)
        return taken

    def give_back(self, pair: Pair, unused: tuple[bytes, int]) -> None:
        """Offer one again that no location can have bound."""
        self._taken.discard(unused)
        self._ready[pair].append(unused)

    def add(self, pair: Pair, job: bytes, count: int) -> None:
        """Offer a batch that was just made, promoted and taken by both members."""
        self._ready[pair].extend((job, index) for index in range(count))

    def is_listed(self, pair: Pair) -> bool:
        """Tell whether the members were asked what they hold."""
        return pair in self._listed

    def level(self, pair: Pair) -> int:
        """Return how many a pair has: what is listed, or before that the lower of its members' counts."""
        if pair in self._listed:
            return len(self._ready[pair])
        counts = [
            remote.status.stock[PAIRS.index(pair)] if remote.status else 0
            for remote in (self._remotes[party] for party in pair)
        ]
        return min(counts)

    async def notice(self, pair: Pair) -> None:
        """Ask anew when a member says that it holds nothing of what is listed: it has burnt its stock."""
        counts = [remote.status.stock[PAIRS.index(pair)] for party in pair if (remote := self._remotes[party]).status]
        if self._ready[pair] and 0 in counts:
            await self.refresh(pair)

    async def refresh(self, pair: Pair) -> None:
        """Ask both members what they hold; keep what we have when one does not answer."""
        low, high = pair
        lists = await both(
            self._remotes[low].call(ListStock(pair), LIST_TIMEOUT_S),
            self._remotes[high].call(ListStock(pair), LIST_TIMEOUT_S),
        )
        if any(isinstance(answer, SdtError) for answer in lists):
            return
        first, second = (_flat(answer) for answer in lists if isinstance(answer, StockList))
        theirs = set(second)
        held = set(first) & theirs
        self._taken &= held
        self._ready[pair] = deque(each for each in first if each in theirs and each not in self._taken)
        self._listed.add(pair)


def _flat(answer: StockList) -> list[tuple[bytes, int]]:
    return [(job, index) for job, indices in answer.batches for index in indices]
