"""Whose traces a round, a batch or an instruction belongs to. Asked only in a process that makes traces.

Many payments share a batch: it belongs to the trace of the first that is traced, and names some of the others as links.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sdt.observing import tracing
from sdt.ports.queue import Received
from sdt.store import Store, traces

__all__ = ["Traced", "of_ids", "of_round"]


class Traced(NamedTuple):
    """A span's parent, empty when nothing in it is traced, and its links."""

    parent: str
    links: Sequence[str]


NOBODYS: Final = Traced("", ())


async def of_ids(store: Store, ids: Sequence[str]) -> Traced:
    """Return whose trace work for these transactions is."""
    if not tracing.started() or not ids:
        return NOBODYS
    found = await store.read(traces.read, ids, tracing.LINKS_MAX)
    parents = list(dict.fromkeys(found.values()))
    return Traced(parents[0], parents[1:]) if parents else NOBODYS


async def of_round(store: Store, received: Sequence[Received], now_ms: int) -> Traced:
    """Return the same for what came from the queue, and write down how long each that is traced had waited there."""
    found = await store.read(traces.read, [one.body for one in received], tracing.LINKS_MAX)
    for one in received:
        if one.body in found:
            begun_s = min(one.sent_at, now_ms / 1000)
            tracing.past("queue", found[one.body], begun_s, now_ms / 1000, transaction_id=one.body)
    parents = list(dict.fromkeys(found.values()))
    return Traced(parents[0], parents[1:]) if parents else NOBODYS
