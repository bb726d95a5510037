"""The circuit breaker of one vendor: who does not answer is left alone for a while, and then tried by one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

__all__ = ["Breaker", "BreakerState"]


class BreakerState(Enum):
    """Closed: calls pass. Open: none does. Half open: one call finds out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts failures in a row. A vendor that refuses an order is well; one that does not answer is not."""

    def __init__(self, failures: int, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened_s: float | None = None
        self._trial_s: float | None = None

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._opened_s is None:
            return BreakerState.CLOSED
        waited = self._clock() - self._opened_s >= self._open_s
        return BreakerState.HALF_OPEN if waited else BreakerState.OPEN

    def allows(self) -> bool:
        """Say whether a call may be made now. Half open, the first to ask is the trial.

        A trial that never reported (its task was cancelled) stands in nobody's way for longer than a pause.
        """
        state = self.state
        if state is BreakerState.HALF_OPEN:
            now = self._clock()
            if self._trial_s is not None and now - self._trial_s < self._open_s:
                return False
            self._trial_s = now
        return state is not BreakerState.OPEN

    def succeeded(self) -> None:
        """The vendor answered."""
        self._failures, self._opened_s, self._trial_s = 0, None, None

    def failed(self) -> None:
        """The vendor did not answer, or said that it cannot."""
        self._failures += 1
        if self._failures >= self._limit or self._opened_s is not None:
            self._opened_s, self._trial_s = self._clock(), None
