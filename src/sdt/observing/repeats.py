"""The same line again and again says nothing new: it is told once, and then once a minute with how often it came."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Repeats"]

REMIND_S: Final = 60.0
LIKE_MAX: Final = 20
"""Lines of one kind (the same words around other numbers) that are told in a minute; more of them are counted."""
KNOWN_MAX: Final = 2_000
"""Different lines that are remembered; beyond that the memory starts anew, and at worst a line is told once more."""


@dataclass(slots=True)
class _Seen:
    since_s: float
    told: int = 1
    silent: int = 0


class Repeats(logging.Handler):
    """Hands lines on to another handler, without the repetitions."""

    def __init__(self, inner: logging.Handler, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._inner = inner
        self._clock = clock
        self._lines: dict[tuple[str, ...], _Seen] = {}
        self._kinds: dict[tuple[str, ...], _Seen] = {}

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Set the form of the lines."""
        super().setFormatter(fmt)
        self._inner.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a line, or count it. One that says so (`every`) is an event of its own and always told."""
        if "every" in record.__dict__:
            self._inner.handle(record)
            return
        now_s = self._clock()
        kind = (record.name, record.levelname, str(record.msg))
        line = (*kind, record.getMessage())
        silent = self._silent(self._lines, line, now_s, 1)
        if silent is None:
            return
        more = self._silent(self._kinds, kind, now_s, LIKE_MAX)
        if more is None:
            return
        if silent + more:
            record.repeated = silent + more
        self._inner.handle(record)

    def _silent(self, seen: dict[tuple[str, ...], _Seen], key: tuple[str, ...], now_s: float, most: int) -> int | None:
        """Return how many were not told since the last one that was, or None if this one is not told either."""
        if len(seen) > KNOWN_MAX:
            seen.clear()
        known = seen.get(key)
        if known is None:
            seen[key] = _Seen(now_s)
            return 0
        if now_s - known.since_s >= REMIND_S:
            silent, known.since_s, known.told, known.silent = known.silent, now_s, 1, 0
            return silent
        if known.told < most:
            known.told += 1
            return 0
        known.silent += 1
        return None
