"""The time, as an argument: processes pass the real one, tests one that they move."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Real time. Units: as the names say, since 1970."""

    def now_ms(self) -> int:
        """Return milliseconds."""
        return time.time_ns() // 1_000_000

    def now_s(self) -> int:
        """Return whole seconds."""
        return time.time_ns() // 1_000_000_000
