"""What an operator must know of the three locations: who is away, caught, held or off the time; what stock is left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sdt.signing.locations import Remote
from sdt.signing.wire import PAIRS, Pair

CLOCK_OFF_S: Final = 10.0
"""A location that is 30 s off its chain refuses every batch: tell before it does."""

_log = logging.getLogger("sdt.signing.coordinator")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is not as it should be. Shape: party 0 and pair None where it is about neither."""

    code: str
    detail: str
    party: int = 0
    pair: Pair | None = None
    left: int | None = None
    """How many more batches that pair can sign, where the alarm counts them down."""


def alarms(remotes: Mapping[int, Remote], level: Callable[[Pair], int], low: int) -> list[Alarm]:
    """Return everything that is not as it should be now."""
    found = [alarm for _, remote in sorted(remotes.items()) for alarm in _of_location(remote)]
    away = [party for party, remote in remotes.items() if not remote.usable]
    for pair in PAIRS:
        if any(party in away for party in pair):
            continue
        left = level(pair)
        if away:
            detail = f"Locations {pair} sign {left} more batches; none are made while location {away} is away."
            found.append(Alarm("stock_counts_down", detail, pair=pair, left=left))
        elif left < low:
            found.append(Alarm("stock_low", f"Locations {pair} sign {left} more batches.", pair=pair, left=left))
    return found


def _of_location(remote: Remote) -> list[Alarm]:
    party, status = remote.party, remote.status
    if not remote.answers or status is None:
        return [Alarm("location_away", f"Location {party} does not answer.", party)]
    found = []
    if remote.caught:
        found.append(Alarm("location_caught", f"Location {party} {remote.caught}.", party))
    if status.held:
        found.append(Alarm("stock_held", f"Location {party} signs nothing: {status.held}", party))
    if status.burnt:
        found.append(Alarm("stock_burnt", f"Location {party} burnt its stock: {status.burnt}", party))
    if status.demands_attestation and (missing := sorted({1, 2, 3} - {party, *status.peers_attested})):
        detail = f"Location {party} has no good attestation of location {', '.join(map(str, missing))}."
        found.append(Alarm("peer_not_attested", detail, party))
    if abs(remote.clock_off_s) > CLOCK_OFF_S:
        found.append(Alarm("location_clock", f"Location {party} is {remote.clock_off_s:+.0f} s off our clock.", party))
    return found


class Watch:
    """Logs an alarm when it comes, when its stock has halved, and when it goes.

    A pair's first low stock is no warning: whoever starts has none yet, and a filling that fails is told by itself.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, Pair | None], Alarm] = {}
        self._filled_once: set[Pair] = set()

    def look(self, found: list[Alarm]) -> None:
        """Take what is wrong now, and log what changed."""
        coming = {(alarm.code, alarm.party, alarm.pair): alarm for alarm in found}
        for key, alarm in coming.items():
            before = self._known.get(key)
            if before is None or _halved(alarm.left, before.left):
                first = before is None and alarm.code == "stock_low" and alarm.pair not in self._filled_once
                _log.log(logging.INFO if first else logging.WARNING, "%s: %s", alarm.code, alarm.detail)
                self._known[key] = alarm
        for key in self._known.keys() - coming.keys():
            gone = self._known.pop(key)
            if gone.code == "stock_low" and gone.pair is not None:
                self._filled_once.add(gone.pair)
            _log.info("%s is over: %s", key[0], gone.detail)


def _halved(left: int | None, before: int | None) -> bool:
    """Whether a stock has come down to half of what was last told; nothing left is told once."""
    return left is not None and before is not None and left < before and 2 * left <= before
